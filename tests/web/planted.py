"""A server in which everybody who can name something has named it badly; and every page it has."""

import re
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final
from urllib.parse import quote

import aiohttp

from coderai.records import Ending, Thought
from coderai.web.app import pages
from tests.web.living import Living
from tests.web.recorded import call, recording, used

MARK: Final = "data-planted"
HOSTILE: Final = f"<img {MARK} src=x onerror=alert(1)>\"'><script {MARK}>alert(2)</script>{{{{7*7}}}}"
"""Leaves text, attributes and elements of raw text."""
TURNED: Final = "\u202etxet\u202c\u200b"
LONG: Final = "W" * 300
NASTY: Final = f"{TURNED}{HOSTILE}{LONG}"
NAME: Final = f"{HOSTILE}{LONG}"[:120]
"""As bad as a name may be that people give by the API."""
_CHATS: Final = "/api/experimental/chats"
_PART: Final = re.compile(r"\{(\w+)[^{}]*\}")


@dataclass(frozen=True)
class Planted:
    """What stands for the parts of an address."""

    parts: dict[str, str]

    def addresses(self, method: str) -> list[str]:
        """Return the address of every page that is asked for by *method*."""
        return [self._filled(page.path) for page in pages() if page.method == method]

    def _filled(self, path: str) -> str:
        found = {"id": self.parts.get(f"{_noun(path)}.id", ""), **self.parts}
        return _PART.sub(lambda part: found[part.group(1)], path)


async def plant(house: Living) -> Planted:
    """Name everything badly that has a name, and return where it is shown."""
    async with house.session("admin") as admin:
        user = await _api(admin, "POST", "/api/v2/users", username="planted", email="p@example.com", name=NAME)
        token = await _api(admin, "POST", "/api/v2/users/planted/keys/tokens", token_name=NAME[:64])
        address = {"base_url": f"{house.provider}/v1", "api_keys": ["sk-planted"], "enabled": True}
        named = {"type": "openai-compat", "name": "planted", "display_name": NAME}
        provider = await _api(admin, "POST", "/api/v2/ai/providers", **named, **address)
        registered = {"ai_provider_id": provider["id"], "enabled": True, "context_limit": 200_000}
        model = await _api(admin, "POST", f"{_CHATS}/model-configs", model=NAME, display_name=NAME, **registered)
        await _api(admin, "PUT", f"{_CHATS}/config/personal-model-overrides", allow_users=True)
        await _api(admin, "PUT", f"{_CHATS}/config/model-override/general", model_config_id=model["id"])
    async with recording(house) as records:
        records.ids["planted"] = user["id"]
        mine = {"client_session_id": NASTY, "model": NASTY, "user_agent": NASTY, "client": NASTY, "who": "planted"}
        mine |= {"metadata": {"request_class": "subagent", "agent_id": NASTY, "agent_type": NASTY}}
        mine |= {"credential_hint": NASTY, "provider_name": NASTY, "prompt": NASTY}
        facts = (Thought(NASTY), call(NASTY, f'{{"x": "{TURNED}"}}'), call("Read", NASTY), used())
        shown = await records.exchange(*facts, **mine)
        await records.exchange(*facts, ending=Ending.UPSTREAM_ERROR, ago=timedelta(minutes=50), **mine)
        await records.exchange(ending=None, ago=timedelta(seconds=5), **mine)
    parts = {"user": user["id"], "provider": "planted", "model": model["id"], "context": "general"}
    parts |= {"tool": "claude-code", "tokens.id": token["key"].split("-")[0], "token": token["key"]}
    return Planted(parts | {"interceptions.id": shown.id, "sessions.id": quote(NASTY[:256], safe="")})


async def _api(session: aiohttp.ClientSession, method: str, path: str, **document: Any) -> Any:
    async with session.request(method, path, json=document) as answer:
        assert answer.status < 300, (path, await answer.text())
        return await answer.json(content_type=None) if answer.status != 204 else None


def _noun(path: str) -> str:
    return next((word for word in ("tokens", "sessions", "interceptions") if word in path), "")
