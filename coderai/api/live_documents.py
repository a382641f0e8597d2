"""The answers about what happens now as types."""

from typing import Literal, NotRequired

from coderai.api.documents import Document, Moment, Person


class KeyState(Document):
    """`limited`: asked too often or out of money; `refused`: the provider does not take it. By the process asked."""

    number: int
    state: Literal["ok", "limited", "refused"]
    until: Moment | None


class Circuit(Document):
    route: str
    model: str
    state: Literal["open", "half-open"]


class FirstByte(Document):
    p50: int
    p95: int


class LastError(Document):
    at: Moment
    ending: str
    http_status: int | None
    type: str
    message: str
    model: str
    interception_id: str


class ProviderHealth(Document):
    name: str
    type: str
    state: Literal["enabled", "disabled", "error"]
    reason: str
    requests: int
    errors: int
    first_byte_ms: FirstByte | None
    last_error: LastError | None
    keys: list[KeyState]
    circuits: list[Circuit]


class ProvidersHealth(Document):
    """`capped`: of the hour only the latest exchanges were looked at."""

    window_seconds: int
    capped: bool
    providers: list[ProviderHealth]


class LiveExchange(Document):
    """`bytes` and how far it is are known of exchanges of the process that answers only; others are `elsewhere`."""

    id: str
    session_id: str
    initiator: Person
    on_behalf_of: NotRequired[Person | None]
    provider: str
    provider_name: str
    model: str
    client: str
    api: str
    stream: bool
    started_at: Moment
    state: Literal["waiting", "answering", "client_left", "ending", "elsewhere"]
    bytes: int | None


class Live(Document):
    """At most 200 are shown, and 1000 counted."""

    count: int
    count_capped: bool
    running: list[LiveExchange]
