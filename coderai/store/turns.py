"""Whose turn it is to write to SQLite, among the tasks of this process."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from coderai.errors import StoreUnavailable


class Turns:
    """One writer at a time, in the order of asking.

    SQLite's own lock, which other processes need all the same, knows no order: who waits for it looks again up to a
    tenth of a second later, when the next one may have it already.
    """

    def __init__(self, patience: float) -> None:
        """*patience* in seconds, as long as SQLite itself would wait for its lock."""
        self._patience = patience
        self._lock = asyncio.Lock()

    @asynccontextmanager
    async def mine(self) -> AsyncIterator[None]:
        """Wait for the turn and keep it. Raises StoreUnavailable when that takes too long."""
        if self._lock.locked():
            try:
                async with asyncio.timeout(self._patience):
                    await self._lock.acquire()
            except TimeoutError as error:
                raise StoreUnavailable(f"the database is locked for more than {self._patience:g} s") from error
        else:
            await self._lock.acquire()
        try:
            yield
        finally:
            self._lock.release()
