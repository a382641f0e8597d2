"""The documents of the API, as far as the command line reads them. Members that are missing have harmless values."""

from collections.abc import Iterable
from typing import Any, TypeVar

import msgspec

from coderai.errors import CoderaiError


class Document(msgspec.Struct, frozen=True):
    """Members that we do not know are passed over."""


class Person(Document, frozen=True):
    id: str = ""
    username: str = ""


def who(initiator: Person, others: Iterable[Person]) -> str:
    """Return the initiator's name, and for whom it acted."""
    names = ", ".join(other.username or other.id for other in others)
    return f"{initiator.username} for {names}" if names else initiator.username


class Tokens(Document, frozen=True):
    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_input_tokens: int = 0
    cache_write_input_tokens: int = 0


class Session(Document, frozen=True):
    id: str
    initiator: Person = Person()
    on_behalf_of: list[Person] = []
    providers: list[str] = []
    models: list[str] = []
    client: str | None = None
    started_at: str = ""
    ended_at: str | None = None
    last_active_at: str | None = None
    threads: int = 0
    interceptions: int = 0
    running: int = 0
    token_usage_summary: Tokens = Tokens()
    last_prompt: str | None = None


class SessionPage(Document, frozen=True):
    count: int = 0
    count_capped: bool = False
    sessions: list[Session] = []
    next_cursor: str | None = None


class Thought(Document, frozen=True):
    text: str = ""
    source: str = ""


class ToolCall(Document, frozen=True):
    tool: str = ""
    input: str = ""


class Failure(Document, frozen=True):
    type: str | None = None
    message: str | None = None


class Step(Document, frozen=True):
    interception_id: str = ""
    model: str = ""
    provider_name: str = ""
    started_at: str = ""
    ended_at: str | None = None
    prompt: str | None = None
    token_usage: Tokens = Tokens()
    thinking: list[Thought] = []
    tool_calls: list[ToolCall] = []
    ending: str | None = None
    error: Failure | str | None = None
    metadata: dict[str, Any] = {}


class Thread(Document, frozen=True):
    id: str
    prompt: str | None = None
    model: str = ""
    provider: str = ""
    credential_kind: str = ""
    credential_hint: str = ""
    started_at: str = ""
    ended_at: str | None = None
    token_usage: Tokens = Tokens()
    agentic_actions: list[Step] = []
    steps: list[Step] | None = None
    error_type: str | None = None
    error_message: str | None = None


class SessionDetail(Document, frozen=True):
    id: str
    initiator: Person = Person()
    on_behalf_of: list[Person] = []
    providers: list[str] = []
    models: list[str] = []
    client: str | None = None
    started_at: str = ""
    ended_at: str | None = None
    token_usage_summary: Tokens = Tokens()
    threads: list[Thread] = []


class UsageRow(Tokens, frozen=True):
    provider_response_id: str = ""


class PromptRow(Document, frozen=True):
    prompt: str = ""


class ThoughtRow(Document, frozen=True):
    content: str = ""
    text: str = ""


class Interception(Document, frozen=True):
    id: str
    initiator: Person = Person()
    on_behalf_of: Person | None = None
    provider: str = ""
    provider_name: str = ""
    model: str = ""
    client: str | None = None
    started_at: str = ""
    ended_at: str | None = None
    token_usages: list[UsageRow] = []
    user_prompts: list[PromptRow] = []
    tool_usages: list[ToolCall] = []
    model_thoughts: list[ThoughtRow] = []
    session_id: str = ""
    thread_parent_id: str | None = None
    thread_root_id: str | None = None
    credential_kind: str = ""
    credential_hint: str = ""
    api: str = ""
    user_agent: str = ""
    stream: bool | None = None
    metadata: dict[str, Any] = {}
    ending: str | None = None
    http_status: int | None = None
    error_type: str | None = None
    error_message: str | None = None

    @property
    def tokens(self) -> Tokens:
        """The sum over all answers."""
        rows = self.token_usages
        return Tokens(
            input_tokens=sum(row.input_tokens for row in rows),
            output_tokens=sum(row.output_tokens for row in rows),
            cache_read_input_tokens=sum(row.cache_read_input_tokens for row in rows),
            cache_write_input_tokens=sum(row.cache_write_input_tokens for row in rows),
        )


class InterceptionPage(Document, frozen=True):
    count: int = 0
    count_capped: bool = False
    results: list[Interception] = []


class DoorProvider(Document, frozen=True):
    name: str = ""
    family: str = ""
    state: str = ""
    central_key: bool = False


class DoorProxy(Document, frozen=True):
    host: str = ""
    """Empty: where the gateway is."""
    port: int = 0
    tls: bool = False


class Door(Document, frozen=True):
    """What somebody who points a tool at the gateway has to know."""

    access_url: str = ""
    enabled: bool = False
    byok: bool = False
    proxy: DoorProxy | None = None
    providers: list[DoorProvider] = []


class RawResults(Document, frozen=True):
    results: msgspec.Raw = msgspec.Raw(b"[]")


class User(Document, frozen=True):
    id: str
    username: str = ""
    email: str = ""
    status: str = ""
    created_at: str = ""
    last_seen_at: str | None = None
    name: str = ""
    roles: list[Any] = []
    is_service_account: bool = False

    @property
    def role_names(self) -> list[str]:
        """The site roles."""
        return [str(role.get("name", "")) if isinstance(role, dict) else str(role) for role in self.roles]


class UserPage(Document, frozen=True):
    count: int = 0
    users: list[User] = []


class RawUsers(Document, frozen=True):
    users: msgspec.Raw = msgspec.Raw(b"[]")


class Token(Document, frozen=True):
    id: str
    token_name: str = ""
    scopes: list[str] = []
    username: str = ""
    user_id: str = ""
    last_used: str | None = None
    expires_at: str | None = None
    created_at: str | None = None
    delegate: bool = False


class Change(Document, frozen=True):
    """One member in an entry of the audit log."""

    old: Any = None
    new: Any = None
    secret: bool = False


class AuditEntry(Document, frozen=True):
    id: str
    time: str = ""
    action: str = ""
    resource_type: str = ""
    resource_target: str = ""
    description: str = ""
    ip: str = ""
    user: Person | None = None
    diff: dict[str, Change] = {}


class AuditPage(Document, frozen=True):
    count: int = 0
    audit_logs: list[AuditEntry] = []


class RawAudit(Document, frozen=True):
    audit_logs: msgspec.Raw = msgspec.Raw(b"[]")


class SessionToken(Document, frozen=True):
    session_token: str


class Switch(Document, frozen=True):
    enabled: bool = False


class AuthMethods(Document, frozen=True):
    password: Switch


class NewKey(Document, frozen=True):
    key: str


class Build(Document, frozen=True):
    version: str = ""


class Validation(Document, frozen=True):
    field: str = ""
    detail: str = ""


class ErrorBody(Document, frozen=True):
    message: str = ""
    detail: str = ""
    validations: list[Validation] = []


T = TypeVar("T")


def read(body: bytes, shape: type[T]) -> T:
    """Read an answer of the API. Raises CoderaiError when it is something else."""
    try:
        return msgspec.json.decode(body, type=shape)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise CoderaiError(f"the server's answer cannot be read: {error}; is this a coderai server?") from error


class ProviderKey(Document, frozen=True):
    id: str = ""
    created_at: str = ""


class Provider(Document, frozen=True):
    id: str
    type: str = ""
    name: str = ""
    display_name: str = ""
    base_url: str = ""
    api_keys: list[ProviderKey] = []
    settings: dict[str, Any] | None = None
    status: str = ""
    status_reason: str = ""
    source: str = ""


class Tested(Document, frozen=True):
    """What a test call to a provider said."""

    ok: bool
    message: str = ""
    ms: int = 0
