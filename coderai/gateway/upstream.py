"""One call to a provider, behind a small interface: ``aiohttp``'s client today, perhaps our own later.

No cookies, no redirects, no environment variables of provider SDKs, no decompression surprises: what the provider says
is what the caller of this module gets.
"""

import asyncio
import io
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import aiohttp
from multidict import CIMultiDict, CIMultiDictProxy
from yarl import URL

from coderai.errors import BrokenOff, Unreachable

CONNECT_SECONDS = 15.0
_SMALL = 1 << 20
"""Up to this size a body is written in one piece; above it would hold up the loop (and aiohttp says so)."""


@dataclass(slots=True)
class Call:
    """What goes upstream. ``body`` is let go of as soon as the provider has answered, so that it does not stay in
    memory for as long as a stream lasts."""

    method: str
    url: str
    """Complete and encoded as it shall be on the wire."""
    headers: CIMultiDict[str] = field(repr=False)
    body: bytes = field(repr=False, default=b"")


class Answer:
    """A provider's answer whose body has not been read yet."""

    def __init__(self, response: aiohttp.ClientResponse, host: str) -> None:
        self.status = response.status
        self.headers: CIMultiDictProxy[str] = response.headers
        self._content = response.content
        self._host = host

    async def read(self) -> bytes:
        """Return the next bytes as they came, empty at the end. Raises BrokenOff when it came too early."""
        try:
            return await self._content.readany()
        except (aiohttp.ClientError, ConnectionError) as error:
            raise BrokenOff(f"{self._host} broke off in the middle of its answer") from error

    def at_end(self) -> bool:
        """Tell whether the whole body has been read, without waiting."""
        return self._content.at_eof()


class Upstream:
    """Keeps connections to providers warm. *attempts* counts the tries on a connection that died before it answered:
    a kept-alive one may have been closed by the provider while the request was on its way."""

    def __init__(self, session: aiohttp.ClientSession, attempts: int = 3) -> None:
        self._session = session
        self._attempts = max(1, attempts)

    @asynccontextmanager
    async def send(self, call: Call, limit: asyncio.Timeout) -> AsyncIterator[Answer]:
        """Send *call* and give its answer; leaving the context early closes the connection.

        Raises Unreachable when no HTTP answer came, TimeoutError when *limit* ended the wait for its headers. Nothing
        is sent a second time once a byte of an answer was seen.
        """
        async with limit:
            response = await self._request(call)
        call.body = b""
        try:
            yield Answer(response, _host(call.url))
        finally:
            if response.content.at_eof():
                response.release()
            else:
                response.close()

    async def _request(self, call: Call) -> aiohttp.ClientResponse:
        url = URL(call.url, encoded=True)
        for attempt in range(1, self._attempts + 1):
            body = call.body if len(call.body) <= _SMALL else io.BytesIO(call.body)
            try:
                return await self._session.request(
                    call.method, url, headers=call.headers, data=body or None, allow_redirects=False
                )
            except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError) as error:
                refused = isinstance(error, aiohttp.ClientConnectorError)
                if refused or attempt == self._attempts:
                    raise Unreachable(f"{_host(call.url)} cannot be reached: {_reason(error)}") from error
            except (aiohttp.ClientError, TimeoutError, ValueError) as error:
                raise Unreachable(f"{_host(call.url)} cannot be reached: {_reason(error)}") from error
        raise AssertionError("the loop returns or raises")


@asynccontextmanager
async def calling(attempts: int = 3) -> AsyncIterator[Upstream]:
    """Open the connection pool: no limit on connections (one per running call; the listener is the limit)."""
    connector = aiohttp.TCPConnector(limit=0, ttl_dns_cache=60, keepalive_timeout=90)
    timeout = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_SECONDS)
    async with aiohttp.ClientSession(
        connector=connector,
        timeout=timeout,
        cookie_jar=aiohttp.DummyCookieJar(),
        skip_auto_headers=("User-Agent", "Accept", "Content-Type"),
        read_bufsize=1 << 18,
        max_line_size=1 << 16,
        max_field_size=1 << 16,
    ) as session:
        yield Upstream(session, attempts)


def _host(url: str) -> str:
    parsed = URL(url, encoded=True)
    return f"{parsed.host}:{parsed.port}"


def _reason(error: Exception) -> str:
    """A short cause without addresses beyond the host, which the caller names itself."""
    match error:
        case aiohttp.ClientConnectorCertificateError() | aiohttp.ClientConnectorSSLError():
            return "its TLS certificate or handshake was not accepted"
        case aiohttp.ClientConnectorDNSError():
            return "its name cannot be resolved"
        case aiohttp.ServerTimeoutError() | TimeoutError():
            return f"no connection within {CONNECT_SECONDS:.0f} s"
        case aiohttp.ServerDisconnectedError():
            return "the connection was closed without an answer"
        case OSError() if error.strerror:
            return error.strerror
        case _:
            return type(error).__name__
