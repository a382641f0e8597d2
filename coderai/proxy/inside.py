"""Inside an intercepted connection: its requests become requests of the gateway, in the same process."""

import time
from asyncio import Task, Transport
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Final, Protocol

from aiohttp import HttpVersion10, HttpVersion11, StreamReader, web
from aiohttp.abc import AbstractStreamWriter
from aiohttp.http_parser import RawRequestMessage
from multidict import CIMultiDict, CIMultiDictProxy

from coderai.access.callers import Caller
from coderai.access.credentials import GOVERNANCE_TOKEN
from coderai.errors import Forbidden
from coderai.gateway.bodies import holding_back
from coderai.gateway.credentials import brought
from coderai.gateway.ledger import CONNECT_ID
from coderai.gateway.refusals import form_for, form_of, refuse
from coderai.observe import logs
from coderai.providers.registry import Instance
from coderai.proxy.counts import Counts
from coderai.proxy.head import Connect, canonical
from coderai.proxy.hosts import Host, Place

log = logs.get("proxy")

GATEWAY: Final = "/api/v2/aibridge/"
Handler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]
Outside = Callable[[web.BaseRequest, str, str], Awaitable[web.StreamResponse]]
"""Takes a request, the name of a provider on its host, and the host's origin."""
Making = Callable[[web.Server], web.RequestHandler]
_NOBODY: Final = ""
_SPOKEN: Final = (HttpVersion11, HttpVersion10)


class Providers(Protocol):
    """The part of ``providers.registry.Registry`` that is read."""

    def find(self, name: str) -> Instance | None: ...


class Finding(Protocol):
    """The part of ``hosts.Hosts`` that is asked for every request."""

    def find(self, host: str, port: int) -> Host | None: ...


@dataclass(slots=True, eq=False)
class Session:
    """One intercepted connection."""

    id: str
    """Recorded with its exchanges."""
    wanted: Connect
    caller: Caller
    token: str = field(repr=False)
    over: Callable[[], None] = field(repr=False)
    """Called once, when the connection is gone."""
    running: int = 0
    """Requests under way; a WebSocket is one."""
    since: float = field(default_factory=time.monotonic)
    """The last request began or ended."""


@dataclass(frozen=True, slots=True)
class Misdirected:
    """Why a request is not one for the gateway."""

    status: int
    text: str


@dataclass(frozen=True, slots=True)
class _Visit:
    """What is known about a request before it is served."""

    session: Session
    way: "Place | _Outside | Misdirected"


@dataclass(frozen=True, slots=True)
class _Outside:
    """A path of a provider's host that belongs to none of its base URLs."""

    place: Place
    """A provider of that host: it lends its name to what is counted and said."""
    origin: str


_VISIT: Final = web.RequestKey("visit", _Visit)


class Inside(web.Server):
    """aiohttp's server without a listener: connections are handed to it once they are decrypted.

    *pass_outside* takes requests for paths outside every base URL; without it they are refused.
    """

    def __init__(
        self, handler: Handler, hosts: Finding, providers: Providers, counts: Counts, make: Making,
        pass_outside: Outside | None = None,
    ) -> None:  # fmt: skip
        super().__init__(self._serve, request_factory=self._request, handler_cancellation=False)
        self._handler = handler
        self._hosts = hosts
        self._providers = providers
        self._counts = counts
        self._make = make
        self._pass_outside = pass_outside
        self._sessions: dict[web.RequestHandler, Session] = {}

    def sessions(self) -> Iterator[tuple[Session, web.RequestHandler]]:
        """Yield what is open."""
        for handler, session in self._sessions.items():
            yield session, handler

    def welcome(self, session: Session, transport: Transport, early: bytes) -> None:
        """Serve a decrypted connection from now on; *early* is what has been read of it."""
        handler = self._make(self)
        self._sessions[handler] = session
        transport.set_protocol(handler)
        handler.connection_made(transport)
        if early:
            handler.data_received(early)

    def connection_lost(self, handler: web.RequestHandler, exc: BaseException | None = None) -> None:
        """See aiohttp: called by the connection."""
        super().connection_lost(handler, exc)
        session = self._sessions.pop(handler, None)
        if session is not None:
            session.over()

    def _request(
        self,
        message: RawRequestMessage,
        payload: StreamReader,
        protocol: web.RequestHandler,
        writer: AbstractStreamWriter,
        task: "Task[None]",
    ) -> web.BaseRequest:
        """Make of what was asked of the provider's host what would be asked of the gateway."""
        session = self._sessions.get(protocol)
        visit = None
        # aiohttp makes an empty request, whose headers are a plain dict, to answer what it cannot read
        if session is not None and isinstance(message.headers, CIMultiDictProxy):
            visit = _Visit(session, self._way(session, message))
            message = self._rewritten(session, visit.way, message)
        request = web.BaseRequest(message, payload, protocol, writer, task, self._loop)
        if visit is not None and session is not None:
            request[_VISIT] = visit
            request[CONNECT_ID] = session.id
        return request

    def _way(self, session: Session, message: RawRequestMessage) -> Place | _Outside | Misdirected:
        wanted = session.wanted
        if message.version not in _SPOKEN:
            return Misdirected(HTTPStatus.HTTP_VERSION_NOT_SUPPORTED, "only HTTP/1.1 and HTTP/1.0 are spoken here")
        if not message.path.startswith("/"):
            return Misdirected(HTTPStatus.BAD_REQUEST, "the target must be a path: the host is that of the CONNECT")
        said = message.headers.getall("Host", ())
        if len(said) != 1 or not _names(said[0], wanted):
            text = f"this connection is for {wanted.target}, and so must be the Host header"
            return Misdirected(HTTPStatus.MISDIRECTED_REQUEST, text)
        host = self._hosts.find(wanted.host, wanted.port)
        if host is None:
            return Misdirected(HTTPStatus.SERVICE_UNAVAILABLE, f"the provider at {wanted.target} was removed")
        path = message.path.partition("?")[0]
        place = host.find(path)
        if place is not None and place.state == "disabled":
            text = f'provider_disabled: AI provider "{place.name}" is disabled'
            return Misdirected(HTTPStatus.SERVICE_UNAVAILABLE, text)
        if place is not None:
            return place
        first = next((each for each in host.places if each.enabled), host.places[0])
        if self._pass_outside is None or any(each.may_hold(path) for each in host.places):
            known = ", ".join(f"{each.base_path}/ ({each.name})" for each in host.places)
            text = f"this path of {wanted.host} is below no provider's base URL; there are {known}"
            return Misdirected(HTTPStatus.NOT_FOUND, text)
        return _Outside(first, f"{'https' if host.tls else 'http'}://{wanted.target}")

    def _rewritten(
        self, session: Session, way: Place | _Outside | Misdirected, message: RawRequestMessage
    ) -> RawRequestMessage:
        """Return *message* as the gateway wants it. Raw headers stay: what must not go upstream there never does."""
        if isinstance(way, Misdirected):
            return message
        instance = self._providers.find(way.name if isinstance(way, Place) else way.place.name)
        headers = CIMultiDict(message.headers)
        headers.pop(GOVERNANCE_TOKEN, None)  # a connection has one owner
        if (
            instance is not None
            and instance.family is not None
            and _brings_own(instance, message.headers, session.token)
        ):
            headers[GOVERNANCE_TOKEN] = session.token
        else:
            headers["Authorization"] = f"Bearer {session.token}"
        if isinstance(way, _Outside):
            return message._replace(headers=CIMultiDictProxy(headers))
        path, question, query = message.path.partition("?")
        return message._replace(path=f"{GATEWAY}{way.route(path)}{question}{query}", headers=CIMultiDictProxy(headers))

    async def _serve(self, request: web.BaseRequest) -> web.StreamResponse:
        return await (holding_back(request, self._served) if "Expect" in request.headers else self._served(request))

    async def _served(self, request: web.BaseRequest) -> web.StreamResponse:
        visit = request[_VISIT]
        session, way = visit.session, visit.way
        if isinstance(way, Misdirected):
            return self._refused(request, session, way)
        name = way.name if isinstance(way, Place) else way.place.name
        with self._counted(session, name) as status:
            if isinstance(way, _Outside) and self._pass_outside is not None:
                response = await self._pass_outside(request, name, way.origin)
            else:
                response = await self._handler(request)
            status.append(response.status)
            return response

    @contextmanager
    def _counted(self, session: Session, name: str) -> Iterator[list[int]]:
        counts, began = self._counts, time.monotonic()
        counts.requests[name] += 1
        counts.inflight[name] += 1
        session.running += 1
        status: list[int] = []
        try:
            yield status
        finally:
            session.running -= 1
            session.since = time.monotonic()
            counts.inflight[name] -= 1
            counts.durations[name].add(session.since - began)
            counts.answers[str(status[0]) if status else "none", name] += 1

    def _refused(self, request: web.BaseRequest, session: Session, why: Misdirected) -> web.Response:
        """Answer in the error form of the provider, and close: what follows would be as wrong."""
        host = self._hosts.find(session.wanted.host, session.wanted.port)
        instance = self._providers.find(host.places[0].name) if host is not None else None
        path = request.raw_path.partition("?")[0]
        form = form_of(instance.family.name, path) if instance is not None and instance.family else form_for(path)
        log.info(
            "intercepted request refused",
            host=session.wanted.host,
            method=request.method,
            status=why.status,
            reason=why.text,
            initiator=session.caller.username,
        )
        self._counts.answers[str(why.status), host.places[0].name if host is not None else _NOBODY] += 1
        response = refuse(form, why.status, why.text, final=why.status != HTTPStatus.SERVICE_UNAVAILABLE)
        if why.status != HTTPStatus.NOT_FOUND:
            response.force_close()
        return response


def _names(said: str, wanted: Connect) -> bool:
    """Whether a Host header names what the connection is for; the port may be left out."""
    name, colon, port = said.strip().rpartition(":")
    if not colon or not port.isdecimal() or said.endswith("]"):
        name, port = said.strip(), str(wanted.port)
    return canonical(name) == wanted.host and port == str(wanted.port)


def _brings_own(instance: Instance, headers: CIMultiDictProxy[str], token: str) -> bool:
    """Whether the caller sends a credential of its own, by the same rule by which the gateway takes it."""
    try:
        return brought(instance, headers, token) is not None
    except Forbidden:  # where nobody may; the gateway says so
        return True
