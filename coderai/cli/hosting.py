"""The API without a listener: hosted in this process, on the local data directory, for as long as a command takes."""

import asyncio
import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import AbstractAsyncContextManager, contextmanager, suppress
from typing import Protocol

from coderai.errors import CoderaiError


class Hosted(Protocol):
    """What an ``aiohttp`` runner offers: a factory of protocols for accepted connections."""

    @property
    def server(self) -> Callable[[], asyncio.Protocol] | None: ...


Ready = Future[tuple[asyncio.AbstractEventLoop, asyncio.Event]]
"""The loop, and the event that ends it."""
Opening = Callable[[], AbstractAsyncContextManager[Hosted]]


@contextmanager
def hosting(opening: Opening) -> Iterator[socket.socket]:
    """Run the API of *opening* on a loop in a thread, and give a socket that is connected to it.

    What *opening* raises is raised here, also while it closes.
    """
    ours, theirs = socket.socketpair()
    ready: Ready = Future()
    over: Future[None] = Future()
    thread = threading.Thread(target=_run, args=(opening, theirs, ready, over), name="local API")
    try:
        try:
            thread.start()
            loop, leave = ready.result()
        except BaseException:
            ready.add_done_callback(_send_away)  # Ctrl-C came before it was ready
            raise
        try:
            yield ours
        finally:
            ours.close()
            if not over.done():
                loop.call_soon_threadsafe(leave.set)
    finally:
        with suppress(RuntimeError):  # Ctrl-C came before it had started
            thread.join()
        ours.close()
        theirs.close()
    over.result()


def _send_away(ready: Ready) -> None:
    if ready.exception() is None:
        loop, leave = ready.result()
        loop.call_soon_threadsafe(leave.set)


def _run(
    opening: Opening,
    theirs: socket.socket,
    ready: Ready,
    over: Future[None],
) -> None:
    try:
        asyncio.run(_host(opening, theirs, ready))
    except BaseException as error:  # noqa: BLE001 -- carried over to the thread that waits for it
        (over if ready.done() else ready).set_exception(error)
    else:
        over.set_result(None)


async def _host(opening: Opening, theirs: socket.socket, ready: Ready) -> None:
    loop, leave = asyncio.get_running_loop(), asyncio.Event()
    async with opening() as hosted:
        if hosted.server is None:
            raise CoderaiError("the local API did not start")
        theirs.setblocking(False)
        await loop.connect_accepted_socket(hosted.server, theirs)
        ready.set_result((loop, leave))
        await leave.wait()
