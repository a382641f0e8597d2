"""How work that may take long leaves room for those who wait for each of their commits."""

import asyncio
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Final

from coderai.store.trouble import translated

if TYPE_CHECKING:
    from coderai.store.engine import Store

_HOLD: Final = {"sqlite": 0.02, "postgresql": 0.1}
"""Seconds that a batch should take. In SQLite every commit waits for it, in PostgreSQL only one of the same session."""
_REST: Final = 2.0
"""Times as long as it took, so that most commits meet nobody."""
_LEAST_REST: Final = 0.01
_FIRST: Final = 40
_LEAST: Final = 20
_VACUUM_PAGES: Final = 64


class Pace:
    """The size of the next batch, and the pauses between batches."""

    def __init__(self, store: "Store", most: int, *, write_back_every: float = 0.5) -> None:
        """A batch never has more than *most*."""
        self.batch = min(_FIRST, most)
        self._least, self._most = min(_LEAST, most), most
        self._store = store
        self._took = 0.0
        self._every = write_back_every
        self._written_back = time.monotonic()

    @contextmanager
    def working(self) -> Iterator[None]:
        """Around one batch, inside its transaction: it learns how much goes into the time."""
        began = time.monotonic()
        yield
        self._took, hold = time.monotonic() - began, _HOLD[self._store.dialect]
        if self._took > hold:
            self.batch = max(self._least, self.batch // 2)
        elif self._took < hold / 2:
            self.batch = min(self._most, self.batch + self.batch // 4 + 1)

    async def rest(self) -> None:
        """Leave room for others; in SQLite write the log back into the file meanwhile, so that no commit has to."""
        if self._store.dialect == "sqlite" and time.monotonic() - self._written_back >= self._every:
            with translated():
                await asyncio.to_thread(_write_back, str(self._store.engine.url.database))
            self._written_back = time.monotonic()
        await asyncio.sleep(max(_LEAST_REST, _REST * self._took))


async def give_space_back(store: "Store", until: float) -> None:
    """Return free pages of SQLite's file to the file system, some at a time, *until* that ``time.monotonic()``."""
    if store.dialect != "sqlite":
        return
    pace, path, free, before = Pace(store, 1), str(store.engine.url.database), 1, 0
    while free and free != before and time.monotonic() < until:
        before = free
        async with store.turn():
            with pace.working(), translated():
                free = await asyncio.to_thread(_vacuum, path)
        await pace.rest()


def _write_back(path: str) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA wal_checkpoint(PASSIVE)")  # waits for nobody, and nobody for it


def _vacuum(path: str) -> int:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        # The statement frees one page for each of its steps: only executescript takes them all.
        connection.executescript(f"PRAGMA incremental_vacuum({_VACUUM_PAGES})")
        return int(connection.execute("PRAGMA freelist_count").fetchone()[0])
