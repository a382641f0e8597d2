"""What must be gone after a test: tasks and sockets."""

import asyncio
import gc
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


def _sockets() -> int:
    gc.collect()
    return sum(os.path.realpath(f"/proc/self/fd/{each}").startswith("socket:") or "socket:" in _target(each)
               for each in os.listdir("/proc/self/fd"))  # fmt: skip


def _target(number: str) -> str:
    try:
        return os.readlink(f"/proc/self/fd/{number}")
    except OSError:
        return ""


@asynccontextmanager
async def nothing_left() -> AsyncIterator[None]:
    """Expect that as many tasks and sockets are there afterwards as before, within five seconds."""
    tasks, sockets = len(asyncio.all_tasks()), _sockets()
    yield
    async with asyncio.timeout(5):
        while len(asyncio.all_tasks()) > tasks or _sockets() > sockets:
            await asyncio.sleep(0.02)
