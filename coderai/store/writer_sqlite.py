"""Records into SQLite: one thread with a connection of its own, SQL made once, one transaction per batch."""

# ruff: noqa: S608 — the texts are put together from names of columns; values are parameters

import asyncio
import contextlib
import logging
import sqlite3
import threading
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from queue import SimpleQueue
from typing import TypeVar

from coderai.errors import StoreError
from coderai.records import Begun, Ended, Interception, Link, Thought, ToolCall, Usage
from coderai.store import record_rows as r
from coderai.store import writer as w
from coderai.store.rollup import MERGE_FACET, MERGE_SESSION, RECOUNT, SessionKey
from coderai.store.trouble import Indigestible, translated_sqlite
from coderai.store.types import to_micros

log = logging.getLogger(__name__)

T = TypeVar("T")
E = TypeVar("E")

_SETTINGS = (
    "PRAGMA journal_mode=WAL",
    "PRAGMA wal_autocheckpoint=4000",  # 16 MB: fewer, larger checkpoints
    "PRAGMA cache_size=-16000",
    "PRAGMA temp_store=MEMORY",
)


def _insert(table: str, columns: Sequence[str], conflict: str = "ON CONFLICT DO NOTHING") -> str:
    return f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))}) {conflict}"


_BEGIN = _insert("aibridge_interceptions", r.INTERCEPTION_COLUMNS)
_PROMPT = _insert("aibridge_user_prompts", r.PROMPT_COLUMNS)
_USAGE = _insert("aibridge_token_usages", r.USAGE_COLUMNS)
_TOOL = _insert("aibridge_tool_usages", r.TOOL_COLUMNS)
_THOUGHT = _insert("aibridge_model_thoughts", r.THOUGHT_COLUMNS)
_SESSION = _insert("sessions", r.SESSION_COLUMNS, MERGE_SESSION)
_FACET = _insert("session_facets", r.FACET_COLUMNS, MERGE_FACET)
_STATE = (
    "SELECT session_id, thread_parent_id, thread_root_id, ended_at, ending FROM aibridge_interceptions WHERE id = ?"
)
_END = (
    "UPDATE aibridge_interceptions SET ended_at = ?, ending = ?, http_status = ?, error_type = ?, error_message = ?,"
    " first_byte_at = ?, credential_hint = coalesce(?, credential_hint) WHERE id = ?"
)
_PROMPT_ANSWERED = "UPDATE aibridge_user_prompts SET provider_response_id = ? WHERE interception_id = ?"
_CALLERS = (
    "SELECT i.id, i.thread_root_id, i.client_session_id FROM aibridge_tool_usages t"
    " JOIN aibridge_interceptions i ON i.id = t.interception_id"
    " WHERE t.provider_tool_call_id = ? AND t.initiator_id = ? AND t.interception_id <> ?"
    " ORDER BY t.interception_id DESC LIMIT 100"
)
_ROOT_COUNTED = (
    "SELECT 1 FROM aibridge_interceptions WHERE id = ? AND session_id = ? AND initiator_id = ? AND ended_at IS NOT NULL"
)
_FOLLOWER_COUNTED = (
    "SELECT 1 FROM aibridge_interceptions WHERE thread_root_id = ? AND session_id = ? AND initiator_id = ?"
    " AND ended_at IS NOT NULL LIMIT 1"
)


@asynccontextmanager
async def open_records(path: Path, process_id: str, pragmas: Sequence[str]) -> AsyncIterator["SqliteRecords"]:
    """Run the writer's thread for as long as the context lasts. Raises StoreUnavailable."""
    records = SqliteRecords(path, process_id, pragmas)
    await records.start()
    try:
        yield records
    finally:
        await records.stop()


class SqliteRecords:
    """A ``RecordStore``. The thread lives from ``start`` to ``stop``."""

    def __init__(self, path: Path, process_id: str, pragmas: Sequence[str]) -> None:
        self.process_id = process_id
        self.indigestible = 0
        self._path = path
        self._pragmas = pragmas
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
            connection = sqlite3.connect(self._path, isolation_level=None, cached_statements=64)
            for pragma in (*self._pragmas, *_SETTINGS):
                connection.execute(pragma)
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
            self._execute("BEGIN IMMEDIATE")
            try:
                links = self._store(batch, known)
                self._execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:
                    self._execute("ROLLBACK")
                raise
            return links

    def _store(self, batch: Sequence[w.Item], known: Mapping[str, Link]) -> list[Link]:
        roll_up = w.RollUp()
        assumed: set[SessionKey] = set()  # ended by another process; the end that comes now replaces that
        links = [
            self._begin(item, known) if isinstance(item, Begun) else self._end(item, known, roll_up, assumed)
            for item in batch
        ]
        for session in roll_up.sessions():
            if session.key not in assumed:
                self._execute(_SESSION, w.session_row(session, to_micros))
        for facet in roll_up.facets():
            if facet.key[:2] not in assumed:
                self._execute(_FACET, w.facet_row(facet, to_micros))
        for session_id, initiator_id in sorted(assumed):
            for statement in RECOUNT:
                self._execute(statement, {"session_id": session_id, "initiator_id": initiator_id})
        return links

    def _begin(self, begun: Begun, known: Mapping[str, Link]) -> Link:
        it = begun.interception
        link = known.get(it.id) or self._link(it)
        inserted = self._execute(_BEGIN, r.interception_row(it, link, self._process_id, to_micros, int)).rowcount
        if begun.prompt_id and it.prompt is not None:
            self._execute(_PROMPT, r.prompt_row(it, begun.prompt_id, to_micros))
        if not inserted:  # a repetition
            _, parent, root, _, _ = self._execute(_STATE, (it.id,)).fetchone()
            return Link(parent, root)
        return link

    def _link(self, it: Interception) -> Link:
        if not it.tool_result_id:
            return Link()
        session = r.client_session(it)
        for caller, root, its in self._execute(_CALLERS, (r.call_key(it.tool_result_id), it.initiator_id, it.id)):
            if session is None or its is None or session == its:
                return r.linked(caller, root)
        return Link()

    def _end(self, ended: Ended, known: Mapping[str, Link], roll_up: w.RollUp, assumed: set[SessionKey]) -> Link:
        it = ended.interception
        state = self._execute(_STATE, (it.id,)).fetchone()
        if state is None:  # purged while it ran
            self._begin(Begun(it, "" if it.prompt is None else it.id), known)
            state = self._execute(_STATE, (it.id,)).fetchone()
        session_id, parent, root, ended_at, ending = state
        if w.may_be_replaced(ended_at, ending, ended.end.ending):
            if ended_at is not None:
                assumed.add((session_id, it.initiator_id))
            new_thread = not self._thread_counted(it, root, session_id)
            self._execute(_END, r.end_row(ended, to_micros))
            self._children(ended)
            roll_up.add(ended, session_id, new_thread=new_thread)
        return Link(parent, root)

    def _thread_counted(self, it: Interception, root: str | None, session_id: str) -> bool:
        """Whether another ended interception of the session belongs to the same thread."""
        mine = (root or it.id, session_id, it.initiator_id)
        if root and self._execute(_ROOT_COUNTED, mine).fetchone():
            return True
        return bool(self._execute(_FOLLOWER_COUNTED, mine).fetchone())

    def _children(self, ended: Ended) -> None:
        it = ended.interception
        if it.prompt is not None and (response_id := ended.end.answer.response_id):
            self._execute(_PROMPT_ANSWERED, (r.clean(response_id), it.id))
        for stamped in ended.facts:
            match stamped.fact:
                case Usage() as usage:
                    self._execute(_USAGE, r.usage_row(it, stamped, usage, to_micros))
                case ToolCall() as call:
                    self._execute(_TOOL, r.tool_row(it, stamped, call, to_micros))
                case Thought() as thought:
                    self._execute(_THOUGHT, r.thought_row(it, stamped, thought, to_micros))
