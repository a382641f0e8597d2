"""What is known about one exchange: frozen values that cross the borders between wire, gateway, recorder and store.

One *interception* is one intercepted HTTP request with everything recorded about it. Readers of traffic produce facts
(no ids, no clock); the recorder stamps and queues them; the store and the log keep them.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum


class Api(StrEnum):
    """The wire APIs that are recorded."""

    MESSAGES = "messages"
    CHAT = "chat"
    RESPONSES = "responses"


class Ending(StrEnum):
    """How an exchange ended. Only ``COMPLETE`` is a success."""

    COMPLETE = "complete"
    """The provider's own end was seen: a whole body, or the terminal event."""
    INCOMPLETE = "incomplete"
    """The provider ended it properly but early (``response.incomplete``)."""
    UPSTREAM_ERROR = "upstream_error"
    """An error status, or an error event inside the stream."""
    BROKEN_OFF = "broken_off"
    """The provider's connection ended before its end marker."""
    UNREACHABLE = "unreachable"
    """No HTTP answer at all."""
    TIMEOUT = "timeout"
    """The provider was silent for longer than allowed."""
    CLIENT_LEFT = "client_left"
    """The client went away before the end."""
    CANCELLED = "cancelled"
    """The server was told to stop and the grace period passed."""
    REFUSED = "refused"
    """We answered ourselves after the start was recorded; nothing went upstream."""
    INTERRUPTED = "interrupted"
    """The process that served it died; closed by another one."""


class ErrorType(StrEnum):
    """Classes of failure, compatible with the original's vocabulary (interception.md 16)."""

    BAD_REQUEST = "bad_request"
    UNAUTHORIZED = "unauthorized"
    RATE_LIMITED = "rate_limited"
    OVERLOADED = "overloaded"
    SERVER_ERROR = "server_error"
    TIMEOUT = "timeout"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Ask:
    """What one request asks for, as far as we look."""

    model: str = ""
    """As the client wrote it; empty when there is none or it is no string."""
    stream: bool = False
    prompt: str | None = None
    """The last human text; None for a step of an agent loop."""
    tool_result_id: str | None = None
    """Id of the tool call whose result this request brings (the last one)."""
    session_hint: str | None = None
    """Raw text in the body that may name a session: ``metadata.user_id`` (Messages) or ``client_metadata.session_id``
    (Responses). ``clients.py`` judges it."""
    turn_hint: str | None = None
    """Responses only: raw text in the body about the turn, ``client_metadata.x-codex-turn-metadata``. On a WebSocket
    the header of that name is about the connection; ``clients.py`` judges both."""
    background: bool = False
    """Responses only: the client wants to poll for the answer."""
    usage_wanted: bool = True
    """Chat streams only: the client itself asked for the usage chunk."""
    trouble: str | None = None
    """A malformed member that we could not read; the request goes upstream all the same."""


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one provider response: final numbers in four buckets that do not overlap."""

    response_id: str = ""
    input: int = 0
    """Billed in full; cached ones are not part of it."""
    output: int = 0
    cache_read: int = 0
    cache_write: int = 0
    extra: Mapping[str, int] = field(default_factory=dict)
    """Further counts of the provider by name, for example ``output_reasoning``; never a repetition of the buckets."""


@dataclass(frozen=True, slots=True)
class ToolCall:
    """One tool that the model asked for."""

    tool: str
    call_id: str = ""
    """The provider's id that the result will name; empty for some hosted tools."""
    input: str = ""
    """JSON text of the arguments as received, or raw text where the tool takes text or the JSON is broken."""
    response_id: str = ""
    item_id: str = ""
    """Responses only: the id of the output item."""
    kind: str = "tool_use"
    """The wire's word: ``tool_use``, ``server_tool_use``, ``function_call``, ``custom_tool_call`` ..."""


@dataclass(frozen=True, slots=True)
class Thought:
    """One piece of readable reasoning."""

    text: str
    source: str = "thinking"
    """``thinking``, ``reasoning_summary`` or ``commentary``."""


Fact = Usage | ToolCall | Thought


@dataclass(frozen=True, slots=True)
class Answer:
    """What a reader learned from one provider answer, also from half of one."""

    response_id: str = ""
    facts: tuple[Fact, ...] = ()
    """In the order of the answer."""
    ending: Ending = Ending.BROKEN_OFF
    """COMPLETE, INCOMPLETE or UPSTREAM_ERROR when the provider said so; BROKEN_OFF when it never came to an end."""
    error_type: ErrorType | None = None
    error_message: str = ""
    """The provider's words, at most 1024 bytes."""
    trouble: str | None = None
    """What we could not read."""


@dataclass(frozen=True, slots=True)
class Interception:
    """The start of an exchange. ``id`` is a UUIDv7 (``ids.new_id``)."""

    id: str
    started_at: datetime
    """Aware, UTC."""
    initiator_id: str
    initiator_name: str
    api_key_id: str
    """Id part of the gateway token."""
    provider: str
    """Family: ``openai``, ``anthropic``, ``copilot``."""
    provider_name: str
    """Instance, the route segment."""
    model: str
    api: Api
    stream: bool
    client: str
    """Label from ``clients.py``, ``Unknown`` when none fits."""
    user_agent: str = ""
    client_session_id: str | None = None
    tool_result_id: str | None = None
    """Correlating tool call id: links this exchange to the one that asked for the tool."""
    credential_kind: str = "centralized"
    """``centralized`` or ``byok``."""
    credential_hint: str = ""
    """Masked, at most 15 characters."""
    metadata: Mapping[str, str] = field(default_factory=dict)
    on_behalf_of: str | None = None
    prompt: str | None = None


@dataclass(frozen=True, slots=True)
class End:
    """How an exchange ended, and what was learned until then."""

    answer: Answer
    ending: Ending
    http_status: int | None = None
    """The status that the client got; None when it got none."""
    error_type: ErrorType | None = None
    error_message: str = ""
    first_byte_at: datetime | None = None
    """When the first byte of the answer came from the provider."""
    credential_hint: str | None = None
    """The central key that was used in the end; None leaves what the start said."""


@dataclass(frozen=True, slots=True)
class Link:
    """Where an interception hangs in its thread; both None for a root."""

    parent_id: str | None = None
    root_id: str | None = None


@dataclass(frozen=True, slots=True)
class Stamped:
    """A fact with the key and the time of its row."""

    id: str
    created_at: datetime
    fact: Fact


@dataclass(frozen=True, slots=True)
class Begun:
    """What the recorder hands to its sinks for a start. ``prompt_id`` is empty when there is no prompt."""

    interception: Interception
    prompt_id: str = ""


@dataclass(frozen=True, slots=True)
class Ended:
    """What the recorder hands to its sinks for an end."""

    interception: Interception
    end: End
    ended_at: datetime
    facts: tuple[Stamped, ...] = ()
    served: bool = True
    """False when the caller had given up before the start was stored."""
