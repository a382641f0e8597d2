"""Records into PostgreSQL: asyncpg on the loop, one statement per table and batch, one transaction per batch.

Rows go in by ``unnest`` with ON CONFLICT DO NOTHING, in key order; a deadlock, a serialization failure or a lost answer
to COMMIT is simply tried again, because a repeated batch changes nothing.
"""

# ruff: noqa: S608 — the texts are put together from names of columns; values are parameters

import asyncio
import contextlib
import logging
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
from sqlalchemy import BigInteger, Boolean, Integer, Table

from coderai.errors import StoreError
from coderai.records import Link
from coderai.store import record_rows as r
from coderai.store import schema
from coderai.store import writer as w
from coderai.store.plan import Caller, Plan, State, Thread, Values
from coderai.store.rollup import MERGE_FACET, MERGE_SESSION, RECOUNT_ONE
from coderai.store.trouble import Indigestible, translated_asyncpg
from coderai.store.types import Moment
from coderai.store.watching import POSTGRES_SETTINGS

log = logging.getLogger(__name__)

_STATEMENT_SECONDS = 10.0
_LOST = (
    asyncpg.PostgresConnectionError,
    asyncpg.exceptions.AdminShutdownError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # a rollback on a connection that is going away
    OSError,
)
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
                except TimeoutError:
                    raise  # the database is slow or locked: asking again at once would not help
                except _LOST:
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
                try:
                    return await _Batch(self._connection, Plan(batch, known, self.process_id, _VALUES)).store()
                except TimeoutError:
                    self._connection.terminate()  # a rollback would wait as long again, if the server is silent
                    raise
        except (asyncpg.DataError, asyncpg.IntegrityConstraintViolationError, *_AGAIN):
            raise  # rolled back: the connection is as good as new
        except BaseException:
            self._connection.terminate()
            self._connection = None
            raise


class _Batch:
    """One batch on its way into the tables, inside a transaction."""

    def __init__(self, connection: "asyncpg.Connection[asyncpg.Record]", plan: Plan) -> None:
        self._connection = connection
        self._plan = plan

    async def store(self) -> list[Link]:
        """Follow the plan; return the link of each item."""
        plan = self._plan
        ended_ids = plan.ended_ids()
        states = {row[0]: State(*row) for row in await self._rows(_STATES, ended_ids)} if ended_ids else {}
        if wanted := plan.wanted_callers(states):
            for call_id, initiator_id, *caller in await self._rows(_CALLERS, *_columns(wanted)):
                plan.found_caller(call_id, initiator_id, Caller(*caller))
        plan.place(states)
        await self._insert_starts()
        if plan.ending_ids():
            await self._finish()
        return plan.links()

    async def _insert_starts(self) -> None:
        starts = self._plan.starts
        if not starts:
            return
        inserted = await self._put(_BEGIN + " RETURNING id", [starts[key] for key in sorted(starts)])
        await self._put(_PROMPT, self._plan.prompts())
        if repeated := sorted(starts.keys() - {row["id"] for row in inserted}):
            for row in await self._rows(_STATES, repeated):
                self._plan.place_again(State(*row))

    async def _finish(self) -> None:
        plan = self._plan
        await self._put(_END, plan.ends())
        await self._put(_PROMPT_ANSWERED, plan.answered())
        for statement, children in zip((_USAGE, _TOOL, _THOUGHT), plan.children(), strict=True):
            await self._put(statement, children)
        sessions, facets = plan.roll_up()
        # The rows of sessions come first: from here on nobody else counts in these sessions.
        await self._put(_SESSION, sessions)
        await self._count_threads(plan.threads())
        await self._put(_FACET, facets)
        for key in plan.to_recount():
            await self._rows("SELECT 1 FROM sessions WHERE id = $1 AND initiator_id = $2 FOR UPDATE", *key)
            for statement in RECOUNT_ONE:
                named = statement.replace(":session_id", "$1").replace(":initiator_id", "$2")
                await self._connection.execute(named, *key)

    async def _count_threads(self, threads: Sequence[Thread]) -> None:
        if not threads:
            return
        counted = {tuple(row) for row in await self._rows(_COUNTED, *_columns(threads), self._plan.ending_ids())}
        new = Counter((session_id, initiator_id) for root, session_id, initiator_id in set(threads) - counted)
        await self._put(_NEW_THREADS, [(*key, new[key]) for key in sorted(new)])

    async def _rows(self, statement: str, *values: object) -> "list[asyncpg.Record]":
        return await self._connection.fetch(statement, *values)

    async def _put(self, statement: str, rows: Sequence[r.Row]) -> "list[asyncpg.Record]":
        """Execute *statement* with *rows*, which are in key order, turned into one array per column."""
        return await self._rows(statement, *_columns(rows)) if rows else []


def _columns(rows: Iterable[Sequence[Any]]) -> list[list[Any]]:
    return [list(column) for column in zip(*rows, strict=True)]


def _as_is(value: Any) -> Any:
    return value


_VALUES = Values(moment=_as_is, flag=_as_is)
