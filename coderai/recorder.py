"""Keep the audit trail: a bounded queue, group commit, and the sinks behind it.

A batch is whatever arrived during the last commit; there is no artificial delay. What the store cannot take now stays
queued, in order, until it can. Everything runs on the event loop; the store brings its own thread or socket.
"""

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Protocol

from coderai.errors import StoreError, StoreUnavailable
from coderai.ids import new_id
from coderai.records import Answer, Begun, End, Ended, Ending, ErrorType, Interception, Link, Stamped

log = logging.getLogger(__name__)

Item = Begun | Ended
Committed = Callable[[int, float], None]
"""Told of every commit: how many items, how many seconds."""

_BATCH = 500
_BACK_OFF = (0.02, 1.0)
_EMPTY_TURNS = 3
_MOST_TURNS = 20
_MOST_CALLS = 100_000
"""Running exchanges and tool-call ids remembered; a follower beyond is linked through the table, if at all."""


class RecordStore(Protocol):
    """Where records become durable."""

    async def commit(self, batch: Sequence[Item], known: Mapping[str, Link]) -> list[Link]:
        """Return when all of *batch* is durable, with the link of each item; repeating a batch changes nothing.

        *known* has the links found among running calls, by interception id. Raises StoreUnavailable when all of it
        should be tried again, another StoreError when something in it can never be stored.
        """
        ...


class RecordLog(Protocol):
    """Told of what has become durable, in order."""

    def begun(self, item: Begun, link: Link) -> None:
        """An exchange has started."""
        ...

    def ended(self, item: Ended) -> None:
        """An exchange has ended."""
        ...


def _now() -> datetime:
    return datetime.now(UTC)


@asynccontextmanager
async def recording(
    store: RecordStore,
    logs: Sequence[RecordLog] = (),
    *,
    clock: Callable[[], datetime] = _now,
    begin_wait: float = 5.0,
    end_wait: float = 15.0,
    max_queued: int = 10_000,
    told: Committed | None = None,
) -> AsyncIterator["Recorder"]:
    """Run a recorder; leaving waits for the queue to become empty, at most *end_wait* seconds."""
    recorder = Recorder(store, logs, clock=clock, begin_wait=begin_wait, end_wait=end_wait, max_queued=max_queued)
    recorder.told = told
    async with asyncio.TaskGroup() as tasks:
        writing = tasks.create_task(recorder.write(), name="recorder")
        deadlines = tasks.create_task(recorder.watch_deadlines(), name="recorder deadlines")
        try:
            yield recorder
        finally:
            await recorder.flush(end_wait)
            writing.cancel()
            deadlines.cancel()


@dataclass(slots=True, eq=False)
class _Entry:
    """An item on its way, and who waits for it."""

    item: Item
    done: "asyncio.Future[None]"
    deadline: float
    tried: bool = False
    """Was part of a commit: what the store made of it may be unknown."""
    withdrawn: bool = False
    """A start whose caller has given up."""


@dataclass(slots=True)
class _Running:
    """A started exchange whose end is not stored yet."""

    link: Link
    session: str | None
    calls: list[tuple[str, str]] = field(default_factory=list)


class Recorder:
    """Fulfils ``gateway.ports.Recorder``. Made by ``recording``."""

    def __init__(
        self,
        store: RecordStore,
        logs: Sequence[RecordLog],
        *,
        clock: Callable[[], datetime],
        begin_wait: float,
        end_wait: float,
        max_queued: int,
    ) -> None:
        self.committed = 0
        """Items stored."""
        self.failed = 0
        """Commits that did not succeed."""
        self.lost = 0
        """Items given up: no room, or no form of them could be stored."""
        self.last_commit_seconds = 0.0
        self.told: Committed | None = None
        self._store = store
        self._logs = logs
        self._clock = clock
        self._begin_wait = begin_wait
        self._end_wait = end_wait
        self._max_queued = max_queued
        self._loop = asyncio.get_running_loop()
        self._queue: deque[_Entry] = deque()
        self._in_flight = 0
        self._alone = 0  # so many of the next entries are committed one by one
        self._arrived = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._closing = False
        self._begins: deque[_Entry] = deque()  # waiting, in the order of their deadlines
        self._ends: deque[_Entry] = deque()
        self._running: dict[str, _Running] = {}
        self._callers: dict[tuple[str, str], list[str]] = {}  # (initiator, call id): interceptions, oldest first
        self._failing = False
        self._trouble = "the database did not answer in time"

    @property
    def queued(self) -> int:
        """Items not durable yet."""
        return len(self._queue) + self._in_flight

    async def begin(self, interception: Interception) -> None:
        """See ``gateway.ports.Recorder.begin``. A full queue raises StoreUnavailable at once."""
        if self._closing or self.queued >= self._max_queued:
            raise StoreUnavailable("the server is stopping" if self._closing else "too many records are waiting")
        prompt_id = new_id() if interception.prompt is not None else ""
        entry = self._enter(Begun(interception, prompt_id), self._begin_wait)
        self._begins.append(entry)
        try:
            await entry.done
        except asyncio.CancelledError:
            self._withdraw(entry)
            raise

    def saw_call(self, interception: Interception, call_id: str) -> None:
        """See ``gateway.ports.Recorder.saw_call``."""
        running = self._running.get(interception.id)
        if running is None or not call_id or len(self._callers) >= _MOST_CALLS:
            return
        key = (interception.initiator_id, call_id)
        callers = self._callers.setdefault(key, [])
        if interception.id not in callers:
            callers.append(interception.id)
            running.calls.append(key)

    async def end(self, interception: Interception, end: End) -> None:
        """See ``gateway.ports.Recorder.end``."""
        entry = self._enter_end(interception, end)
        if entry is None:
            raise StoreUnavailable("too many records are waiting")
        self._ends.append(entry)
        await entry.done

    async def write(self) -> None:
        """Commit what arrives, until cancelled."""
        pause, longest = _BACK_OFF
        while True:
            await self._arrived.wait()
            await self._let_join()
            batch = self._take()
            if not batch:
                if not self._queue:  # withdrawn starts may have queued their ends
                    self._arrived.clear()
                    self._idle.set()
            elif await self._commit(batch):
                pause = _BACK_OFF[0]
            else:
                await asyncio.sleep(pause)
                pause = min(pause * 2, longest)

    async def _let_join(self) -> None:
        """Let what the loop has in hand at this moment join the batch: turns of the loop, not time.

        A commit costs as much as several records. On a busy loop this halves their number; an idle one has nothing in
        hand, and the few empty turns cost some microseconds.
        """
        empty = 0
        if len(self._running) <= len(self._queue):
            return  # nobody else is under way
        for _ in range(_MOST_TURNS):
            before = len(self._queue)
            await asyncio.sleep(0)
            empty = 0 if len(self._queue) > before else empty + 1
            if empty == _EMPTY_TURNS:
                return

    async def watch_deadlines(self) -> None:
        """Release those who have waited too long, until cancelled."""
        tick = max(min(self._begin_wait, self._end_wait) / 20, 0.005)
        while True:
            await asyncio.sleep(tick)
            for entry in _overdue(self._begins, self._loop.time()):
                entry.done.set_exception(StoreUnavailable(self._trouble))
                self._withdraw(entry)
            for entry in _overdue(self._ends, self._loop.time()):
                entry.done.set_exception(StoreUnavailable(self._trouble))

    async def flush(self, limit: float) -> None:
        """Take no more starts and wait at most *limit* seconds until nothing is queued."""
        self._closing = True
        try:
            async with asyncio.timeout(limit):
                await self._idle.wait()
        except TimeoutError:
            log.error("%d records could not be stored before the end: %s", self.queued, self._trouble)

    def _enter(self, item: Item, wait: float) -> _Entry:
        entry = _Entry(item, self._loop.create_future(), self._loop.time() + wait)
        self._queue.append(entry)
        self._idle.clear()
        self._arrived.set()
        return entry

    def _enter_end(self, interception: Interception, end: End, *, served: bool = True) -> _Entry | None:
        """Queue an end. Only starts are refused early: an end has a call behind it, so there are not many more."""
        if self.queued >= 4 * self._max_queued:
            self.lost += 1
            log.error("interception %s: its end is lost, too many records are waiting", interception.id)
            return None
        now = max(self._clock(), interception.started_at)  # whatever the clock did meanwhile
        facts = tuple(Stamped(new_id(), now, fact) for fact in end.answer.facts)
        return self._enter(Ended(interception, end, now, facts, served), self._end_wait)

    def _withdraw(self, entry: _Entry) -> None:
        """Nobody goes on with this start: drop it, or close it if the store may have it."""
        entry.withdrawn = True
        if entry.item.interception.id in self._running:  # stored a moment ago
            self._refuse(entry)

    def _refuse(self, entry: _Entry) -> None:
        message = "the start could not be recorded in time; nothing was sent to the provider"
        end = End(Answer(ending=Ending.REFUSED), Ending.REFUSED, 503, ErrorType.UNKNOWN, message)
        closing = self._enter_end(entry.item.interception, end, served=False)
        if closing is not None:
            closing.done.cancel()  # nobody waits

    def _take(self) -> list[_Entry]:
        """Take the next batch out of the queue, without starts that nobody wants any more."""
        size = 1 if self._alone else _BATCH
        self._alone -= bool(self._alone)
        batch: list[_Entry] = []
        queue = self._queue
        while queue and len(batch) < size:
            entry = queue.popleft()
            if not entry.withdrawn:
                batch.append(entry)
            elif entry.tried:
                self._refuse(entry)
        return batch

    async def _commit(self, batch: list[_Entry]) -> bool:
        """Store *batch*; return whether to go on at once."""
        items = [entry.item for entry in batch]
        for entry in batch:
            entry.tried = True
        self._in_flight = len(batch)
        started = self._loop.time()
        try:
            links = await self._store.commit(items, self._known(items))
        except StoreUnavailable as error:
            self._trouble = str(error)
            if not self._failing:
                log.error("records cannot be stored, trying on: %s", error)
            self._failing = True
            self.failed += 1
            self._queue.extendleft(reversed(batch))
            return False
        except Exception as error:  # noqa: BLE001 — one bad record must not end the recording of all others
            self._isolate(batch, error)
            return True
        finally:
            self._in_flight = 0
        self.last_commit_seconds = self._loop.time() - started
        if self._failing:
            log.warning("records are stored again")
            self._failing = False
        self.committed += len(batch)
        if self.told is not None:
            self.told(len(batch), self.last_commit_seconds)
        for entry, link in zip(batch, links, strict=True):
            self._settle(entry, link)
        return True

    def _isolate(self, batch: list[_Entry], error: Exception) -> None:
        """Something in *batch* cannot be stored: find it by storing one by one, and give it up."""
        self.failed += 1
        if len(batch) > 1:
            self._queue.extendleft(reversed(batch))
            self._alone = len(batch)
            return
        (entry,) = batch
        self.lost += 1
        log.error("interception %s: record given up", entry.item.interception.id, exc_info=error)
        if isinstance(entry.item, Ended):
            self._forget(entry.item.interception.id)
        if not entry.done.done():
            reason = str(error) if isinstance(error, StoreError) else "the record could not be stored"
            entry.done.set_exception(StoreUnavailable(reason))

    def _known(self, items: Iterable[Item]) -> dict[str, Link]:
        """Return the links of those starts in *items* that follow a running exchange."""
        known: dict[str, Link] = {}
        for item in items:
            it = item.interception
            if it.tool_result_id and isinstance(item, Begun):
                link = self._caller(it, it.tool_result_id)
                if link is not None:
                    known[it.id] = link
        return known

    def _caller(self, it: Interception, call_id: str) -> Link | None:
        for caller_id in reversed(self._callers.get((it.initiator_id, call_id), ())):
            caller = self._running[caller_id]
            if caller.session is None or it.client_session_id is None or caller.session == it.client_session_id:
                return Link(caller_id, caller.link.root_id or caller_id)
        return None

    def _settle(self, entry: _Entry, link: Link) -> None:
        item = entry.item
        if isinstance(item, Begun):
            self._remember(item.interception, link)
            self._tell(lambda sink: sink.begun(item, link))
            if entry.withdrawn:
                self._refuse(entry)
        else:
            self._forget(item.interception.id)
            self._tell(lambda sink: sink.ended(item))
        if not entry.done.done():
            entry.done.set_result(None)

    def _remember(self, it: Interception, link: Link) -> None:
        if len(self._running) >= _MOST_CALLS:  # ends that never came
            self._forget(next(iter(self._running)))
        self._running[it.id] = _Running(link, it.client_session_id)

    def _forget(self, interception_id: str) -> None:
        running = self._running.pop(interception_id, None)
        for key in running.calls if running else ():
            callers = self._callers[key]
            callers.remove(interception_id)
            if not callers:
                del self._callers[key]

    def _tell(self, tell: Callable[[RecordLog], None]) -> None:
        for sink in self._logs:
            try:
                tell(sink)
            except Exception:
                log.exception("a record was stored but not logged")


def _overdue(waiting: deque[_Entry], now: float) -> list[_Entry]:
    """Remove what is done or too late from the front of *waiting*; return what is too late."""
    late = []
    while waiting and (waiting[0].done.done() or waiting[0].deadline <= now):
        entry = waiting.popleft()
        if not entry.done.done():
            late.append(entry)
    return late
