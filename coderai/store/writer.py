"""What the rows of a record are: the part of the writers that does not depend on the database.

``writer_sqlite`` and ``writer_postgres`` execute it. Both keep to one order (interceptions, children, sessions, facets;
by key within each), so that writers never wait for each other in a circle, and both add to the roll-up only what they
really changed, so that a repeated batch changes nothing.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Protocol

from coderai.records import Answer, Begun, Ended, Ending, Link, Stamped, Thought, ToolCall, Usage
from coderai.store.record_rows import AsMoment, Row, client_label, facet_key, json_text, whole
from coderai.store.rollup import SessionKey

Item = Begun | Ended

NO_LINKS: Mapping[str, Link] = {}


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
        client=client_label(it),
        metadata=json_text(it.metadata),
        ended_at=ended.ended_at,
        prompt_at=None if it.prompt is None else it.started_at,
        prompt_of=None if it.prompt is None else it.id,
        sums=sums,
    )


def session_row(delta: SessionDelta, moment: AsMoment) -> Row:
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


def facet_row(delta: FacetDelta, moment: AsMoment) -> Row:
    """In the order of ``FACET_COLUMNS``."""
    return *delta.key, moment(delta.first_at), moment(delta.last_at), delta.n


def may_be_replaced(ended_at: Any, ending: str | None, new: Ending) -> bool:
    """Whether an end is still missing, or only assumed by another process."""
    return ended_at is None or (ending == Ending.INTERRUPTED.value and new is not Ending.INTERRUPTED)


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
