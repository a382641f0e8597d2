"""Records into PostgreSQL: asyncpg on the loop, one statement per table and batch, one transaction per batch.

Rows go in by ``unnest`` with ON CONFLICT DO NOTHING, in key order; a deadlock, a serialization failure or a lost answer
to COMMIT is simply tried again, because a repeated batch changes nothing.
"""

# ruff: noqa: S608 — the texts are put together from names of columns; values are parameters

import asyncio
import contextlib
import logging
from collections import defaultdict
from collections.abc import AsyncIterator, Collection, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
from sqlalchemy import BigInteger, Boolean, Integer, Table

from coderai.errors import StoreError
from coderai.records import Begun, Ended, Interception, Link, Thought, ToolCall, Usage
from coderai.store import record_rows as r
from coderai.store import schema
from coderai.store import writer as w
from coderai.store.rollup import MERGE_FACET, MERGE_SESSION, RECOUNT, SessionKey
from coderai.store.trouble import Indigestible, translated_asyncpg
from coderai.store.types import Moment
from coderai.store.watching import POSTGRES_SETTINGS

log = logging.getLogger(__name__)

_STATEMENT_SECONDS = 10.0
_AGAIN = (asyncpg.DeadlockDetectedError, asyncpg.SerializationError)


def _array_type(table: Table, column: str) -> str:
    kind = table.c[column].type
    match kind:
        case Moment():
            return "timestamptz[]"
        case BigInteger():
            return "bigint[]"
        case Integer():
            return "integer[]"
        case Boolean():
            return "boolean[]"
    return "text[]"


def _unnest(table: Table, columns: Sequence[str]) -> str:
    return ", ".join(f"${place}::{_array_type(table, name)}" for place, name in enumerate(columns, start=1))


def _insert(table: Table, columns: Sequence[str], conflict: str = "ON CONFLICT DO NOTHING") -> str:
    names = ", ".join(columns)
    source = f"unnest({_unnest(table, columns)}) AS u ({names})"
    return f"INSERT INTO {table.name} ({names}) SELECT {names} FROM {source} {conflict}"


_BEGIN = _insert(schema.interceptions, r.INTERCEPTION_COLUMNS)
_PROMPT = _insert(schema.user_prompts, r.PROMPT_COLUMNS)
_USAGE = _insert(schema.token_usages, r.USAGE_COLUMNS)
_TOOL = _insert(schema.tool_usages, r.TOOL_COLUMNS)
_THOUGHT = _insert(schema.model_thoughts, r.THOUGHT_COLUMNS)
_SESSION = _insert(schema.sessions, r.SESSION_COLUMNS, MERGE_SESSION)
_FACET = _insert(schema.session_facets, r.FACET_COLUMNS, MERGE_FACET)
_STATES = (
    "SELECT id, session_id, thread_parent_id, thread_root_id, ended_at, ending FROM aibridge_interceptions"
    " WHERE id = ANY($1::text[]) ORDER BY id FOR UPDATE"
)
_END = (
    "UPDATE aibridge_interceptions i SET ended_at = u.ended_at, ending = u.ending, http_status = u.http_status,"
    " error_type = u.error_type, error_message = u.error_message, first_byte_at = u.first_byte_at,"
    " credential_hint = coalesce(u.credential_hint, i.credential_hint)"
    f" FROM unnest({_unnest(schema.interceptions, r.END_COLUMNS)}) AS u ({', '.join(r.END_COLUMNS)})"
    " WHERE i.id = u.id"
)
_PROMPT_ANSWERED = (
    "UPDATE aibridge_user_prompts p SET provider_response_id = u.response_id"
    " FROM unnest($1::text[], $2::text[]) AS u (id, response_id) WHERE p.interception_id = u.id"
)
# The newest calls of each wanted (call id, initiator).
_CALLERS = (
    "SELECT k.call_id, k.initiator_id, i.id, i.thread_root_id, i.client_session_id"
    " FROM (SELECT DISTINCT * FROM unnest($1::text[], $2::text[]) AS w (call_id, initiator_id)) k"
    " CROSS JOIN LATERAL (SELECT t.interception_id FROM aibridge_tool_usages t"
    "  WHERE t.provider_tool_call_id = k.call_id AND t.initiator_id = k.initiator_id"
    "  ORDER BY t.interception_id DESC LIMIT 100) t"
    " JOIN aibridge_interceptions i ON i.id = t.interception_id ORDER BY i.id DESC"
)
# Threads that other ended interceptions of the session have counted already.
_COUNTED = (
    "SELECT k.root, k.session_id, k.initiator_id"
    " FROM unnest($1::text[], $2::text[], $3::text[]) AS k (root, session_id, initiator_id)"
    " WHERE EXISTS (SELECT 1 FROM aibridge_interceptions i WHERE i.id = k.root AND i.session_id = k.session_id"
    "  AND i.initiator_id = k.initiator_id AND i.ended_at IS NOT NULL AND i.id <> ALL($4::text[]))"
    " OR EXISTS (SELECT 1 FROM aibridge_interceptions i WHERE i.thread_root_id = k.root AND i.session_id = k.session_id"
    "  AND i.initiator_id = k.initiator_id AND i.ended_at IS NOT NULL AND i.id <> ALL($4::text[]))"
)
_NEW_THREADS = (
    "UPDATE sessions s SET threads = s.threads + u.n FROM unnest($1::text[], $2::text[], $3::bigint[])"
    " AS u (id, initiator_id, n) WHERE s.id = u.id AND s.initiator_id = u.initiator_id"
)


@asynccontextmanager
async def open_records(dsn: str, process_id: str) -> AsyncIterator["PostgresRecords"]:
    """Hold the writer's connection for as long as the context lasts."""
    records = PostgresRecords(dsn, process_id)
    try:
        yield records
    finally:
        await records.close()


class PostgresRecords:
    """A ``RecordStore``; connects when it is first needed, and again after a loss."""

    def __init__(self, dsn: str, process_id: str) -> None:
        self.process_id = process_id
        self.indigestible = 0
        self._dsn = dsn
        self._connection: asyncpg.Connection[asyncpg.Record] | None = None

    async def commit(self, batch: Sequence[w.Item], known: Mapping[str, Link] = w.NO_LINKS) -> list[Link]:
        """See ``RecordStore.commit``."""
        try:
            return await self._commit(batch, known)
        except Indigestible:
            return [await self._commit_alone(item, known) for item in batch]

    async def close(self) -> None:
        """Say good-bye to the server, if it listens."""
        if self._connection is not None:
            with contextlib.suppress(asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError):
                await self._connection.close(timeout=2)
            self._connection = None

    async def _commit_alone(self, item: w.Item, known: Mapping[str, Link]) -> Link:
        try:
            return (await self._commit([item], known))[0]
        except Indigestible as error:
            self.indigestible += 1
            log.error("interception %s: the database did not take it as it is: %s", item.interception.id, error)
        for poorer in w.reduced(item):
            with contextlib.suppress(Indigestible):
                return (await self._commit([poorer], known))[0]
        log.critical("interception %s could not be stored at all", item.interception.id)
        raise StoreError("the database takes no form of this record")

    async def _commit(self, batch: Sequence[w.Item], known: Mapping[str, Link]) -> list[Link]:
        lost = 0
        with translated_asyncpg():
            while True:
                try:
                    return await self._transaction(batch, known)
                except _AGAIN:
                    await asyncio.sleep(0)  # the one that won the deadlock goes first
                except (asyncpg.PostgresConnectionError, asyncpg.InterfaceError, OSError):
                    # Perhaps only the answer to COMMIT was lost. One new try: the caller has a back-off of its own.
                    lost += 1
                    if lost > 1:
                        raise

    async def _transaction(self, batch: Sequence[w.Item], known: Mapping[str, Link]) -> list[Link]:
        if self._connection is None or self._connection.is_closed():
            self._connection = await asyncpg.connect(
                self._dsn, timeout=5, command_timeout=_STATEMENT_SECONDS, server_settings=POSTGRES_SETTINGS
            )
        try:
            async with self._connection.transaction():
                return await _Batch(self._connection, self.process_id, known).store(batch)
        except (asyncpg.DataError, asyncpg.IntegrityConstraintViolationError, *_AGAIN):
            raise  # rolled back: the connection is as good as new
        except BaseException:
            self._connection.terminate()
            self._connection = None
            raise


class _Batch:
    """One batch on its way into the tables, inside a transaction."""

    def __init__(
        self, connection: "asyncpg.Connection[asyncpg.Record]", process_id: str, known: Mapping[str, Link]
    ) -> None:
        self._connection = connection
        self._process_id = process_id
        self._known = known
        self._callers: dict[tuple[str, str], list[_Caller]] = defaultdict(list)
        self._links: dict[str, Link] = {}
        self._session_ids: dict[str, str] = {}
        self._starts: dict[str, r.Row] = {}
        self._prompts: dict[str, r.Row] = {}
        self._ends: dict[str, Ended] = {}
        self._assumed: set[SessionKey] = set()

    async def store(self, batch: Sequence[w.Item]) -> list[Link]:
        """Store *batch*; return the link of each item."""
        ended_ids = sorted({item.interception.id for item in batch if isinstance(item, Ended)})
        states = {row["id"]: row for row in await self._rows(_STATES, ended_ids)} if ended_ids else {}
        await self._find_callers(item.interception for item in batch if item.interception.id not in states)
        for item in batch:
            self._place(item, states.get(item.interception.id))
        await self._insert_starts()
        await self._finish()
        return [self._links[item.interception.id] for item in batch]

    async def _find_callers(self, followers: Iterable[Interception]) -> None:
        """Learn from the table who asked for the tools whose results *followers* bring."""
        wanted = [
            (r.call_key(it.tool_result_id), it.initiator_id)
            for it in followers
            if it.tool_result_id and it.id not in self._known
        ]
        if wanted:
            for call_id, initiator_id, caller, root, session in await self._rows(_CALLERS, *_columns(wanted)):
                self._callers[call_id, initiator_id].append((caller, root, session))

    def _place(self, item: w.Item, state: "asyncpg.Record | None") -> None:
        it = item.interception
        if state is not None:
            self._links[it.id] = Link(state["thread_parent_id"], state["thread_root_id"])
            self._session_ids[it.id] = state["session_id"]
        elif it.id not in self._links:
            # A start, or the end of what retention purged while it ran.
            prompt_id = item.prompt_id if isinstance(item, Begun) else it.id
            link = self._known.get(it.id) or self._link(it)
            self._links[it.id], self._session_ids[it.id] = link, r.session_of(it, link)
            self._starts[it.id] = r.interception_row(it, link, self._process_id, _as_is, _as_is)
            if prompt_id and it.prompt is not None:
                self._prompts[it.id] = r.prompt_row(it, prompt_id, _as_is)
        if isinstance(item, Ended):
            self._place_end(item, state)

    def _place_end(self, ended: Ended, state: "asyncpg.Record | None") -> None:
        it = ended.interception
        ended_at, ending = (state["ended_at"], state["ending"]) if state else (None, None)
        if it.id not in self._ends and w.may_be_replaced(ended_at, ending, ended.end.ending):
            self._ends[it.id] = ended
            if ended_at is not None:
                self._assumed.add((self._session_ids[it.id], it.initiator_id))
        for stamped in ended.facts:
            if isinstance(call := stamped.fact, ToolCall) and call.call_id:
                caller = (it.id, self._links[it.id].root_id, r.client_session(it))
                self._callers[r.call_key(call.call_id), it.initiator_id].insert(0, caller)

    def _link(self, it: Interception) -> Link:
        session = r.client_session(it)
        for caller, root, its in self._callers.get((r.call_key(it.tool_result_id or ""), it.initiator_id), ()):
            if caller != it.id and (session is None or its is None or session == its):
                return r.linked(caller, root)
        return Link()

    async def _insert_starts(self) -> None:
        if not self._starts:
            return
        inserted = await self._put(_BEGIN + " RETURNING id", self._starts.values())
        await self._put(_PROMPT, self._prompts.values())
        if repeated := sorted(self._starts.keys() - {row["id"] for row in inserted}):
            for row in await self._rows(_STATES, repeated):
                self._place_again(row)

    def _place_again(self, state: "asyncpg.Record") -> None:
        """A start of ours was there already: of an earlier try, which may have brought its end too."""
        ours = state["id"]
        self._links[ours] = Link(state["thread_parent_id"], state["thread_root_id"])
        self._session_ids[ours] = state["session_id"]
        if (ended := self._ends.pop(ours, None)) is not None:
            self._place_end(ended, state)

    async def _finish(self) -> None:
        if not self._ends:
            return
        ends = [self._ends[key] for key in sorted(self._ends)]
        await self._put(_END, (r.end_row(ended, _as_is) for ended in ends), sort=False)
        answered = [
            (ended.interception.id, r.clean(ended.end.answer.response_id))
            for ended in ends
            if ended.interception.prompt is not None and ended.end.answer.response_id
        ]
        await self._put(_PROMPT_ANSWERED, answered)
        await self._insert_children(ends)
        await self._roll_up(ends)

    async def _insert_children(self, ends: Sequence[Ended]) -> None:
        usages: list[r.Row] = []
        tools: list[r.Row] = []
        thoughts: list[r.Row] = []
        for ended in ends:
            for stamped in ended.facts:
                match stamped.fact:
                    case Usage() as usage:
                        usages.append(r.usage_row(ended.interception, stamped, usage, _as_is))
                    case ToolCall() as call:
                        tools.append(r.tool_row(ended.interception, stamped, call, _as_is))
                    case Thought() as thought:
                        thoughts.append(r.thought_row(ended.interception, stamped, thought, _as_is))
        await self._put(_USAGE, usages)
        await self._put(_TOOL, tools)
        await self._put(_THOUGHT, thoughts)

    async def _roll_up(self, ends: Sequence[Ended]) -> None:
        roll_up = w.RollUp()
        threads: set[tuple[str, str, str]] = set()
        for ended in ends:
            it = ended.interception
            key = (self._session_ids[it.id], it.initiator_id)
            if key not in self._assumed:
                roll_up.add(ended, key[0], new_thread=False)
                threads.add((self._links[it.id].root_id or it.id, *key))
        # The rows of sessions come first: from here on nobody else counts in these sessions.
        await self._put(_SESSION, (w.session_row(delta, _as_is) for delta in roll_up.sessions()), sort=False)
        await self._count_threads(threads, [ended.interception.id for ended in ends])
        await self._put(_FACET, (w.facet_row(delta, _as_is) for delta in roll_up.facets()), sort=False)
        await self._recount()

    async def _count_threads(self, threads: Collection[tuple[str, str, str]], batch: list[str]) -> None:
        if not threads:
            return
        counted = {tuple(row) for row in await self._rows(_COUNTED, *_columns(threads), batch)}
        new: dict[SessionKey, int] = defaultdict(int)
        for root, session_id, initiator_id in threads:
            if (root, session_id, initiator_id) not in counted:
                new[session_id, initiator_id] += 1
        await self._put(_NEW_THREADS, [(*key, n) for key, n in new.items()])

    async def _recount(self) -> None:
        for session_id, initiator_id in sorted(self._assumed):
            mine = (session_id, initiator_id)
            await self._rows("SELECT 1 FROM sessions WHERE id = $1 AND initiator_id = $2 FOR UPDATE", *mine)
            for statement in RECOUNT:
                named = statement.replace(":session_id", "$1").replace(":initiator_id", "$2")
                await self._connection.execute(named, *mine)

    async def _rows(self, statement: str, *values: object) -> "list[asyncpg.Record]":
        return await self._connection.fetch(statement, *values)

    async def _put(self, statement: str, values: Iterable[r.Row], *, sort: bool = True) -> "list[asyncpg.Record]":
        """Execute *statement* with *values* turned into one array per column."""
        ordered = sorted(values, key=_first_two) if sort else list(values)
        return await self._rows(statement, *_columns(ordered)) if ordered else []


_Caller = tuple[str, str | None, str | None]
"""Interception that asked for a tool, its root, its client's session id."""


def _columns(table: Iterable[Sequence[Any]]) -> list[list[Any]]:
    return [list(column) for column in zip(*table, strict=True)]


def _first_two(row: r.Row) -> tuple[Any, ...]:
    return row[:2]


def _as_is(value: Any) -> Any:
    return value
