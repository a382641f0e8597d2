"""The intercepting proxy: who may have a tunnel, where it leads, and for how long it lasts."""

import asyncio
import ssl
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from http import HTTPStatus
from typing import Final, Protocol

from coderai.access.callers import Caller
from coderai.errors import CoderaiError, Forbidden, NotSignedIn, StoreError, StoreUnavailable
from coderai.ids import new_id
from coderai.observe import logs
from coderai.proxy.connection import Connection
from coderai.proxy.counts import Counts
from coderai.proxy.dialing import Dialer
from coderai.proxy.head import Connect
from coderai.proxy.hosts import Host, Hosts
from coderai.proxy.inside import Inside, Session
from coderai.proxy.intercepting import HANDSHAKE_SECONDS, TLS_HANDSHAKE, decrypted
from coderai.proxy.places import Places
from coderai.proxy.refusals import Refusal
from coderai.proxy.tunnel import Side, Tunnel

log = logs.get("proxy")

SWEEP_SECONDS: Final = 2.0
"""How often open tunnels are looked at. A token that was revoked is heard of within one second, so that its tunnels end
within five."""
_NO_TOKEN: Final = "this proxy wants a gateway token: HTTPS_PROXY=http://coder:TOKEN@host:port"  # noqa: S105 - a hint

_CROWDED: Final = Refusal(
    HTTPStatus.SERVICE_UNAVAILABLE, "full", "too many connections wait for their tunnel; try again later", retry_after=1
)


class Authority(Protocol):
    """Knows the gateway tokens. See ``control.authority.TokenAuthority``."""

    async def identify(self, token: str) -> Caller: ...

    async def look(self, token: str) -> Caller: ...


class Contexts(Protocol):
    """Knows what a TLS server needs for a host. See ``ca.Contexts``."""

    async def context(self, host: str) -> ssl.SSLContext: ...


@dataclass(frozen=True, slots=True)
class Limits:
    """How much, and for how long."""

    tunnels: int = 2000
    per_token: int = 100
    head_seconds: float = 10.0
    idle_seconds: float = 900.0
    """Without a byte in a blind tunnel, without a request on an intercepted connection."""
    sweep_seconds: float = SWEEP_SECONDS


@dataclass(slots=True, eq=False)
class _Blind:
    """One blind tunnel."""

    wanted: Connect
    caller: Caller
    token: str = field(repr=False)
    began: float
    tunnel: Tunnel | None = None
    carried: tuple[int, int] = (0, 0)
    """When it was last looked at."""
    quiet_since: float = 0.0
    why: str = "closed"


class Proxy:
    """Serves connections. *tasks* is where the work before a tunnel runs; *stopping* says that nothing new begins."""

    def __init__(
        self,
        authority: Authority,
        hosts: Hosts,
        contexts: Contexts,
        dialer: Dialer,
        inside: Inside,
        tasks: asyncio.TaskGroup,
        counts: Counts,
        limits: Limits,
        stopping: Callable[[], bool],
    ) -> None:
        self._authority = authority
        self._hosts = hosts
        self._contexts = contexts
        self._dialer = dialer
        self._inside = inside
        self._tasks = tasks
        self._counts = counts
        self._limits = limits
        self._stopping = stopping
        self.places = Places(limits.tunnels, limits.per_token)
        self._waiting: dict[Connection, None] = {}
        """The oldest first."""
        self._blind: set[_Blind] = set()
        self.head_seconds = limits.head_seconds

    def __call__(self) -> Connection:
        """Return the protocol for a connection that was accepted."""
        return Connection(self)

    # --- what connections ask

    def arrived(self, connection: Connection) -> Refusal | None:
        """Note a connection that wants something. When too many wait the one goes that has said nothing for longest:
        who holds many keeps nobody out."""
        self._waiting[connection] = None
        self._counts.waiting = len(self._waiting)
        if len(self._waiting) <= self._limits.tunnels:
            return None
        silent = next((each for each in self._waiting if each is not connection and each.reads_head), None)
        if silent is None:
            return _CROWDED
        self.left(silent)
        silent.refuse(_CROWDED)
        return None

    def left(self, connection: Connection) -> None:
        """Forget a connection: it is closed, or is a tunnel now."""
        self._waiting.pop(connection, None)
        self._counts.waiting = len(self._waiting)

    def refused(self, connection: Connection, refusal: Refusal, wanted: Connect | None) -> None:
        """Count and log."""
        self._counts.refused[refusal.reason] += 1
        target = wanted.target if wanted is not None else ""
        log.info(
            "connect refused", target=target, status=refusal.status, reason=refusal.reason, client=connection.peer,
            text=refusal.text,
        )  # fmt: skip

    def wants(self, connection: Connection, wanted: Connect) -> "asyncio.Task[None] | None":
        """Begin to answer; None when the proxy is leaving."""
        return self._tasks.create_task(self._answered(connection, wanted), name=f"connect {wanted.host}")

    # --- a CONNECT

    async def _answered(self, connection: Connection, wanted: Connect) -> None:
        try:
            refusal = await self._served(connection, wanted)
        except Exception as error:  # noqa: BLE001 - a fault of ours in one connection must not end the others
            log.error("the proxy failed", exception=error, target=wanted.target)
            refusal = Refusal(HTTPStatus.INTERNAL_SERVER_ERROR, "fault", "the proxy failed; its log says how")
            if not connection.speaks:
                connection.close()
                self.left(connection)
                return
        if refusal is not None:
            connection.refuse(refusal, wanted)

    async def _served(self, connection: Connection, wanted: Connect) -> Refusal | None:
        """Give a tunnel or return why there is none."""
        if self._stopping():
            return Refusal(HTTPStatus.SERVICE_UNAVAILABLE, "stopping", "the proxy is shutting down", retry_after=1)
        caller = await self._identified(wanted)
        if isinstance(caller, Refusal):
            return caller
        host = self._hosts.find(wanted.host, wanted.port)
        if host is not None and not host.enabled:
            states = ", ".join(f"{place.name} ({place.state})" for place in host.places)
            text = f"provider_disabled: {wanted.host} is reached through providers only that are not enabled: {states}"
            return Refusal(HTTPStatus.SERVICE_UNAVAILABLE, "disabled", text)
        if refusal := self.places.take(caller.token_id):
            return refusal
        kept = False
        try:
            if host is None:
                opened = await self._tunnelled(connection, wanted, caller)
            else:
                opened = await self._intercepted(connection, wanted, caller, host)
            if isinstance(opened, Refusal):
                return opened
            self.left(connection)
            kept = opened
            return None
        finally:
            if not kept:
                self.places.give_back(caller.token_id)

    async def _identified(self, wanted: Connect) -> Caller | Refusal:
        if not wanted.token:
            known = wanted.token is None
            reason, text = ("missing_credentials", _NO_TOKEN) if known else ("invalid_credentials", _NO_TOKEN)
            return Refusal(HTTPStatus.PROXY_AUTHENTICATION_REQUIRED, reason, text)
        try:
            return await self._authority.identify(wanted.token)
        except NotSignedIn as error:
            return Refusal(HTTPStatus.PROXY_AUTHENTICATION_REQUIRED, "invalid_token", str(error))
        except Forbidden as error:
            return Refusal(HTTPStatus.FORBIDDEN, "forbidden", str(error))
        except StoreUnavailable as error:
            return Refusal(HTTPStatus.SERVICE_UNAVAILABLE, "store", str(error), retry_after=1)

    async def _tunnelled(self, connection: Connection, wanted: Connect, caller: Caller) -> Refusal | bool:
        """Return whether the tunnel stands, or why it cannot."""
        far = await self._dialer.dial(wanted)
        if isinstance(far, Refusal):
            return far
        transport = connection.transport
        blind = _Blind(wanted, caller, wanted.token or "", time.monotonic())
        blind.quiet_since = blind.began
        near = Side()
        if transport is not None:
            near.connection_made(transport)
            transport.set_protocol(near)
            connection.accept("tunneled")
        self._blind.add(blind)
        self._counts.opened["tunneled"] += 1
        self._counts.open["tunneled"] += 1
        blind.tunnel = Tunnel(near, far, partial(self._tunnel_over, blind))
        return True

    def _tunnel_over(self, blind: _Blind) -> None:
        self._blind.discard(blind)
        self.places.give_back(blind.caller.token_id)
        counts, seconds = self._counts, time.monotonic() - blind.began
        sent, received = blind.tunnel.carried if blind.tunnel is not None else blind.carried
        counts.open["tunneled"] -= 1
        counts.sent += sent
        counts.received += received
        counts.tunnels.add(seconds)
        log.info(
            "tunnel closed", target=blind.wanted.target, initiator=blind.caller.username,
            api_key_id=blind.caller.token_id, sent=sent, received=received, seconds=round(seconds, 1), why=blind.why,
        )  # fmt: skip

    async def _intercepted(self, connection: Connection, wanted: Connect, caller: Caller, host: Host) -> Refusal | bool:
        """Return whether the connection is served, or why it cannot be."""
        try:
            context = await self._contexts.context(wanted.host)
        except CoderaiError as error:
            return Refusal(HTTPStatus.SERVICE_UNAVAILABLE, "certificate", str(error))
        transport = connection.transport
        if transport is None:
            return False
        try:
            first = await connection.first_bytes(HANDSHAKE_SECONDS)
        except TimeoutError:
            text = "the tunnel stands, but nothing was said in it"
            return Refusal(HTTPStatus.REQUEST_TIMEOUT, "silent", text)
        if first[0] != TLS_HANDSHAKE and host.tls:
            text = f"plain HTTP inside the tunnel: {wanted.host} is spoken to in TLS"
            return Refusal(HTTPStatus.BAD_REQUEST, "plain_inside", text)
        early = first
        if first[0] == TLS_HANDSHAKE:
            try:
                transport, early = await decrypted(transport, context, first)
            except OSError as error:
                self._handshake_failed(connection, wanted, caller, error)
                return False
        else:
            transport.resume_reading()
        if transport.is_closing():
            return False
        session = Session(new_id(), wanted, caller, wanted.token or "", partial(self._session_over, caller.token_id))
        self._counts.opened["mitm"] += 1
        self._counts.open["mitm"] += 1
        self._inside.welcome(session, transport, early)
        return True

    def _session_over(self, token_id: str) -> None:
        self.places.give_back(token_id)
        self._counts.open["mitm"] -= 1

    def _handshake_failed(self, connection: Connection, wanted: Connect, caller: Caller, error: OSError) -> None:
        self._counts.handshakes_failed += 1
        reason = (error.reason or str(error)) if isinstance(error, ssl.SSLError) else type(error).__name__
        log.info("TLS inside a tunnel failed", target=wanted.target, initiator=caller.username, reason=reason)
        connection.close()

    # --- while tunnels are open

    async def watch(self) -> None:
        """Look after open tunnels, for ever: idle ones, and those whose token does not work any more."""
        while True:
            await asyncio.sleep(self._limits.sweep_seconds)
            await self.sweep(time.monotonic())

    async def sweep(self, now: float) -> None:
        """End what is idle for too long, leads past us by now, or was opened with a token that does not work now."""
        tokens = {each.token for each in self._blind} | {each.token for each, _ in self._inside.sessions()}
        dead = {token for token in tokens if not await self._works(token)}
        for blind in tuple(self._blind):
            self._look_at(blind, now, dead)
        idle = now - self._limits.idle_seconds
        for session, handler in tuple(self._inside.sessions()):
            if not session.running and (session.token in dead or session.since < idle):
                handler.force_close()  # what runs has been let in, and ends as it would without the proxy

    def _look_at(self, blind: _Blind, now: float, dead: set[str]) -> None:
        if blind.tunnel is None:
            return
        carried = blind.tunnel.carried
        if carried != blind.carried:
            blind.carried, blind.quiet_since = carried, now
        if blind.token in dead:
            blind.why = "the token does not work any more"
        elif self._hosts.find(blind.wanted.host, blind.wanted.port) is not None:
            blind.why = "its host is a provider's by now"  # what is said next would not be recorded
        elif now - blind.quiet_since > self._limits.idle_seconds:
            blind.why = "idle"
        else:
            return
        blind.tunnel.abort()

    async def _works(self, token: str) -> bool:
        try:
            await self._authority.look(token)
        except (NotSignedIn, Forbidden):
            return False
        except StoreError:
            return True  # nobody can tell; new requests are judged by themselves
        return True

    async def leave(self) -> None:
        """End everything that is open."""
        for connection in tuple(self._waiting):
            connection.close()
        for blind in tuple(self._blind):
            blind.why = "the proxy stopped"
            if blind.tunnel is not None:
                blind.tunnel.abort()
        with suppress(TimeoutError):
            async with asyncio.timeout(_LEAVING_SECONDS):
                await self._inside.shutdown(_LEAVING_SECONDS / 2)


_LEAVING_SECONDS: Final = 2.0
