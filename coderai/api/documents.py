"""The answers of the API as types: for the OpenAPI document, and for the tests that compare them with what is sent."""

from typing import Any, Literal, NotRequired

from typing_extensions import TypedDict  # before Python 3.12 pydantic does not take the other one

Moment = str
"""RFC 3339, in UTC."""


class Document(TypedDict):
    """Further members may come with a later version."""


class Wrong(Document):
    field: str
    detail: str


class Refusal(Document):
    """Every error of the management API."""

    message: str
    detail: NotRequired[str | None]
    validations: NotRequired[list[Wrong] | None]


class Message(Document):
    message: str


class RoleName(Document):
    name: str
    display_name: str


class Role(RoleName):
    built_in: bool
    assignable: bool


class User(Document):
    id: str
    username: str
    name: str
    avatar_url: str
    email: str
    created_at: Moment
    updated_at: Moment
    last_seen_at: Moment
    status: Literal["active", "dormant", "suspended"]
    login_type: str
    organization_ids: list[str]
    roles: list[RoleName]
    is_service_account: bool


class Users(Document):
    users: list[User]
    count: int


class UserRoles(Document):
    roles: list[str]
    organization_roles: dict[str, Any]


class FirstUser(Document):
    user_id: str
    organization_id: str


class SessionToken(Document):
    session_token: str


class Switch(Document):
    enabled: bool


class AuthMethods(Document):
    password: Switch
    github: Switch
    oidc: Switch


class Allowed(Document):
    type: str
    id: str


class Key(Document):
    key: str


class Token(Document):
    id: str
    user_id: str
    last_used: Moment
    expires_at: Moment
    created_at: Moment
    updated_at: Moment
    login_type: str
    scope: str
    scopes: list[str]
    token_name: str
    lifetime_seconds: int
    allow_list: list[Allowed]
    delegate: bool
    username: str


class TokenConfig(Document):
    max_token_lifetime: int


class Person(Document):
    id: str
    username: str
    name: NotRequired[str | None]
    avatar_url: NotRequired[str | None]


class Difference(Document):
    old: Any
    new: Any
    secret: bool


class AuditEntry(Document):
    id: str
    request_id: str
    time: Moment
    ip: str
    user_agent: str
    resource_type: str
    resource_id: str
    resource_target: str
    action: str
    diff: dict[str, Difference]
    status_code: int | None
    additional_fields: dict[str, Any]
    description: str
    user: Person | None


class AuditLog(Document):
    audit_logs: list[AuditEntry]
    count: int


class Build(Document):
    external_url: str
    version: str
    dashboard_url: str
    telemetry: bool
    workspace_proxy: bool
    agent_api_version: str
    provisioner_api_version: str
    upgrade_message: str
    deployment_id: str


class Setting(Document):
    name: str
    flag: str
    value: str
    source: str
    secret: bool
    group: str
    help: str


class Deployment(Document):
    config: dict[str, str]
    options: list[Setting]


class ProviderKey(Document):
    id: str
    masked: str
    created_at: Moment


class Provider(Document):
    id: str
    type: str
    name: str
    display_name: str
    icon: str
    enabled: bool
    base_url: str
    api_keys: list[ProviderKey]
    settings: dict[str, Any] | None
    status: Literal["enabled", "disabled", "error", "proxy_excluded"]
    status_reason: str
    source: str
    created_at: Moment
    updated_at: Moment


class ProviderTest(Document):
    ok: bool
    status: int | None
    message: str
    ms: int


class SetupProvider(Document):
    name: str
    type: str
    family: str
    state: str
    central_key: bool


class SetupProxy(Document):
    host: str
    port: int
    tls: bool


class Setup(Document):
    access_url: str
    enabled: bool
    byok: bool
    proxy: SetupProxy | None
    providers: list[SetupProvider]


class Tokens(Document):
    input_tokens: int
    output_tokens: int
    cache_read_input_tokens: int
    cache_write_input_tokens: int
