"""One call to a provider, behind a small interface: directly over our own connections, or through an outbound proxy.

No cookies, no redirects, no environment variables of provider SDKs: what the provider says is what the caller of this
module gets.
"""

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Protocol

from multidict import CIMultiDictProxy
from yarl import URL

from coderai.errors import Invalid, Unreachable
from coderai.gateway.decoding import Decoded
from coderai.gateway.headers import Headers
from coderai.gateway.http1 import Connection, Died, Sink
from coderai.gateway.pool import Origin, Pool


@dataclass(slots=True)
class Call:
    """What goes upstream. ``body`` is let go of as soon as the provider has answered, so that it does not stay in
    memory for as long as a stream lasts."""

    method: str
    url: str
    """Complete and encoded as it shall be on the wire."""
    headers: Headers = field(repr=False)
    body: bytes = field(repr=False, default=b"")


class Answer(Protocol):
    """A provider's answer whose body has not been read yet."""

    status: int
    headers: CIMultiDictProxy[str]

    async def read(self) -> bytes:
        """Return the next bytes as they came, empty at the end. Raises BrokenOff when it came too early."""
        ...

    async def begun(self) -> bool:
        """Return when the first bytes of the body came, or False when it ended without any. Raises BrokenOff."""
        ...

    async def pour(self, sink: Sink) -> None:
        """Hand the body to *sink* as it comes, until it wants no more for now or the end has come. Raises BrokenOff."""
        ...

    def at_end(self) -> bool:
        """Tell whether the whole body has been read, without waiting."""
        ...


Proxied = Callable[[Call, str, asyncio.Timeout], AbstractAsyncContextManager[Answer]]
"""Sends a call through the outbound proxy with that URL; see ``proxied.py``."""


class Upstream:
    """Sends calls. *proxy_for* names the outbound proxy for a scheme and host, None for the direct way."""

    def __init__(
        self, pool: Pool, proxied: Proxied | None = None, proxy_for: Callable[[str, str], str | None] | None = None
    ) -> None:
        self._pool = pool
        self._proxied = proxied
        self._proxy_for = proxy_for

    def send(self, call: Call, limit: asyncio.Timeout) -> AbstractAsyncContextManager[Answer]:
        """Send *call* and give its answer; leaving the context early closes the connection.

        Entering raises Unreachable when no HTTP answer came, TimeoutError when *limit* ended the wait for its headers.
        """
        target = _target(call.url.partition("?")[0])
        if self._proxy_for is not None and self._proxied is not None:
            proxy = self._proxy_for("https" if target.origin.tls else "http", target.origin.host)
            if proxy is not None:
                return self._proxied(call, proxy, limit)
        return _Sending(self._pool, call, target, limit)


class _Sending:
    """One direct call. A class, because a generator for each request is felt on the hot path."""

    __slots__ = ("_call", "_connection", "_limit", "_pool", "_target")

    def __init__(self, pool: Pool, call: Call, target: "_Target", limit: asyncio.Timeout) -> None:
        self._pool = pool
        self._call = call
        self._target = target
        self._limit = limit
        self._connection: Connection | None = None

    async def __aenter__(self) -> Answer:
        try:
            async with self._limit:
                connection = await self._answered()
        except Died as error:
            raise Unreachable(f"{self._target.origin} cannot be reached: {error}") from error
        self._connection = connection
        self._call.body = b""
        return _Direct(connection)

    async def __aexit__(self, *_error: object) -> None:
        if self._connection is not None:
            self._pool.give_back(self._target.origin, self._connection)

    async def _answered(self) -> Connection:
        """Return a connection on which the head of the answer has come."""
        call, target = self._call, self._target
        head = _head(call, target)
        warm = self._pool.idle(target.origin)
        if warm is not None:
            try:
                return await self._answer_on(warm, head)
            except Died:
                if warm.spoke:
                    raise
                # The provider closed it while the request was on its way. Whether a call is repeated that failed on a
                # new connection is for the caller to say.
        return await self._answer_on(await self._pool.connect(target.origin), head)

    async def _answer_on(self, connection: Connection, head: bytes) -> Connection:
        try:
            connection.start(head, self._call.body)
            await connection.head()
        except (Died, asyncio.CancelledError):
            self._pool.drop(connection)
            raise
        return connection


class _Direct:
    def __init__(self, connection: Connection) -> None:
        self.status = connection.status
        self.headers = connection.headers
        encoding = self.headers.get("Content-Encoding", "").strip().lower() or "identity"
        body = connection if encoding == "identity" else Decoded(connection, encoding)
        self.begun = connection.begun
        self.read = body.read
        self.pour = body.pour
        self.at_end = body.at_end


@dataclass(frozen=True, slots=True)
class _Target:
    origin: Origin
    path: str
    host: str


@lru_cache(maxsize=256)
def _target(url: str) -> _Target:
    parsed = URL(url, encoded=True)
    tls = parsed.scheme == "https"
    host = parsed.raw_host or ""
    origin = Origin(host.strip("[]"), parsed.port or (443 if tls else 80), tls)
    shown = f"[{host}]" if ":" in host else host
    default = parsed.explicit_port is None or parsed.is_default_port()
    return _Target(origin, parsed.raw_path_qs, shown if default else f"{shown}:{parsed.explicit_port}")


def _head(call: Call, target: _Target) -> bytes:
    _, mark, query = call.url.partition("?")
    first = f"{call.method} {target.path}{mark}{query} HTTP/1.1"
    lines = [first.encode("utf-8", "surrogateescape"), f"Host: {target.host}".encode()]
    lines += [b"%b: %b" % header for header in call.headers]
    if call.body or call.method not in ("GET", "HEAD", "DELETE"):
        lines.append(b"Content-Length: %d" % len(call.body))
    text = b"\r\n".join(lines)
    if text.count(b"\n") != len(lines) - 1 or text.count(b"\r") != len(lines) - 1:
        raise Invalid("a request header holds a line break")
    return text + b"\r\n\r\n"
