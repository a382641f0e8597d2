"""The intercepting proxy as a part of the server: its files, its listener, what it tells others."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from ipaddress import ip_network
from typing import TYPE_CHECKING, Final, cast
from urllib.parse import urlsplit

from aiohttp import web

from coderai.api.services import ProxyDoor
from coderai.control.authority import TokenAuthority
from coderai.control.served import Served
from coderai.errors import BadSettings
from coderai.gateway.app import DataPlane
from coderai.gateway.observing import observing
from coderai.observe import logs
from coderai.observe.timeline import Observer
from coderai.providers.registry import Registry
from coderai.proxy.ca import SOON, Authority, Contexts
from coderai.proxy.counts import Counts
from coderai.proxy.describing import described
from coderai.proxy.dialing import Dialer, onward
from coderai.proxy.files import Pair, authority_files, listener_files, read_certificate
from coderai.proxy.head import canonical
from coderai.proxy.hosts import EXCLUDED, Hosts
from coderai.proxy.inside import Inside
from coderai.proxy.listening import listening
from coderai.proxy.renewing import keep_renewed
from coderai.proxy.server import Limits
from coderai.proxy.targets import Policy, Rules
from coderai.server.connections import BOUNDS, Connection
from coderai.server.openings import Opening
from coderai.settings import Settings
from coderai.settings.forms import split_address

if TYPE_CHECKING:
    from prometheus_client import Metric

log = logs.get("proxy")

_LOOK_SECONDS: Final = 30.0


@dataclass(frozen=True, slots=True)
class Prepared:
    """What the options name, read and found good before anything is opened."""

    authority: Pair
    contexts: Contexts
    listener: Pair | None
    tls: ssl.SSLContext | None
    dialer: Dialer
    limits: Limits
    pass_outside: bool
    counts: Counts = field(default_factory=Counts)

    def metrics(self, registry: Registry, door: ProxyDoor, reloads: Served) -> "Callable[[], list[Metric]]":
        """Return what reads everything off."""
        from coderai.observe.proxying import ProxySources, read_proxy

        def providers() -> list[tuple[str, str, str]]:
            excluded = door.excluded()
            return [
                (each.name, each.type, EXCLUDED if each.name in excluded else each.state) for each in registry.all()
            ]

        contexts = self.contexts
        sources = ProxySources(self.counts, contexts, lambda: contexts.authority.not_after, providers, reloads)
        return lambda: read_proxy(sources)


def prepared(settings: Settings) -> Prepared:
    """Read the options of the proxy and the files they name. Raises BadSettings, an ExceptionGroup of them."""
    problems: list[BadSettings] = []
    authority = contexts = listener = tls = dialer = None
    try:
        authority = authority_files(settings)
        contexts = Contexts(Authority.load(authority.cert, authority.key, now=datetime.now(UTC)))
    except BadSettings as error:
        problems.append(error)
    try:
        listener = listener_files(settings)
        tls = _listener_context(listener) if listener is not None else None
    except BadSettings as error:
        problems.append(error)
    try:
        dialer = _dialer(settings)
    except BadSettings as error:
        problems.append(error)
    if problems or authority is None or contexts is None or dialer is None:
        raise ExceptionGroup("the proxy cannot be started", problems)
    limits = Limits(
        tunnels=settings.aibridge_proxy_max_tunnels,
        per_token=settings.aibridge_proxy_max_tunnels_per_token,
        idle_seconds=settings.aibridge_proxy_idle_timeout.total_seconds(),
    )
    return Prepared(authority, contexts, listener, tls, dialer, limits, settings.aibridge_proxy_outside_paths == "pass")


def _dialer(settings: Settings) -> Dialer:
    own = urlsplit(settings.access_url)
    host = canonical(own.hostname or "")
    rules = Rules(
        ports=frozenset(map(int, settings.aibridge_proxy_tunnel_ports)),
        private=tuple(map(ip_network, settings.aibridge_proxy_allowed_private_cidrs)),
        own=frozenset({(host, own.port or (443 if own.scheme == "https" else 80))} if host else ()),
        policy=cast(Policy, settings.aibridge_proxy_tunnels),
        allowlist=settings.aibridge_proxy_tunnel_allowlist,
    )
    through, ca_file = settings.aibridge_proxy_upstream, settings.aibridge_proxy_upstream_ca
    return Dialer(rules, onward(through, ca_file) if through else None)


def _listener_context(files: Pair) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    _load(context, files)
    return context


def _load(context: ssl.SSLContext, files: Pair) -> None:
    """Read the listener's certificate; new connections get it. Raises BadSettings."""
    what = f"--aibridge-proxy-tls-cert-file {files.cert} with --aibridge-proxy-tls-key-file {files.key}"
    try:
        context.load_cert_chain(files.cert, files.key)
    except ssl.SSLError as error:  # before OSError, of which it is one
        raise BadSettings(f"{what}: they cannot be used together ({error.reason or error})") from error
    except OSError as error:
        raise BadSettings(f"{what}: {error.strerror}") from error
    end, now = described(read_certificate(files.cert)).not_after, datetime.now(UTC)
    if end <= now:
        raise BadSettings(f"{what}: it expired on {end:%Y-%m-%d}")
    if end - now < SOON:
        log.warning("the proxy's certificate ends soon", file=str(files.cert), not_after=str(end))


@asynccontextmanager
async def intercepting(
    opening: Opening,
    ready: Prepared,
    registry: Registry,
    authority: TokenAuthority,
    plane: DataPlane,
    door: ProxyDoor,
    observers: Sequence[Observer],
) -> AsyncIterator[str]:
    """Run the proxy and give its URL. What is open ends with the context."""
    counts = ready.counts
    idle = ready.limits.idle_seconds + ready.limits.sweep_seconds  # the proxy itself looks after idle connections
    options = {**BOUNDS.options(), "keepalive_timeout": idle, "loop": asyncio.get_running_loop()}

    def make(server: web.Server) -> web.RequestHandler:
        return Connection(server, BOUNDS, **options)

    hosts = Hosts(registry)
    outside = plane.handle_outside if ready.pass_outside else None
    inside = Inside(observing(plane.handle, observers), hosts, registry, counts, make, outside)
    async with (
        asyncio.TaskGroup() as tasks,
        listening(
            opening.sockets, ready.tls, authority, hosts, ready.contexts, ready.dialer, inside, counts, ready.limits,
            lambda: plane.stopping,
        ),
    ):  # fmt: skip
        jobs = [tasks.create_task(keep_renewed(ready.contexts, ready.authority), name="interception CA")]
        if ready.listener is not None and ready.tls is not None:
            jobs.append(tasks.create_task(Shown(ready.tls, ready.listener).keep(), name="proxy certificate"))
        url = opening.url("https" if ready.tls is not None else "http")
        host = split_address(opening.address)[0] or ""
        door.certificate_pem = lambda: ready.contexts.authority.certificate_pem
        door.host = _known_as(host, ready.listener)
        door.port, door.tls = opening.sockets[0].getsockname()[1], ready.tls is not None
        door.excluded = hosts.excluded
        for name, owner in hosts.excluded().items():
            log.warning("provider is not reached through the proxy: another one has its base URL", provider=name,
                        reached=owner)  # fmt: skip
        try:
            yield url
        finally:
            door.certificate_pem, door.excluded = None, dict
            for job in jobs:
                job.cancel()


def _known_as(host: str, listener: Pair | None) -> str:
    """Return where clients find the proxy: its certificate says it, else its address; empty: where the gateway is."""
    if listener is not None and (names := described(read_certificate(listener.cert)).names):
        return next((name for name in names if "*" not in name), "")
    return "" if host in ("0.0.0.0", "::") else host  # noqa: S104 - compared, not bound


class Shown:
    """The certificate of the listener, which follows its files."""

    def __init__(self, context: ssl.SSLContext, files: Pair) -> None:
        self._context = context
        self._files = files
        self._seen = _signature(files)

    async def keep(self) -> None:
        """Look again and again, until cancelled."""
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            self.look()

    def look(self) -> None:
        """Show a new certificate to new connections, when there is one that can be used."""
        now = _signature(self._files)
        if now is None or now == self._seen:
            return
        self._seen = now
        try:
            _listener_context(self._files)  # tried elsewhere first: half of a pair would spoil the one in use
            _load(self._context, self._files)
        except BadSettings as error:
            log.warning("the proxy's certificate changed and cannot be used: the old one stays", reason=str(error))
        else:
            log.info("the proxy's certificate was read again", file=str(self._files.cert))


def _signature(files: Pair) -> tuple[int, ...] | None:
    try:
        return files.signature()
    except OSError:
        return None
