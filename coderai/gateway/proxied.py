"""Calls through an outbound HTTP proxy (``HTTPS_PROXY``, ``NO_PROXY``), with aiohttp's client: rare, so not tuned."""

import asyncio
import io
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from urllib.request import proxy_bypass_environment  # type: ignore[attr-defined]  # missing in the type stubs

import aiohttp
from multidict import CIMultiDict
from yarl import URL

from coderai.errors import BrokenOff, Unreachable
from coderai.gateway.decoding import pour
from coderai.gateway.http1 import Sink
from coderai.gateway.pool import CONNECT_SECONDS
from coderai.gateway.upstream import Answer, Call

_SMALL = 1 << 20
"""Up to this size a body is written in one piece; above it would hold up the loop (and aiohttp says so)."""


def proxy_rule(environ: Mapping[str, str]) -> Callable[[str, str], str | None] | None:
    """Return who knows the outbound proxy for (scheme, host), or None when the environment names no proxy at all."""
    named = {name.lower(): value for name, value in environ.items() if value and name.lower().endswith("_proxy")}
    proxies = {scheme: named.get(f"{scheme}_proxy") or named.get("all_proxy") for scheme in ("http", "https")}
    if not any(proxies.values()):
        return None
    bypassed = {"no": named.get("no_proxy", "")}

    def proxy_for(scheme: str, host: str) -> str | None:
        return None if proxy_bypass_environment(host, bypassed) else proxies[scheme]

    return proxy_for


class ProxiedCalls:
    """Sends calls through the proxy it is told."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self._session = session

    @asynccontextmanager
    async def send(self, call: Call, proxy: str, limit: asyncio.Timeout) -> AsyncIterator[Answer]:
        """See ``Upstream.send``."""
        url = URL(call.url, encoded=True)
        headers = CIMultiDict(
            (name.decode("utf-8", "surrogateescape"), value.decode("utf-8", "surrogateescape"))
            for name, value in call.headers
        )
        body = call.body if len(call.body) <= _SMALL else io.BytesIO(call.body)
        try:
            async with limit:
                response = await self._session.request(
                    call.method, url, headers=headers, data=body or None, allow_redirects=False, proxy=proxy
                )
        except (aiohttp.ClientError, ConnectionError, ValueError) as error:
            # never str(error): it may hold the proxy's credentials
            text = f"{url.host}:{url.port} cannot be reached through the outbound proxy: {type(error).__name__}"
            raise Unreachable(text) from error
        call.body = b""
        try:
            yield _Proxied(response)
        finally:
            response.close()


class _Proxied:
    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self.status = response.status
        self.headers = response.headers
        self._content = response.content
        self._first = b""

    async def begun(self) -> bool:
        self._first = self._first or await self.read()
        return bool(self._first)

    async def read(self) -> bytes:
        if self._first:
            first, self._first = self._first, b""
            return first
        try:
            return await self._content.readany()
        except (aiohttp.ClientError, ConnectionError) as error:
            raise BrokenOff("the connection was closed") from error

    async def pour(self, sink: Sink) -> None:
        await pour(self, sink)

    def at_end(self) -> bool:
        return not self._first and self._content.at_eof()


@asynccontextmanager
async def proxying() -> AsyncIterator[ProxiedCalls]:
    """Open aiohttp's client for calls through a proxy."""
    timeout = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_SECONDS)
    async with aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0),
        timeout=timeout,
        cookie_jar=aiohttp.DummyCookieJar(),
        skip_auto_headers=("User-Agent", "Accept", "Content-Type"),
    ) as session:
        yield ProxiedCalls(session)
