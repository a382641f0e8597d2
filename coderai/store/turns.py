"""Whose turn it is to write to SQLite, among the tasks of this process."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager

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

    def mine(self) -> AbstractAsyncContextManager[None]:
        """Wait for the turn and keep it. Raises StoreUnavailable when that takes too long."""
        return self._waited_for() if self._lock.locked() else self._lock

    @asynccontextmanager
    async def _waited_for(self) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout(self._patience):
                await self._lock.acquire()
        except TimeoutError as error:
            raise StoreUnavailable(f"the database is locked for more than {self._patience:g} s") from error
        try:
            yield
        finally:
            self._lock.release()
