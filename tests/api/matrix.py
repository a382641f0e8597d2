"""Every endpoint and every role: which status each gets. A new route needs a row here; a test says so.

In a path ``{max}`` is a member whom only this row touches, ``{token}`` his token, ``{peer}`` an owner.
"""

from dataclasses import dataclass
from typing import Any

WHO = ("owner", "auditor", "user_admin", "member", "service", "user_only", "nobody")
"""``service`` is a service account, ``user_only`` an owner whose token has the scope ``ai:use`` only."""


@dataclass(frozen=True)
class Row:
    """What one request gives to each in turn."""

    method: str
    path: str
    route: str
    """The path in the table."""
    owner: int
    auditor: int
    user_admin: int
    member: int
    service: int
    user_only: int
    nobody: int = 401
    body: Any = None

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


def row(request: str, *statuses: int, route: str = "", body: Any = None) -> Row:
    """Return a row: statuses in the order of WHO; the path is the route, unless that is named."""
    method, _, path = request.partition(" ")
    return Row(method, path, route or path, *statuses, body=body)


def open_to_all(request: str, status: int, body: Any = None) -> Row:
    return row(request, *[status] * len(WHO), body=body)


_USER = "/api/v2/users/{user}"
_KEYS = _USER + "/keys"
_NEW_USER = {"username": "newcomer", "email": "new@example.com", "login_type": "none"}
_PASSWORD = {"password": "quite long enough", "old_password": "wrong one"}

SERVER = [
    open_to_all("GET /healthz", 200),
    open_to_all("GET /readyz", 200),
    open_to_all("GET /api/v2/", 200),
    open_to_all("GET /api/v2", 200),
    open_to_all("GET /api/v2/buildinfo", 200),
    open_to_all("GET /api/v2/openapi.json", 200),
    open_to_all("GET /api/v2/docs", 200),
    row("GET /api/v2/deployment/config", 200, 200, 403, 403, 403, 403),
]
USERS = [
    row("GET /api/v2/users", 200, 200, 200, 200, 200, 403),
    row("POST /api/v2/users", 201, 403, 201, 403, 403, 403, body=_NEW_USER),
    open_to_all("GET /api/v2/users/first", 200),
    row("GET /api/v2/users/roles", 200, 200, 200, 200, 200, 403),
    row("GET /api/v2/users/me", 200, 200, 200, 200, 200, 403, route=_USER),
    row("GET /api/v2/users/{max}", 200, 200, 200, 404, 404, 403, route=_USER),
    row("DELETE /api/v2/users/{max}", 200, 403, 200, 404, 404, 403, route=_USER),
    row("DELETE /api/v2/users/me", 400, 403, 400, 403, 403, 403, route=_USER),
    row("PUT /api/v2/users/me/profile", *[200] * 5, 403, route=_USER + "/profile", body={"name": "X"}),
    row("PUT /api/v2/users/{max}/profile", 200, 403, 200, 404, 404, 403, route=_USER + "/profile", body={"name": "X"}),
    row("PUT /api/v2/users/me/password", *[204] * 4, 409, 403, route=_USER + "/password", body=_PASSWORD),
    row("PUT /api/v2/users/{max}/password", 204, 403, 204, 404, 404, 403, route=_USER + "/password", body=_PASSWORD),
    row("PUT /api/v2/users/{max}/status/activate", 200, 403, 200, 404, 404, 403, route=_USER + "/status/activate"),
    row("PUT /api/v2/users/{max}/status/suspend", 200, 403, 200, 404, 404, 403, route=_USER + "/status/suspend"),
    row("PUT /api/v2/users/{peer}/status/suspend", 200, 403, 403, 404, 404, 403, route=_USER + "/status/suspend"),
    row("GET /api/v2/users/me/roles", *[200] * 5, 403, route=_USER + "/roles"),
    row("GET /api/v2/users/{max}/roles", 200, 200, 200, 404, 404, 403, route=_USER + "/roles"),
    row("PUT /api/v2/users/{max}/roles", 200, 403, 200, 404, 404, 403, route=_USER + "/roles", body={"roles": []}),
    row(
        "PUT /api/v2/users/{max}/roles",
        *(200, 403, 403, 404, 404, 403),
        route=_USER + "/roles",
        body={"roles": ["auditor"]},
    ),
]
SIGN_IN = [
    open_to_all("POST /api/v2/users/login", 401, body={"email": "nobody@example.com", "password": "wrong"}),
    row("POST /api/v2/users/logout", *[200] * 6),
    open_to_all("GET /api/v2/users/authmethods", 200),
]
TOKENS = [
    row("POST /api/v2/users/me/keys", *[201] * 5, 403, route=_KEYS),
    row("POST /api/v2/users/{max}/keys", 404, 404, 404, 404, 404, 403, route=_KEYS),
    row("POST /api/v2/users/me/keys/tokens", *[201] * 5, 403, route=_KEYS + "/tokens", body={}),
    row("POST /api/v2/users/{max}/keys/tokens", 201, *[404] * 4, 403, route=_KEYS + "/tokens", body={}),
    row("GET /api/v2/users/me/keys/tokens", *[200] * 5, 403, route=_KEYS + "/tokens"),
    row("GET /api/v2/users/{max}/keys/tokens", 200, *[404] * 4, 403, route=_KEYS + "/tokens"),
    row("GET /api/v2/users/me/keys/tokens/tokenconfig", *[200] * 5, 403, route=_KEYS + "/tokens/tokenconfig"),
    row("GET /api/v2/users/me/keys/tokens/first", *[200] * 5, 403, route=_KEYS + "/tokens/{name}"),
    row("GET /api/v2/users/{max}/keys/tokens/first", 200, *[404] * 4, 403, route=_KEYS + "/tokens/{name}"),
    row("GET /api/v2/users/{max}/keys/{token}", 200, *[404] * 4, 403, route=_KEYS + "/{id}"),
    row("DELETE /api/v2/users/{max}/keys/{token}", 204, *[404] * 4, 403, route=_KEYS + "/{id}"),
    row("PUT /api/v2/users/{max}/keys/{token}/expire", 204, *[404] * 4, 403, route=_KEYS + "/{id}/expire"),
]
USAGE = [
    row("GET /api/v2/ai/usage", *[200] * 5, 403),
    row("GET /api/v2/ai/usage/series", *[200] * 5, 403),
    row("GET /api/v2/ai/usage/tools", *[200] * 5, 403),
    row("GET /api/v2/ai/labels", *[200] * 5, 403),
    row("GET /api/v2/ai/live", *[200] * 5, 403),
    row("GET /api/v2/ai/provider-health", 200, 200, 403, 403, 403, 403),
]
UPKEEP = [
    row("GET /api/v2/ai/retention", 200, 200, 403, 403, 403, 403),
    row("POST /api/v2/ai/retention/run", 200, 403, 403, 403, 403, 403, body={}),
    row("POST /api/v2/users/{max}/erase", 200, 403, 403, 403, 403, 403, route=_USER + "/erase"),
    row("POST /api/v2/users/me/erase", 400, 403, 403, 403, 403, 403, route=_USER + "/erase"),
]
AUDIT = [row("GET /api/v2/audit", 200, 200, 403, 403, 403, 403)]

_UNKNOWN = "00000000-0000-7000-8000-000000000000"
_OPENAI = {"type": "openai", "name": "new", "base_url": "https://ai.example.com/v1", "api_keys": ["sk-0123456789"]}
_PROVIDER = "/api/v2/ai/providers/{provider}"
PROVIDERS = [
    row("GET /api/v2/ai/providers", 200, 403, 403, 403, 403, 403),
    row("POST /api/v2/ai/providers", 409, 403, 403, 403, 403, 403, body=_OPENAI),  # 409: no key to seal with here
    row(f"GET /api/v2/ai/providers/{_UNKNOWN}", 404, 403, 403, 403, 403, 403, route=_PROVIDER),
    row(f"PATCH /api/v2/ai/providers/{_UNKNOWN}", 404, *[403] * 5, route=_PROVIDER, body={"enabled": False}),
    row(f"DELETE /api/v2/ai/providers/{_UNKNOWN}", 404, 403, 403, 403, 403, 403, route=_PROVIDER),
    row(f"POST /api/v2/ai/providers/{_UNKNOWN}/test", 404, 403, 403, 403, 403, 403, route=_PROVIDER + "/test"),
]

_CHATS = "/api/experimental/chats"
_MODEL = f"{_CHATS}/model-configs/{{model}}"
_DEPLOYMENT = f"{_CHATS}/config/model-override/{{context}}"
_GATE = f"{_CHATS}/config/personal-model-overrides"
_OWN = f"{_CHATS}/config/user-personal-model-overrides"
_THRESHOLDS = f"{_CHATS}/config/user-compaction-thresholds"
_ROOT = {"mode": "chat_default"}
_HALF = {"threshold_percent": 50}
MODELS = [
    row(f"GET {_CHATS}/models", *[200] * 6),
    row(
        "GET /api/v2/organizations/default/chats/models",
        *[200] * 6,
        route="/api/v2/organizations/{organization}/chats/models",
    ),
    row(f"GET {_CHATS}/model-config-schema", *[200] * 6),
    row(f"GET {_CHATS}/model-configs", *[200] * 6),
    row(f"POST {_CHATS}/model-configs", 400, *[403] * 5, body={}),
    row(f"GET {_CHATS}/model-configs/{_UNKNOWN}", *[404] * 6, route=_MODEL),
    row(f"PATCH {_CHATS}/model-configs/{_UNKNOWN}", 404, *[403] * 5, route=_MODEL, body={}),
    row(f"DELETE {_CHATS}/model-configs/{_UNKNOWN}", 404, *[403] * 5, route=_MODEL),
    row(f"POST {_CHATS}/model-configs/{_UNKNOWN}/request", *[404] * 6, route=f"{_MODEL}/request", body={}),
    row(f"GET {_CHATS}/config/model-override/general", *[200] * 6, route=_DEPLOYMENT),
    row(
        f"PUT {_CHATS}/config/model-override/general",
        *(204, 403, 403, 403, 403, 403),
        route=_DEPLOYMENT,
        body={"model_config_id": ""},
    ),
    row(f"GET {_GATE}", *[200] * 6),
    row(f"PUT {_GATE}", 204, *[403] * 5, body={"allow_users": False}),
    row(f"GET {_OWN}", *[200] * 6),
    row(f"PUT {_OWN}/root", *[403] * 6, route=f"{_OWN}/{{context}}", body=_ROOT),  # nobody may while the gate is shut
    row(f"DELETE {_OWN}/root", *[403] * 6, route=f"{_OWN}/{{context}}"),
    row(f"GET {_THRESHOLDS}", *[200] * 6),
    row(f"PUT {_THRESHOLDS}/{_UNKNOWN}", *[404] * 5, 403, route=f"{_THRESHOLDS}/{{model}}", body=_HALF),
    row(f"DELETE {_THRESHOLDS}/{_UNKNOWN}", *[404] * 5, 403, route=f"{_THRESHOLDS}/{{model}}"),
    row(f"GET {_CHATS}/config/resolved-model/root", *[200] * 6, route=f"{_CHATS}/config/resolved-model/{{context}}"),
]
_USER_KEYS = _USER + "/ai-provider-keys"
_USER_KEY = _USER_KEYS + "/{provider}"
_OWN_KEYS = f"{_CHATS}/user-provider-configs"
_KEY = {"api_key": "sk-0123456789"}
PERSONAL_KEYS = [
    row("GET /api/v2/users/me/ai-provider-keys", *[200] * 5, 403, route=_USER_KEYS),
    row("GET /api/v2/users/{max}/ai-provider-keys", 200, *[404] * 4, 403, route=_USER_KEYS),
    row("PUT /api/v2/users/me/ai-provider-keys/none", *[404] * 5, 403, route=_USER_KEY, body=_KEY),
    row("PUT /api/v2/users/{max}/ai-provider-keys/none", 403, *[404] * 4, 403, route=_USER_KEY, body=_KEY),
    row("DELETE /api/v2/users/me/ai-provider-keys/none", *[404] * 5, 403, route=_USER_KEY),
    row("DELETE /api/v2/users/{max}/ai-provider-keys/none", *[404] * 5, 403, route=_USER_KEY),
    row(f"GET {_OWN_KEYS}", *[200] * 5, 403),
    row(f"PUT {_OWN_KEYS}/none", *[404] * 5, 403, route=f"{_OWN_KEYS}/{{provider}}", body=_KEY),
    row(f"DELETE {_OWN_KEYS}/none", *[404] * 5, 403, route=f"{_OWN_KEYS}/{{provider}}"),
]


def _records(prefix: str) -> list[Row]:
    unknown, one = f"{prefix}/interceptions/{_UNKNOWN}", f"{prefix}/interceptions/{{id}}"
    return [
        row(f"GET {prefix}/interceptions", *[200] * 5, 403),
        row(f"GET {unknown}", *[404] * 5, 403, route=one),
        row(f"GET {prefix}/sessions", *[200] * 5, 403),
        row(f"GET {prefix}/sessions/x", *[404] * 5, 403, route=f"{prefix}/sessions/{{session_id}}"),
        row(f"GET {prefix}/models", *[200] * 5, 403),
        row(f"GET {prefix}/clients", *[200] * 5, 403),
        row(f"GET {prefix}/clients/setup", *[200] * 6),
        open_to_all(f"GET {prefix}/proxy/ca-cert.pem", 404),
        open_to_all(f"GET {prefix}/proxy/ca-cert.der", 404),
    ]


MATRIX = [
    *SERVER,
    *USERS,
    *SIGN_IN,
    *TOKENS,
    *AUDIT,
    *USAGE,
    *UPKEEP,
    *PROVIDERS,
    *MODELS,
    *PERSONAL_KEYS,
    *_records("/api/v2/aibridge"),
    *_records("/api/v2/ai-gateway"),
]
