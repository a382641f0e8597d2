"""Records into SQLite: one thread with a connection of its own, SQL made once, one transaction per batch."""

# ruff: noqa: S608 — the texts are put together from names of columns; values are parameters

import asyncio
import contextlib
import logging
import sqlite3
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from itertools import chain
from pathlib import Path
from queue import SimpleQueue
from typing import Any, Final, TypeVar

import msgspec

from coderai.errors import StoreError
from coderai.records import Link
from coderai.store import record_rows as r
from coderai.store import writer as w
from coderai.store.plan import Caller, Plan, State, Values
from coderai.store.rollup import MERGE_FACET, MERGE_SESSION, RECOUNT_ONE
from coderai.store.trouble import Indigestible, translated_sqlite
from coderai.store.turns import Turns
from coderai.store.types import to_micros

log = logging.getLogger(__name__)

T = TypeVar("T")
E = TypeVar("E")

_ALONE_SECONDS: Final = 5.0
_AGAIN_SECONDS: Final = 0.02
_SETTINGS = (
    "PRAGMA journal_mode=WAL",
    "PRAGMA cache_size=-16000",
    "PRAGMA temp_store=MEMORY",
)


def _insert(table: str, columns: Sequence[str], conflict: str = "ON CONFLICT DO NOTHING") -> tuple[str, str]:
    return f"INSERT INTO {table} ({', '.join(columns)}) VALUES ", f" {conflict}"


# Texts before and after the rows of values.
_BEGIN = _insert("aibridge_interceptions", r.INTERCEPTION_COLUMNS)
_PROMPT = _insert("aibridge_user_prompts", r.PROMPT_COLUMNS)
_USAGE = _insert("aibridge_token_usages", r.USAGE_COLUMNS)
_TOOL = _insert("aibridge_tool_usages", r.TOOL_COLUMNS)
_THOUGHT = _insert("aibridge_model_thoughts", r.THOUGHT_COLUMNS)
_SESSION = _insert("sessions", r.SESSION_COLUMNS, MERGE_SESSION)
_FACET = _insert("session_facets", r.FACET_COLUMNS, MERGE_FACET)
_END = (
    f"WITH u ({', '.join(r.END_COLUMNS)}) AS (VALUES ",
    ") UPDATE aibridge_interceptions AS i SET ended_at = u.ended_at, ending = u.ending, http_status = u.http_status,"
    " error_type = u.error_type, error_message = u.error_message, first_byte_at = u.first_byte_at,"
    " credential_hint = coalesce(u.credential_hint, i.credential_hint) FROM u WHERE i.id = u.id",
)
_PROMPT_ANSWERED = (
    "WITH u (id, response_id) AS (VALUES ",
    ") UPDATE aibridge_user_prompts AS p SET provider_response_id = u.response_id FROM u"
    " WHERE p.interception_id = u.id",
)

# Questions about many things: a JSON array goes in, and all answers come back as one row with a JSON array.
_STATES = (
    "SELECT json_group_array(json_array("
    " id, session_id, thread_parent_id, thread_root_id, ended_at, ending))"
    " FROM aibridge_interceptions WHERE id IN (SELECT value FROM json_each(?))"
)
_CALLERS = (
    "SELECT json_group_array(json_array(k.call_id, k.initiator_id, i.id, i.thread_root_id, i.client_session_id))"
    " FROM (SELECT json_extract(value, '$[0]') AS call_id, json_extract(value, '$[1]') AS initiator_id"
    "  FROM json_each(?)) AS k"
    " CROSS JOIN aibridge_interceptions AS i ON i.id IN (SELECT t.interception_id FROM aibridge_tool_usages AS t"
    "  WHERE t.provider_tool_call_id = k.call_id AND t.initiator_id = k.initiator_id"
    "  ORDER BY t.interception_id DESC LIMIT 100)"
)
# Threads that other ended interceptions of the session have counted already. The plus signs keep SQLite from looking
# through the whole session instead of the few members of the thread.
_COUNTED = (
    "SELECT json_group_array(json_array(k.root, k.session_id, k.initiator_id))"
    " FROM (SELECT json_extract(value, '$[0]') AS root, json_extract(value, '$[1]') AS session_id,"
    "  json_extract(value, '$[2]') AS initiator_id FROM json_each(?)) AS k"
    " WHERE EXISTS (SELECT 1 FROM aibridge_interceptions AS i WHERE i.id = k.root AND i.session_id = k.session_id"
    "  AND i.initiator_id = k.initiator_id AND i.ended_at IS NOT NULL)"
    " OR EXISTS (SELECT 1 FROM aibridge_interceptions AS i WHERE i.thread_root_id = k.root"
    "  AND +i.session_id = k.session_id AND +i.initiator_id = k.initiator_id AND i.ended_at IS NOT NULL)"
)

_MOST_ROWS = 128
_SWITCH_SECONDS = 0.0005
_VALUES = Values(moment=to_micros, flag=int)


@asynccontextmanager
async def open_records(
    path: Path, process_id: str, pragmas: Sequence[str], turns: Turns
) -> AsyncIterator["SqliteRecords"]:
    """Run the writer's thread for as long as the context lasts. Raises StoreUnavailable."""
    records = SqliteRecords(path, process_id, pragmas, turns)
    # The thread gives the interpreter away in every call of SQLite. A busy event loop would give it back only after
    # the switch interval, by default 5 ms: measured with two cores, a commit then took seconds.
    interval = sys.getswitchinterval()
    sys.setswitchinterval(min(interval, _SWITCH_SECONDS))
    try:
        await records.start()
        try:
            yield records
        finally:
            await records.stop()
    finally:
        sys.setswitchinterval(interval)


class SqliteRecords:
    """A ``RecordStore``. The thread lives from ``start`` to ``stop``."""

    def __init__(self, path: Path, process_id: str, pragmas: Sequence[str], turns: Turns) -> None:
        self.process_id = process_id
        self.indigestible = 0
        self._path = path
        self._pragmas = pragmas
        self._turns = turns
        self._work: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="coderai-records", daemon=True)
        self._transaction: _Transaction | None = None

    async def start(self) -> None:
        """Open the connection. Raises StoreUnavailable."""
        self._thread.start()
        try:
            await self._in_thread(self._open)
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        """Close the connection when everything handed over is done."""
        self._work.put(None)
        await asyncio.to_thread(self._thread.join)

    async def commit(self, batch: Sequence[w.Item], known: Mapping[str, Link] = w.NO_LINKS) -> list[Link]:
        """See ``RecordStore.commit``."""
        async with self._turns.mine():
            return await self._in_thread(lambda: self._commit(batch, known))

    async def _in_thread(self, work: Callable[[], T]) -> T:
        loop = asyncio.get_running_loop()
        done: asyncio.Future[T] = loop.create_future()

        def settle(set_it: Callable[[E], None], outcome: E) -> None:
            if not done.done():  # the caller may have given up
                set_it(outcome)

        def run() -> None:
            try:
                result = work()
            except Exception as error:  # noqa: BLE001 — handed to the caller, whatever it is
                loop.call_soon_threadsafe(settle, done.set_exception, error)
            else:
                loop.call_soon_threadsafe(settle, done.set_result, result)

        self._work.put(run)
        return await done

    def _run(self) -> None:
        while (work := self._work.get()) is not None:
            work()
        if self._transaction is not None:
            self._transaction.close()

    def _open(self) -> None:
        with translated_sqlite():
            connection = sqlite3.connect(self._path, isolation_level=None, cached_statements=256)
            for pragma in (*self._pragmas, *_SETTINGS):
                _set(connection, pragma)
        self._transaction = _Transaction(connection, self.process_id)

    def _commit(self, batch: Sequence[w.Item], known: Mapping[str, Link]) -> list[Link]:
        assert self._transaction is not None
        try:
            return self._transaction.run(batch, known)
        except Indigestible:
            return [self._commit_alone(item, known) for item in batch]

    def _commit_alone(self, item: w.Item, known: Mapping[str, Link]) -> Link:
        """Store *item*, as poor as the database wants it."""
        assert self._transaction is not None
        try:
            return self._transaction.run([item], known)[0]
        except Indigestible as error:
            self.indigestible += 1
            log.error("interception %s: the database did not take it as it is: %s", item.interception.id, error)
        for poorer in w.reduced(item):
            with contextlib.suppress(Indigestible):
                return self._transaction.run([poorer], known)[0]
        log.critical("interception %s could not be stored at all", item.interception.id)
        raise StoreError("the database takes no form of this record")


def _set(connection: sqlite3.Connection, pragma: str) -> None:
    """Becoming WAL needs the file for itself, and unlike statements does not wait: several may start at once."""
    patience = time.monotonic() + _ALONE_SECONDS
    while True:
        try:
            connection.execute(pragma)
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > patience:
                connection.close()
                raise
        time.sleep(_AGAIN_SECONDS)


class _Transaction:
    """The writer's connection, used by its thread only."""

    def __init__(self, connection: sqlite3.Connection, process_id: str) -> None:
        self._connection = connection
        self._execute = connection.cursor().execute
        self._process_id = process_id

    def close(self) -> None:
        self._connection.close()

    def run(self, batch: Sequence[w.Item], known: Mapping[str, Link]) -> list[Link]:
        """Store *batch* in one transaction. Raises StoreUnavailable or Indigestible, then nothing was stored."""
        with translated_sqlite():
            try:
                return self._run(Plan(batch, known, self._process_id, _VALUES))
            except _Repeated:
                return self._run(Plan(batch, known, self._process_id, _VALUES), repeated=True)

    def _run(self, plan: Plan, *, repeated: bool = False) -> list[Link]:
        self._execute("BEGIN IMMEDIATE")
        try:
            links = self._store(plan, repeated=repeated)
            self._execute("COMMIT")
        except BaseException:
            if self._connection.in_transaction:
                self._execute("ROLLBACK")
            raise
        return links

    def _store(self, plan: Plan, *, repeated: bool = False) -> list[Link]:
        asked = plan.all_ids() if repeated else plan.ended_ids()
        states = {row[0]: State(*row) for row in self._ask(_STATES, asked)}
        if wanted := plan.wanted_callers(states):
            for call_id, initiator_id, *caller in sorted(self._ask(_CALLERS, wanted), key=_by_caller, reverse=True):
                plan.found_caller(call_id, initiator_id, Caller(*caller))
        plan.place(states)
        starts = plan.starts
        if self._put(_BEGIN, [starts[key] for key in sorted(starts)]) < len(starts):
            raise _Repeated
        self._put(_PROMPT, plan.prompts())
        if plan.ending_ids():
            self._finish(plan)
        return plan.links()

    def _finish(self, plan: Plan) -> None:
        threads = plan.threads()
        counted = {tuple(row) for row in self._ask(_COUNTED, threads)}
        self._put(_END, plan.ends())
        self._put(_PROMPT_ANSWERED, plan.answered())
        for table, children in zip((_USAGE, _TOOL, _THOUGHT), plan.children(), strict=True):
            self._put(table, children)
        sessions, facets = plan.roll_up([thread for thread in threads if thread not in counted])
        self._put(_SESSION, sessions)
        self._put(_FACET, facets)
        for session_id, initiator_id in plan.to_recount():
            for statement in RECOUNT_ONE:
                self._execute(statement, {"session_id": session_id, "initiator_id": initiator_id})

    def _ask(self, question: str, about: Sequence[Any]) -> list[Any]:
        if not about:
            return []
        (answer,) = self._execute(question, (msgspec.json.encode(about).decode(),)).fetchone()
        return msgspec.json.decode(answer, type=list[Any])

    def _put(self, statement: tuple[str, str], rows: Sequence[r.Row]) -> int:
        """Execute *statement* for *rows*; return how many rows of the table it touched.

        Many rows go in one step: with each step the thread gives the interpreter away, and a busy event loop keeps
        it for milliseconds. Powers of two keep the number of different statements small.
        """
        touched, start = 0, 0
        before, after = statement
        while left := len(rows) - start:
            size = min(1 << (left.bit_length() - 1), _MOST_ROWS)
            marks = f"({', '.join('?' * len(rows[0]))})"
            text = before + ", ".join([marks] * size) + after
            touched += self._execute(text, tuple(chain.from_iterable(rows[start : start + size]))).rowcount
            start += size
        return touched


class _Repeated(Exception):
    """A start of the batch is in the table already."""


def _by_caller(row: Sequence[str]) -> str:
    return row[2]
