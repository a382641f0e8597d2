"""Looking records up: who may see which, and what the names in a search stand for."""

import base64
import binascii
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Literal

from sqlalchemy.ext.asyncio import AsyncConnection

from coderai.access.callers import Caller
from coderai.access.roles import Right, in_scope, may, require
from coderai.control.readings import Readings
from coderai.control.users import as_uuid
from coderai.errors import Invalid, NotFound
from coderai.query import Filter
from coderai.records import Ending
from coderai.store.engine import Store
from coderai.store.interceptions import Interceptions, Record, RecordPage
from coderai.store.labels import Label, Labels, counted_labels, distinct_labels
from coderai.store.matching import Count, RecordFilter
from coderai.store.providers import Providers
from coderai.store.running import Running, running_counts, running_exchanges, running_sessions
from coderai.store.sessions import Place, Session, SessionPage, Sessions
from coderai.store.threads import Found, Thread, ThreadPage, Threads
from coderai.store.usage import Dimension, Interval, Used, sessions_begun, tools_used, used
from coderai.store.users import Person, Users

_NOTHING = Count(0, capped=False)
_SUMMING_SECONDS = 60.0
"""A summary goes through all rows of its time."""


@dataclass(frozen=True, slots=True)
class Paging:
    """Which part of a list is wanted."""

    limit: int
    offset: int = 0
    after_id: str = ""
    """Id of the last row before; of a session or an interception."""
    before_id: str = ""
    """Threads only."""
    cursor: str = ""
    """``next_cursor`` of the page before; sessions only."""
    running: bool = False
    """Also what is in flight."""
    thread: str = ""
    """Id of an interception: only its thread is wanted."""
    search: str = ""
    """Only threads that hold this text."""


State = Literal["running", "idle", "ended", "interrupted"]
_IDLE: Final = timedelta(minutes=30)
"""A session in which nothing happens for longer is over, as far as anybody can tell."""


@dataclass(frozen=True, slots=True)
class SessionList:
    """A page of sessions."""

    sessions: Sequence[Session]
    count: Count
    next_cursor: str = ""


@dataclass(frozen=True, slots=True)
class SessionDetail:
    """One session with a page of its threads."""

    session: Session
    threads: Sequence[Thread]
    token_metadata: Sequence[Mapping[str, Any]] = field(default=())
    """Of every response of the session."""
    tool_calls: int = 0
    """Of the whole session."""
    state: State = "ended"
    """``running`` is seen only where running interceptions are asked for; ``interrupted``: the last one did not end
    well."""
    found: Found | None = None
    """What the search has found in the whole session; None when nothing was searched for."""


@dataclass(frozen=True, slots=True)
class UsageList:
    """Groups of a summary, with the people that they are about."""

    groups: Sequence[Used]
    people: Mapping[str, Person]


@dataclass(frozen=True, slots=True)
class Series:
    """What was used, in stretches of time."""

    groups: Sequence[Used]
    """By stretch and user."""
    sessions: Mapping[str, int]
    """That began, by stretch."""


class Lookup:
    """Answers every question about records. Raises Forbidden only for a token of too little scope."""

    def __init__(self, store: Store, *, members_read_own: bool = True) -> None:
        self._store = store
        self._members_read_own = members_read_own
        self._readings = Readings(store)

    async def sessions(self, caller: Caller, asked: Filter, page: Paging) -> SessionList:
        """Return a page of the sessions that match, latest activity first. Raises Invalid."""
        if not self._sees_any(caller):
            return SessionList((), _NOTHING)
        async with self._store.reading() as db:
            wanted = await self._resolved(db, caller, asked)
            after = await self._session_place(db, wanted, page)
            if page.running:
                found, count = await _with_running(db, wanted, page, after)
            else:
                found, count = await Sessions(db).list(wanted, SessionPage(page.limit, page.offset, after))
        more = len(found) == page.limit
        return SessionList(found, count, _cursor(found[-1].place) if more else "")

    async def session(self, caller: Caller, session_id: str, initiator: str, page: Paging) -> SessionDetail:
        """Return the session with that id, or the one that the interception with that id belongs to.

        When several users have one of that id: the initiator's, else the caller's own, else the latest. Who opens a
        session of somebody else is noted. Raises NotFound, and Invalid for a page that does not exist.
        """
        if not self._sees_any(caller):
            raise NotFound("session", session_id)
        async with self._store.reading() as db:
            initiator_id = await self._initiator(db, caller, initiator) if initiator else ""
            session = await self._session(db, caller, session_id, initiator_id, running=page.running)
            detail = await self._detail(db, caller, session, page)
        if caller.user_id != session.initiator.id and [each.id for each in session.on_behalf_of] != [caller.user_id]:
            await self._readings.session(caller, session.id, session.initiator)
        return detail

    async def _detail(self, db: AsyncConnection, caller: Caller, session: Session, page: Paging) -> SessionDetail:
        visible_to = self._visible_to(caller)
        others = visible_to if visible_to != session.initiator.id else None
        threads = Threads(db, session.id, session.initiator.id, running=page.running)
        wanted, found = await _thread_page(threads, page, others)
        shown = await threads.list(wanted)
        if others is not None:
            shown = [thread for thread in shown if all(_for(record, others) for record in thread.records)]
        state = _state(session, await threads.last_ending(), self._store.clock())
        if len(shown) < page.limit and wanted.whole:  # the page is all there is
            records = [record for thread in shown for record in thread.records]
            usages = [usage.metadata for record in records for usage in record.usages]
            return SessionDetail(session, shown, usages, sum(len(record.tools) for record in records), state, found)
        return SessionDetail(session, shown, await threads.token_metadata(), await threads.tool_calls(), state, found)

    async def interceptions(self, caller: Caller, asked: Filter, page: Paging) -> tuple[Sequence[Record], Count]:
        """Return a page of the interceptions that match, latest start first, and their count. Raises Invalid.

        That somebody opens those of others is noted.
        """
        if not self._sees_any(caller):
            return (), _NOTHING
        async with self._store.reading() as db:
            wanted = await self._resolved(db, caller, asked)
            after = None
            if page.after_id:
                try:
                    after = await Interceptions(db).place(page.after_id, wanted.visible_to)
                except NotFound:
                    raise _no_such("after_id", "interception") from None
            records = RecordPage(page.limit, page.offset, after)
            found, count = await Interceptions(db).list(wanted, records, running=page.running)
        if any(_of_others(record, caller) for record in found):
            await self._readings.list(caller)
        return found, count

    async def interception(self, caller: Caller, interception_id: str) -> Record:
        """Return one with everything about it, running or ended; noted like its session. Raises NotFound."""
        if not self._sees_any(caller):
            raise NotFound("interception", interception_id)
        async with self._store.reading() as db:
            record = await Interceptions(db).get(interception_id, self._visible_to(caller))
        if _of_others(record, caller):
            await self._readings.session(caller, record.session_id, record.initiator)
        return record

    async def labels(self, caller: Caller, label: Label, prefix: str, page: Paging) -> Sequence[str]:
        """Return a page of the models or clients that the caller's visible records name, sorted."""
        if not self._sees_any(caller):
            return ()
        visible_to = self._visible_to(caller)
        async with self._store.reading() as db:
            return await distinct_labels(
                db, label, prefix=prefix, visible_to=visible_to, limit=page.limit, offset=page.offset
            )

    async def counted_labels(self, caller: Caller, limit: int) -> Labels:
        """Return what the caller's visible sessions can be narrowed to, with how many there are of each."""
        if not self._sees_any(caller):
            return Labels()
        async with self._store.reading() as db:
            return await counted_labels(db, visible_to=self._visible_to(caller), limit=limit)

    async def usage(self, caller: Caller, by: Sequence[Dimension], asked: Filter) -> UsageList:
        """Return what was used in the visible records that match, grouped *by*. Raises Invalid."""
        if not self._sees_any(caller):
            return UsageList((), {})
        async with self._store.reading(limit=_SUMMING_SECONDS) as db:
            groups = await used(db, by, await self._resolved(db, caller, asked))
            ids = {each.group[by.index("user")] for each in groups} if "user" in by else set()
            return UsageList(groups, await Users(db).people(ids))

    async def series(self, caller: Caller, interval: Interval, asked: Filter) -> Series:
        """Return what was used in the visible records that match, hour by hour or day by day. Raises Invalid."""
        if not self._sees_any(caller):
            return Series((), {})
        async with self._store.reading(limit=_SUMMING_SECONDS) as db:
            wanted = await self._resolved(db, caller, asked)
            return Series(await used(db, (interval, "user"), wanted), await sessions_begun(db, interval, wanted))

    async def tools(self, caller: Caller, asked: Filter) -> Sequence[tuple[str, int]]:
        """Return the tools that were called in the visible records that match, most called first. Raises Invalid."""
        if not self._sees_any(caller):
            return ()
        async with self._store.reading(limit=_SUMMING_SECONDS) as db:
            return await tools_used(db, await self._resolved(db, caller, asked))

    async def running(self, caller: Caller, limit: int) -> Running:
        """Return what is in flight on any process and visible to the caller, latest start first."""
        if not self._sees_any(caller):
            return Running((), 0)
        async with self._store.reading() as db:
            return await running_exchanges(db, self._visible_to(caller), limit)

    def _sees_any(self, caller: Caller) -> bool:
        if not in_scope(caller, Right.READ_OWN_RECORDS):
            require(caller, Right.READ_OWN_RECORDS)
        return may(caller, Right.READ_ALL_RECORDS) or (self._members_read_own and bool(caller.user_id))

    def _visible_to(self, caller: Caller) -> str | None:
        return None if may(caller, Right.READ_ALL_RECORDS) else caller.user_id

    async def _resolved(self, db: AsyncConnection, caller: Caller, asked: Filter) -> RecordFilter:
        if asked.provider_name and not await Providers(db).known(asked.provider_name):
            raise Invalid("the search cannot be understood", [("provider_name", "no provider has this name")])
        return RecordFilter(
            initiator_id=await self._initiator(db, caller, asked.initiator) if asked.initiator else "",
            on_behalf_of=await _acted_for(db, caller, asked.on_behalf_of) if asked.on_behalf_of else (),
            provider=asked.provider,
            provider_name=asked.provider_name,
            model=asked.model,
            client=asked.client,
            session_id=asked.session_id,
            started_after=asked.started_after,
            started_before=asked.started_before,
            visible_to=self._visible_to(caller),
        )

    async def _initiator(self, db: AsyncConnection, caller: Caller, name: str) -> str:
        if name == "me":
            return caller.user_id or "me"
        if user_id := as_uuid(name):
            return user_id
        try:
            user = await Users(db).named(name)
        except NotFound:
            user = None
        if user is None or not (user.id == caller.user_id or may(caller, Right.READ_ALL_RECORDS)):
            raise Invalid("the search cannot be understood", [("initiator", "no user that you may see has this name")])
        return user.id

    async def _session_place(self, db: AsyncConnection, wanted: RecordFilter, page: Paging) -> Place | None:
        if page.cursor:
            return _read_cursor(page.cursor)
        if not page.after_id:
            return None
        try:
            session = await Sessions(db).get(
                page.after_id, initiator_id=wanted.initiator_id, prefer="", visible_to=wanted.visible_to
            )
        except NotFound:
            one = RecordFilter(session_id=page.after_id, visible_to=wanted.visible_to)
            alive = (await running_sessions(db, one)).values() if page.running else ()
            if not alive:
                raise _no_such("after_session_id", "session") from None
            session = next(iter(alive))
        return session.place

    async def _session(
        self, db: AsyncConnection, caller: Caller, session_id: str, initiator_id: str, *, running: bool
    ) -> Session:
        visible_to = self._visible_to(caller)
        try:
            session = await Sessions(db).get(
                session_id, initiator_id=initiator_id, prefer=caller.user_id, visible_to=visible_to
            )
        except NotFound:
            session = await self._indirectly(db, caller, session_id, initiator_id, running=running)
        if not running:
            return session
        counts = await running_counts(db, [session.id])
        return replace(session, running=counts.get((session.id, session.initiator.id), 0))

    async def _indirectly(
        self, db: AsyncConnection, caller: Caller, session_id: str, initiator_id: str, *, running: bool
    ) -> Session:
        """By the id of an interception, or a session of which nothing has ended."""
        visible_to = self._visible_to(caller)
        if interception_id := as_uuid(session_id):
            try:
                session_id, initiator_id = await Sessions(db).session_of(interception_id, visible_to)
                return await Sessions(db).get(session_id, initiator_id=initiator_id, prefer="", visible_to=visible_to)
            except NotFound:
                if not running:
                    raise
        wanted = RecordFilter(session_id=session_id, initiator_id=initiator_id, visible_to=visible_to)
        alive = await running_sessions(db, wanted) if running else {}
        if not alive:
            raise NotFound("session", session_id)
        return alive.get((session_id, caller.user_id)) or next(iter(alive.values()))


async def _with_running(
    db: AsyncConnection, wanted: RecordFilter, page: Paging, after: Place | None
) -> tuple[Sequence[Session], Count]:
    """Put sessions that match only by what is in flight where they belong."""
    alive = await running_sessions(db, wanted)
    rolled_up = Sessions(db)
    ended, count = await rolled_up.list(wanted, SessionPage(page.limit + page.offset, 0, after))
    new = alive.keys() - await rolled_up.matching(wanted, alive)
    known = await rolled_up.by_keys(new)
    extra = [known.get(key) or alive[key] for key in new]
    both = [*ended, *(session for session in extra if after is None or session.place < after)]
    both.sort(key=lambda session: session.place, reverse=True)
    shown = both[page.offset : page.offset + page.limit]
    counts = await running_counts(db, [session.id for session in shown])
    shown = [replace(session, running=counts.get((session.id, session.initiator.id), 0)) for session in shown]
    return shown, Count.of(count.value + len(extra) + int(count.capped))


async def _acted_for(db: AsyncConnection, caller: Caller, name: str) -> tuple[str, ...]:
    if name == "me":
        return (caller.user_id or "me",)
    if user_id := as_uuid(name):
        return (user_id,)
    try:
        return (name, (await Users(db).named(name)).id)
    except NotFound:
        return (name,)


def _state(session: Session, last_ending: str | None, now: datetime) -> State:
    if session.running:
        return "running"
    if last_ending not in (None, Ending.COMPLETE, Ending.INCOMPLETE):
        return "interrupted"
    return "idle" if now - (session.ended_at or session.last_active_at) < _IDLE else "ended"


async def _thread_page(threads: Threads, page: Paging, visible_to: str | None) -> tuple[ThreadPage, Found | None]:
    after = await _thread_place(threads, "after_id", page.after_id) if page.after_id else None
    before = await _thread_place(threads, "before_id", page.before_id) if page.before_id else None
    found = await threads.search(page.search, visible_to=visible_to) if page.search else None
    only = None if found is None else tuple(found.steps)
    if page.thread:
        interception_id = as_uuid(page.thread)
        try:
            thread = await threads.thread_of(interception_id or "")
        except NotFound:
            raise _no_such("thread", "thread of this session") from None
        only = (thread,) if only is None or thread in only else ()
    return ThreadPage(page.limit, after, before, only), found


async def _thread_place(threads: Threads, field_name: str, value: str) -> tuple[datetime, str]:
    interception_id = as_uuid(value)
    if interception_id is None:
        raise Invalid("this page does not exist", [(field_name, "must be the id of a thread, a UUID")])
    try:
        return await threads.place(interception_id)
    except NotFound:
        raise _no_such(field_name, "thread of this session") from None


def _no_such(field_name: str, kind: str) -> Invalid:
    return Invalid("this page does not exist", [(field_name, f"there is no such {kind}")])


def _of_others(record: Record, caller: Caller) -> bool:
    return record.initiator.id != caller.user_id and not _for(record, caller.user_id)


def _for(record: Record, user_id: str | None) -> bool:
    return record.on_behalf_of is not None and record.on_behalf_of.id == user_id


def _cursor(place: Place) -> str:
    text = json.dumps([place[0].isoformat(), place[1], place[2]], separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _read_cursor(cursor: str) -> Place:
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        at, session_id, initiator_id = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
        if isinstance(session_id, str) and isinstance(initiator_id, str) and "\0" not in session_id + initiator_id:
            (session_id + initiator_id).encode()
            return datetime.fromisoformat(at).astimezone(UTC), session_id, initiator_id
    except (ValueError, TypeError, OverflowError, RecursionError, binascii.Error):
        pass
    raise Invalid("this page does not exist", [("cursor", "must be the next_cursor of a page")])
