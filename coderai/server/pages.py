"""The pages' way to the API: this process' own, over a private socket, as whoever looks at the page."""

import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import aiohttp
from aiohttp import web

from coderai.access.addresses import TrustedProxies
from coderai.access.credentials import SESSION_TOKEN
from coderai.api.app import Services, add_routes
from coderai.api.origins import origin_of
from coderai.control.authority import TokenAuthority
from coderai.errors import ServerUnreachable
from coderai.server.listeners import runner_for
from coderai.web.app import House
from coderai.web.calls import Query, Reply, Sender, Streamed

_FORWARDED: Final = "X-Forwarded-For"
_SECONDS: Final = 60.0
_CONNECTIONS: Final = 100
_EVENTS: Final = {"Accept": "text/event-stream, */*"}


class _FromPages(TrustedProxies):
    """Only our own pages can open the socket: where their reader is, they say."""

    def client(self, remote: str, headers: Mapping[str, str]) -> str:
        return headers.get(_FORWARDED, "")


def _api(services: Services, authority: TokenAuthority) -> web.Application:
    """The public API, limits and all, that believes our pages where their reader is."""
    app = web.Application()
    doors = replace(services.doors, proxies=_FromPages())
    add_routes(app, replace(services, doors=doors), authority=authority)
    return app


@dataclass(frozen=True, slots=True)
class _Stream:
    status: int
    _answer: aiohttp.ClientResponse

    def chunks(self) -> AsyncIterator[bytes]:
        return self._answer.content.iter_any()


class OwnApi:
    """Fulfils ``web.calls.Calls``."""

    def __init__(self, http: aiohttp.ClientSession) -> None:
        self._http = http

    async def call(self, sender: Sender, method: str, path: str, query: Query, document: Any) -> Reply:
        """Raises ServerUnreachable."""
        try:
            async with self._http.request(
                method, f"http://api{path}", params=dict(query), json=document, headers=_headers(sender)
            ) as answer:
                return Reply(answer.status, await answer.read(), tuple(answer.headers.getall("Set-Cookie", ())))
        except (aiohttp.ClientError, TimeoutError) as error:
            raise ServerUnreachable("the server does not answer its own pages; it may be stopping") from error

    @asynccontextmanager
    async def stream(self, sender: Sender, path: str, query: Query) -> AsyncIterator[Streamed]:
        """Raises ServerUnreachable."""
        endless = aiohttp.ClientTimeout(total=None, sock_connect=_SECONDS)
        try:
            async with self._http.get(
                f"http://api{path}", params=dict(query), headers=_headers(sender) | _EVENTS, timeout=endless
            ) as answer:
                yield _Stream(answer.status, answer)
        except aiohttp.ClientError as error:
            raise ServerUnreachable("the server does not answer its own pages; it may be stopping") from error


def _headers(sender: Sender) -> dict[str, str]:
    told = {"Host": sender.host, _FORWARDED: sender.origin.ip, "User-Agent": sender.origin.user_agent}
    return told | ({SESSION_TOKEN: sender.token} if sender.token else {})


@asynccontextmanager
async def opened(services: Services, authority: TokenAuthority) -> AsyncIterator[House]:
    """What the pages need. The socket lies in a directory that only this user can open."""
    proxies = services.doors.proxies
    with tempfile.TemporaryDirectory(prefix="coderai-") as directory:  # mode 0700
        path = str(Path(directory) / "pages")
        runner = runner_for(_api(services, authority))
        await runner.setup()
        try:
            await web.UnixSite(runner, path).start()
            async with aiohttp.ClientSession(
                connector=aiohttp.UnixConnector(path, limit=_CONNECTIONS),
                timeout=aiohttp.ClientTimeout(total=_SECONDS),
                cookie_jar=aiohttp.DummyCookieJar(),
            ) as http:
                api = OwnApi(http)
                yield House(api, services.cookies, lambda request: origin_of(request, proxies), services.access_url)
        finally:
            await runner.cleanup()
