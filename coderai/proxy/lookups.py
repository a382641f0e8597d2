"""Names of tunnels' targets, looked up apart from the gateway's own."""

import asyncio
import socket
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Final, cast

Address = tuple[socket.AddressFamily, socket.SocketKind, int, str, tuple[str, int] | tuple[str, int, int, int]]
"""As ``getaddrinfo`` gives it."""

_AT_ONCE: Final = 32


class Lookups:
    """Looks names up in threads of its own, some at the same time.

    The loop's own threads for names are four, two of which may be slow: with a few names whose servers keep silent,
    nobody would reach a provider any more. Nobody waits for these threads when the program ends.
    """

    def __init__(self, at_once: int = _AT_ONCE, look: Callable[..., Sequence[object]] = socket.getaddrinfo) -> None:
        self._free = asyncio.Semaphore(at_once)
        self._look = look

    async def __call__(self, host: str, port: int) -> Sequence[Address]:
        """Return the addresses of a host. Raises OSError, UnicodeError."""
        loop = asyncio.get_running_loop()
        await self._free.acquire()
        found: asyncio.Future[Sequence[Address]] = loop.create_future()

        def tell(addresses: Sequence[object], error: Exception | None) -> None:
            self._free.release()  # only now: the thread goes on when nobody waits any more
            if found.done():
                return
            if error is None:
                found.set_result(cast(Sequence[Address], addresses))
            else:
                found.set_exception(error)

        def look() -> None:
            addresses: Sequence[object] = ()
            failed: Exception | None = None
            try:
                addresses = self._look(host, port, type=socket.SOCK_STREAM)
            except (OSError, UnicodeError) as error:
                failed = error
            with suppress(RuntimeError):  # the loop is closed
                loop.call_soon_threadsafe(tell, addresses, failed)

        threading.Thread(target=look, name=f"lookup {host}", daemon=True).start()
        return await found
