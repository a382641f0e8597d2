"""The provider's end of a relayed WebSocket: the handshake, with the central keys one after the other."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Final

import aiohttp
from aiohttp import ClientHandlerType, ClientRequest, ClientResponse
from multidict import CIMultiDict, CIMultiDictProxy
from yarl import URL

from coderai.access.redaction import Redaction
from coderai.errors import NotSwitched
from coderai.gateway.credentials import central
from coderai.gateway.headers import Headers, to_client, to_upstream
from coderai.gateway.ledger import Admitted
from coderai.gateway.pool import CONNECT_SECONDS
from coderai.gateway.websocket_side import Side
from coderai.observe import logs
from coderai.providers.keys import REFUSALS, Key
from coderai.providers.retries import asked_wait

log = logs.get("gateway")

MOST_BYTES: Final = 64 << 20
"""Longest message of a provider; the final event repeats the whole answer, images included."""
_DEFLATE_BITS: Final = 15
_OURS: Final = b"sec-websocket-"
"""Headers of the handshake belong to one connection; a sub-protocol may even hold a credential."""

ProxyFor = Callable[[str, str], str | None]


@dataclass(frozen=True, slots=True)
class Switched:
    """An open connection to the provider."""

    side: Side
    headers: CIMultiDict[str]
    """Of its answer, as a client may see them."""
    hint: str
    """The central key in use, masked; empty for an own credential."""


@dataclass(slots=True)
class _Handshake:
    """Middleware of aiohttp's client: sees the answer before anything follows from it (a redirect, say)."""

    redaction: Redaction
    headers: CIMultiDict[str] = field(default_factory=CIMultiDict)
    transport: asyncio.Transport | None = None
    answer: ClientResponse | None = None

    async def __call__(self, request: ClientRequest, send: ClientHandlerType) -> ClientResponse:
        answer = await send(request)
        if answer.status != 101 or answer.connection is None:
            answer.close()
            raise _Refused(answer.status, answer.headers)
        self.headers = _to_client(answer.headers, self.redaction)
        self.transport = answer.connection.transport
        self.answer = answer
        return answer

    def end(self) -> None:
        """Give the connection back, in whatever state the WebSocket on it was left."""
        if self.answer is not None:
            self.answer.close()


class _Refused(Exception):
    def __init__(self, status: int, headers: CIMultiDictProxy[str]) -> None:
        super().__init__(f"status {status}")
        self.status = status
        self.headers = headers


class SocketUpstream:
    """Opens WebSockets to providers. *proxy_for* names the outbound proxy for a scheme and host, if there is one."""

    def __init__(
        self,
        connector: aiohttp.BaseConnector,
        proxy_for: ProxyFor | None = None,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._connector = connector
        self._proxy_for = proxy_for
        self._now = now

    @asynccontextmanager
    async def connected(
        self, admitted: Admitted, session: str | None, *, deflate: bool, seconds: float
    ) -> AsyncIterator[Switched]:
        """Give the provider's end; leaving closes it. *deflate* offers compression.

        Raises NotSwitched, after *seconds* at most.
        """
        name = admitted.instance.name
        handshake = _Handshake(admitted.redaction)
        async with aiohttp.ClientSession(
            connector=self._connector,
            connector_owner=False,
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_SECONDS),
            cookie_jar=aiohttp.DummyCookieJar(),
            skip_auto_headers=("User-Agent", "Accept", "Content-Type"),
            middlewares=(handshake,),
        ) as client:
            try:
                async with asyncio.timeout(seconds):
                    socket, hint = await self._try_keys(client, admitted, session, deflate)
            except _Refused as error:
                raise NotSwitched(f"{name}: the provider did not switch to WebSocket ({error}); use HTTP") from error
            except TimeoutError as error:
                text = f"{name}: no WebSocket within {seconds:.0f} s; use HTTP"
                raise NotSwitched(text) from error
            except (aiohttp.ClientError, OSError, ValueError) as error:
                # never str(error): it may hold a credential
                raise NotSwitched(f"{name}: no WebSocket to the provider ({type(error).__name__}); use HTTP") from error
            assert handshake.transport is not None
            side = Side(socket, handshake.transport)
            try:
                yield Switched(side, handshake.headers, hint)
            finally:
                if not socket.closed:
                    side.abort()
                    await socket.close()
                handshake.end()

    async def _try_keys(
        self, client: aiohttp.ClientSession, admitted: Admitted, session: str | None, deflate: bool
    ) -> tuple[aiohttp.ClientWebSocketResponse[bool], str]:
        """Raises _Refused with the last refusal, NotSwitched when no key may be tried."""
        refused: _Refused | None = None
        keys = admitted.instance.keys
        for header, key in _credentials(admitted, session):
            try:
                socket = await self._open(client, admitted, header, deflate)
            except _Refused as error:
                if key is None or error.status not in REFUSALS:
                    raise
                asked = asked_wait(error.headers, self._now())
                keys.failed(key, error.status, asked)
                log.warning(
                    "provider key refused",
                    provider=admitted.instance.name,
                    key=key.hint,
                    status=error.status,
                    retry_after=asked,
                )
                refused = error
                continue
            if key is not None:
                keys.worked(key, session)
            return socket, key.hint if key is not None else ""
        if refused is not None:
            raise refused
        raise NotSwitched(f"{admitted.instance.name}: {keys.exhausted()}; use HTTP")

    async def _open(
        self, client: aiohttp.ClientSession, admitted: Admitted, credential: Headers, deflate: bool
    ) -> aiohttp.ClientWebSocketResponse[bool]:
        instance = admitted.instance
        url = URL(instance.url(admitted.route.path, admitted.query), encoded=True)
        proxy = self._proxy_for(url.scheme, url.host or "") if self._proxy_for is not None else None
        defaults = instance.family.headers if instance.family else {}
        headers = to_upstream(admitted.request.raw_headers, defaults, admitted.actor, admitted.token)
        return await client.ws_connect(
            url,
            headers=_decoded([*_without_handshake(headers), *credential]),
            proxy=proxy,
            compress=_DEFLATE_BITS if deflate else 0,
            max_msg_size=MOST_BYTES,
            decode_text=False,
            autoping=False,
            autoclose=False,
        )


def _credentials(admitted: Admitted, session: str | None) -> Iterator[tuple[Headers, Key | None]]:
    if admitted.credential.kind == "byok":
        yield admitted.credential.as_sent(), None
        return
    for key in admitted.instance.keys.walk(session):
        yield central(admitted.instance, key), key


def _without_handshake(headers: Headers) -> Headers:
    return [(name, value) for name, value in headers if not name.lower().startswith(_OURS)]


def _decoded(headers: Headers) -> CIMultiDict[str]:
    return CIMultiDict((name.decode("utf-8", "surrogateescape"), value.decode("utf-8")) for name, value in headers)


def _to_client(headers: CIMultiDictProxy[str], redaction: Redaction) -> CIMultiDict[str]:
    kept = to_client(headers, redaction)
    for name in [name for name in kept if name.lower().startswith(_OURS.decode())]:
        kept.popall(name, None)
    return kept


@asynccontextmanager
async def connecting(proxy_for: ProxyFor | None = None) -> AsyncIterator[SocketUpstream]:
    """Open what is needed for WebSockets to providers."""
    async with aiohttp.TCPConnector(limit=0, force_close=True) as connector:
        yield SocketUpstream(connector, proxy_for)
