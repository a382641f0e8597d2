"""An authority that hears of changes; each is put through by hand."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from coderai.control.authority import TokenAuthority


@asynccontextmanager
async def followed(authority: TokenAuthority) -> AsyncIterator[asyncio.Queue[frozenset[str]]]:
    """What is put into the queue has been heard after its ``join``."""
    queue: asyncio.Queue[frozenset[str]] = asyncio.Queue()

    async def changes() -> AsyncIterator[frozenset[str]]:
        while True:
            yield await queue.get()
            queue.task_done()

    async with asyncio.TaskGroup() as group:
        following = group.create_task(authority.follow(changes()))
        queue.put_nowait(frozenset({"*"}))
        await queue.join()
        yield queue
        following.cancel()
