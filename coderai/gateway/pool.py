"""Warm connections to providers, one pool per origin."""

import asyncio
import os
import ssl
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

import aiohappyeyeballs

from coderai.errors import Unreachable
from coderai.gateway.http1 import Connection

CONNECT_SECONDS: Final = 15.0
IDLE_SECONDS: Final = 60.0
"""Providers and load balancers close kept-alive connections after 60 s and more."""
IDLE_CONNECTIONS: Final = 1000
"""Per origin; more than that are closed instead of kept."""


_TLS_WORDS: Final = {
    "WRONG_VERSION_NUMBER": "that port does not speak TLS; is the base URL meant to begin with http://?",
    "": "handshake failed",
}


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a provider listens."""

    host: str
    port: int
    tls: bool

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


class Pool:
    """Gives out connections; the last one that came back goes out first, so that the others can age."""

    def __init__(self, connect_seconds: float = CONNECT_SECONDS) -> None:
        self._connect_seconds = connect_seconds
        self._idle: dict[Origin, deque[Connection]] = {}
        self._all: set[Connection] = set()
        self._tls: ssl.SSLContext | None = None

    def idle(self, origin: Origin) -> Connection | None:
        """Return a warm connection, if there is one that is not too old."""
        waiting = self._idle.get(origin)
        now = asyncio.get_running_loop().time()
        while waiting:
            connection = waiting.pop()
            if connection.closed():
                self._all.discard(connection)
            elif now - connection.idle_since > IDLE_SECONDS:
                self.drop(connection)
            else:
                return connection
        return None

    async def connect(self, origin: Origin) -> Connection:
        """Return a new connection. Raises Unreachable, saying why."""
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(self._connect_seconds):
                addresses = await loop.getaddrinfo(origin.host, origin.port, type=1)
                sock = await aiohappyeyeballs.start_connection(addresses, happy_eyeballs_delay=0.25, loop=loop)
                context = self._tls_context() if origin.tls else None
                name = origin.host if origin.tls else None
                _, connection = await loop.create_connection(Connection, sock=sock, ssl=context, server_hostname=name)
        except TimeoutError as error:
            text = f"{origin} cannot be reached: no connection within {self._connect_seconds:g} s"
            raise Unreachable(text) from error
        except UnicodeError as error:
            raise Unreachable(f"{origin} cannot be reached: that is no host name") from error
        except ssl.SSLError as error:
            reason = getattr(error, "verify_message", "") or _TLS_WORDS.get(error.reason, error.reason)
            raise Unreachable(f"{origin} cannot be reached: TLS: {reason}") from error
        except OSError as error:
            number = error.errno or 0  # negative ones are the resolver's
            reason = os.strerror(number) if number > 0 else error.strerror or type(error).__name__
            raise Unreachable(f"{origin} cannot be reached: {reason}") from error
        self._all.add(connection)
        return connection

    def give_back(self, origin: Origin, connection: Connection) -> None:
        """Keep *connection* warm when it can serve another exchange, close it otherwise."""
        waiting = self._idle.setdefault(origin, deque())
        if not connection.reusable() or len(waiting) >= IDLE_CONNECTIONS:
            self.drop(connection)
            return
        now = connection.idle_since = asyncio.get_running_loop().time()
        waiting.append(connection)
        while waiting and (waiting[0].closed() or now - waiting[0].idle_since > IDLE_SECONDS):
            self.drop(waiting.popleft())

    def drop(self, connection: Connection) -> None:
        """Close and forget."""
        self._all.discard(connection)
        connection.close()

    def _tls_context(self) -> ssl.SSLContext:
        if self._tls is None:  # loading the system's roots takes 20 ms: not at start, not per connection
            self._tls = ssl.create_default_context()
            self._tls.set_alpn_protocols(["http/1.1"])
        return self._tls

    def close(self) -> None:
        """Close everything."""
        for connection in tuple(self._all):
            self.drop(connection)
        self._idle.clear()


@asynccontextmanager
async def pooling(connect_seconds: float = CONNECT_SECONDS) -> AsyncIterator[Pool]:
    """Open a pool; it closes with the context."""
    pool = Pool(connect_seconds)
    try:
        yield pool
    finally:
        pool.close()
