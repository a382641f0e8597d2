"""What the rows of a record are: the part of the writers that does not depend on the database.

``writer_sqlite`` and ``writer_postgres`` execute it. Both keep to one order (interceptions, children, sessions, facets;
by key within each), so that writers never wait for each other in a circle, and both add to the roll-up only what they
really changed, so that a repeated batch changes nothing.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Protocol

import msgspec

from coderai.records import Answer, Begun, Ended, Ending, Interception, Link, Stamped, Thought, ToolCall, Usage
from coderai.store.rollup import SessionKey

Item = Begun | Ended
Row = tuple[Any, ...]

NO_LINKS: Mapping[str, Link] = {}

# PostgreSQL takes 2,700 bytes in an entry of an index, and the facets index several of these together.
_MODEL_BYTES = 512
_KEY_BYTES = 512
_CLIENT = 64
_SESSION_ID = 256
_HINT = 15
_ERROR_BYTES = 1024
_MOST = 2**53 - 1
"""The greatest count kept: exact for every JSON reader, and a session can add up a thousand of them."""


class RecordStore(Protocol):
    """Where records become durable. One caller at a time."""

    process_id: str
    indigestible: int
    """Rows that had to be reduced before the database took them."""

    async def commit(self, batch: Sequence[Item], known: Mapping[str, Link] = NO_LINKS) -> list[Link]:
        """Return when all of *batch* is durable, with the link of each item's interception.

        *known* has links that the caller found among running calls, by interception id; they win over the table.
        Repeating a batch changes nothing. Raises StoreUnavailable when it should be repeated, StoreError when an item
        can never be stored; the state of the batch is then unknown.
        """
        ...


@dataclass(slots=True)
class SessionDelta:
    """What a batch adds to one session."""

    key: SessionKey
    started_at: datetime
    first_id: str
    client: str
    metadata: str
    ended_at: datetime
    prompt_at: datetime | None
    prompt_of: str | None
    sums: list[int]
    """interceptions, threads, input, output, cache read, cache write."""

    def add(self, other: "SessionDelta") -> None:
        """Take in another delta of the same session."""
        if (other.started_at, other.first_id) < (self.started_at, self.first_id):
            self.started_at, self.first_id = other.started_at, other.first_id
            self.client, self.metadata = other.client, other.metadata
        self.ended_at = max(self.ended_at, other.ended_at)
        if other.prompt_at and (
            self.prompt_at is None or (other.prompt_at, other.prompt_of or "") > (self.prompt_at, self.prompt_of or "")
        ):
            self.prompt_at, self.prompt_of = other.prompt_at, other.prompt_of
        self.sums = [mine + its for mine, its in zip(self.sums, other.sums, strict=True)]


@dataclass(slots=True)
class FacetDelta:
    """What a batch adds to one facet row."""

    key: tuple[str, ...]
    first_at: datetime
    last_at: datetime
    n: int = 1


class RollUp:
    """The deltas of one batch, one per session and one per facet."""

    def __init__(self) -> None:
        self._sessions: dict[SessionKey, SessionDelta] = {}
        self._facets: dict[tuple[str, ...], FacetDelta] = {}

    def add(self, ended: Ended, session_id: str, *, new_thread: bool) -> None:
        """Count an interception that was just ended."""
        delta = session_delta(ended, session_id, new_thread=new_thread)
        if (present := self._sessions.get(delta.key)) is None:
            self._sessions[delta.key] = delta
        else:
            present.add(delta)
        key, at = facet_key(ended.interception, session_id), ended.interception.started_at
        if (facet := self._facets.get(key)) is None:
            self._facets[key] = FacetDelta(key, at, at)
        else:
            facet.first_at, facet.last_at = min(facet.first_at, at), max(facet.last_at, at)
            facet.n += 1

    def sessions(self) -> list[SessionDelta]:
        """In key order."""
        return [self._sessions[key] for key in sorted(self._sessions)]

    def facets(self) -> list[FacetDelta]:
        """In key order."""
        return [self._facets[key] for key in sorted(self._facets)]


def session_delta(ended: Ended, session_id: str, *, new_thread: bool) -> SessionDelta:
    """Return what one ended interception adds to its session."""
    it = ended.interception
    sums = [1, int(new_thread), 0, 0, 0, 0]
    for stamped in ended.facts:
        if isinstance(usage := stamped.fact, Usage):
            for place, count in enumerate((usage.input, usage.output, usage.cache_read, usage.cache_write), start=2):
                sums[place] += whole(count)
    return SessionDelta(
        key=(session_id, it.initiator_id),
        started_at=it.started_at,
        first_id=it.id,
        client=clean(it.client)[:_CLIENT],
        metadata=json_text(it.metadata),
        ended_at=ended.ended_at,
        prompt_at=None if it.prompt is None else it.started_at,
        prompt_of=None if it.prompt is None else it.id,
        sums=sums,
    )


def facet_key(it: Interception, session_id: str) -> tuple[str, ...]:
    """Return the key of the facet row that counts *it*."""
    return (
        session_id,
        it.initiator_id,
        it.provider,
        it.provider_name,
        cut(it.model, _MODEL_BYTES),
        clean(it.client)[:_CLIENT],
        cut(it.on_behalf_of or "", _KEY_BYTES),
    )


def session_of(it: Interception, link: Link) -> str:
    """Return the id of the session: what the client said, else the thread's root, else itself."""
    return client_session(it) or link.root_id or it.id


def client_session(it: Interception) -> str | None:
    """Return the client's session id as stored."""
    return clean(it.client_session_id)[:_SESSION_ID] if it.client_session_id else None


def call_key(call_id: str) -> str:
    """Return a tool call id as stored and looked up."""
    return cut(call_id, _KEY_BYTES)


def linked(parent_id: str, parent_root: str | None) -> Link:
    """Return the link of a follower of *parent_id*."""
    return Link(parent_id, parent_root or parent_id)


def interception_row(it: Interception, link: Link, process_id: str, moment: Any, flag: Any) -> Row:
    """In the order of ``INTERCEPTION_COLUMNS``; *moment* and *flag* make values of the database's types."""
    return (
        it.id,
        it.initiator_id,
        it.api_key_id,
        it.provider,
        it.provider_name,
        cut(it.model, _MODEL_BYTES),
        clean(it.client)[:_CLIENT],
        client_session(it),
        link.parent_id,
        link.root_id,
        session_of(it, link),
        json_text(it.metadata),
        it.credential_kind,
        clean(it.credential_hint)[:_HINT],
        moment(it.started_at),
        it.api.value,
        clean(it.user_agent),
        flag(it.stream),
        process_id,
        cut(it.on_behalf_of, _KEY_BYTES) if it.on_behalf_of else None,
    )


INTERCEPTION_COLUMNS = (
    "id",
    "initiator_id",
    "api_key_id",
    "provider",
    "provider_name",
    "model",
    "client",
    "client_session_id",
    "thread_parent_id",
    "thread_root_id",
    "session_id",
    "metadata",
    "credential_kind",
    "credential_hint",
    "started_at",
    "api",
    "user_agent",
    "stream",
    "process_id",
    "on_behalf_of",
)
PROMPT_COLUMNS = ("interception_id", "id", "prompt", "metadata", "created_at")
END_COLUMNS = (
    "ended_at",
    "ending",
    "http_status",
    "error_type",
    "error_message",
    "first_byte_at",
    "credential_hint",
    "id",
)
USAGE_COLUMNS = (
    "interception_id",
    "id",
    "provider_response_id",
    "input_tokens",
    "output_tokens",
    "cache_read_input_tokens",
    "cache_write_input_tokens",
    "metadata",
    "created_at",
)
TOOL_COLUMNS = (
    "interception_id",
    "id",
    "provider_response_id",
    "provider_tool_call_id",
    "provider_item_id",
    "tool",
    "kind",
    "input",
    "metadata",
    "created_at",
    "initiator_id",
)
THOUGHT_COLUMNS = ("interception_id", "id", "content", "metadata", "created_at")
SESSION_COLUMNS = (
    "id",
    "initiator_id",
    "started_at",
    "first_id",
    "client",
    "metadata",
    "ended_at",
    "last_active_at",
    "last_prompt_at",
    "last_prompt_interception_id",
    "interceptions",
    "threads",
    "input_tokens",
    "output_tokens",
    "cache_read_input_tokens",
    "cache_write_input_tokens",
)
FACET_COLUMNS = (
    "session_id",
    "initiator_id",
    "provider",
    "provider_name",
    "model",
    "client",
    "on_behalf_of",
    "first_at",
    "last_at",
    "n",
)


def prompt_row(begun_or_ended: Interception, prompt_id: str, moment: Any) -> Row:
    """In the order of ``PROMPT_COLUMNS``."""
    it = begun_or_ended
    return it.id, prompt_id, clean(it.prompt or ""), "{}", moment(it.started_at)


def end_row(ended: Ended, moment: Any) -> Row:
    """In the order of ``END_COLUMNS``."""
    end = ended.end
    hint = end.credential_hint
    return (
        moment(ended.ended_at),
        end.ending.value,
        end.http_status,
        end.error_type.value if end.error_type else None,
        cut(end.error_message, _ERROR_BYTES) or None,
        moment(end.first_byte_at) if end.first_byte_at else None,
        clean(hint)[:_HINT] if hint is not None else None,
        ended.interception.id,
    )


def usage_row(it: Interception, stamped: Stamped, usage: Usage, moment: Any) -> Row:
    """In the order of ``USAGE_COLUMNS``."""
    return (
        it.id,
        stamped.id,
        clean(usage.response_id),
        whole(usage.input),
        whole(usage.output),
        whole(usage.cache_read),
        whole(usage.cache_write),
        json_text({name: whole(count) for name, count in usage.extra.items()}) if usage.extra else "{}",
        moment(stamped.created_at),
    )


def tool_row(it: Interception, stamped: Stamped, call: ToolCall, moment: Any) -> Row:
    """In the order of ``TOOL_COLUMNS``."""
    return (
        it.id,
        stamped.id,
        clean(call.response_id),
        call_key(call.call_id) or None,
        clean(call.item_id),
        clean(call.tool),
        clean(call.kind),
        clean(call.input),
        "{}",
        moment(stamped.created_at),
        it.initiator_id,
    )


def thought_row(it: Interception, stamped: Stamped, thought: Thought, moment: Any) -> Row:
    """In the order of ``THOUGHT_COLUMNS``."""
    source = "{}" if not thought.source else json_text({"source": thought.source})
    return it.id, stamped.id, clean(thought.text), source, moment(stamped.created_at)


def session_row(delta: SessionDelta, moment: Any) -> Row:
    """In the order of ``SESSION_COLUMNS``."""
    prompt_at = moment(delta.prompt_at) if delta.prompt_at else None
    started_at = moment(delta.started_at)
    return (
        *delta.key,
        started_at,
        delta.first_id,
        delta.client,
        delta.metadata,
        moment(delta.ended_at),
        prompt_at or started_at,
        prompt_at,
        delta.prompt_of,
        *delta.sums,
    )


def facet_row(delta: FacetDelta, moment: Any) -> Row:
    """In the order of ``FACET_COLUMNS``."""
    return *delta.key, moment(delta.first_at), moment(delta.last_at), delta.n


def may_be_replaced(ended_at: Any, ending: str | None, new: Ending) -> bool:
    """Whether an end is still missing, or only assumed by another process."""
    return ended_at is None or (ending == Ending.INTERRUPTED.value and new is not Ending.INTERRUPTED)


def clean(value: str) -> str:
    """Replace what no database takes: U+0000 and lone surrogates."""
    if "\0" in value:
        value = value.replace("\0", "\N{REPLACEMENT CHARACTER}")
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError:
            value = value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return value


def cut(value: str, limit: int) -> str:
    """Return *value*, cleaned, in at most *limit* bytes of UTF-8."""
    value = clean(value)
    if len(value) * 4 <= limit or len(encoded := value.encode()) <= limit:
        return value
    return encoded[:limit].decode(errors="ignore")


def whole(count: int) -> int:
    """Return *count* as a number that fits and adds up."""
    return min(max(int(count), 0), _MOST)


def json_text(value: Mapping[str, Any]) -> str:
    """Return compact JSON, with text as it is."""
    if not value:
        return "{}"
    try:
        return msgspec.json.encode(value).decode()
    except (UnicodeError, OverflowError):  # lone surrogates: the standard library takes them
        return clean(json.dumps(value, ensure_ascii=False, separators=(",", ":")))


def reduced(item: Item) -> Iterator[Item]:
    """Yield ever poorer forms of *item*, for a database that does not take it as it is."""
    it = item.interception
    plain = replace(
        it,
        metadata={},
        user_agent="",
        client=_plain(it.client),
        model=_plain(it.model),
        prompt=None if it.prompt is None else _plain(it.prompt),
        client_session_id=_plain(it.client_session_id or "") or None,
        tool_result_id=None,
        credential_hint="",
        on_behalf_of=None,
    )
    if isinstance(item, Begun):
        yield replace(item, interception=plain)
        return
    end = replace(
        item.end,
        error_message=_plain(item.end.error_message),
        http_status=None,
        answer=Answer(_plain(item.end.answer.response_id)),
    )
    facts = tuple(_plain_fact(stamped) for stamped in item.facts)
    yield replace(item, end=end, facts=facts)
    yield replace(item, interception=plain, end=end, facts=facts)
    yield replace(item, interception=plain, end=end, facts=())


def _plain_fact(stamped: Stamped) -> Stamped:
    match stamped.fact:
        case Usage() as usage:
            return replace(stamped, fact=replace(usage, response_id="", extra={}))
        case ToolCall() as call:
            texts = (_plain(call.tool), _plain(call.call_id), _plain(call.input))
            return replace(stamped, fact=ToolCall(*texts))
        case Thought() as thought:
            return replace(stamped, fact=Thought(_plain(thought.text), ""))


def _plain(value: str) -> str:
    return value[:4096].encode("ascii", "replace").decode().replace("\0", "?")
