"""Composition: open everything, one TaskGroup, serve, leave in order."""

import asyncio
import gc
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from aiohttp import web
from pydantic import SecretStr

from coderai.access.addresses import trusted_proxies
from coderai.api.app import Services
from coderai.api.services import Gateway
from coderai.control.authority import TokenAuthority
from coderai.control.clock import Clock, now
from coderai.control.configured import apply_config, keep_retiring
from coderai.control.first_start import first_start
from coderai.control.personal_keys import SavedKeys
from coderai.control.providers import ProviderControl
from coderai.control.retention import keep_within
from coderai.control.served import Served
from coderai.control.summing import keep_summed
from coderai.control.tokens import Lifetimes
from coderai.control.uses import Uses
from coderai.control.vault import Vault, given_keys
from coderai.errors import CoderaiError, StoreUnusable
from coderai.gateway.app import DataPlane
from coderai.gateway.attribution import ActorHeaders
from coderai.gateway.calling import Calling
from coderai.gateway.exchange import Exchanges
from coderai.gateway.ledger import Ledger
from coderai.gateway.limits import Limits
from coderai.gateway.passthrough import Passthrough
from coderai.gateway.pool import pooling
from coderai.gateway.proxied import proxy_rule, proxying
from coderai.gateway.upstream import Upstream
from coderai.gateway.watch import Patience, Watch
from coderai.gateway.websocket import Sockets
from coderai.gateway.websocket_means import Means
from coderai.gateway.websocket_upstream import ProxyFor, SocketUpstream, connecting
from coderai.observe import logs
from coderai.providers.breaker import Breakers, Rule
from coderai.providers.registry import Registry
from coderai.providers.retries import Retries
from coderai.recorder import Recorder, recording
from coderai.server import pages
from coderai.server.connections import allow_descriptors
from coderai.server.introduction import introduction
from coderai.server.listeners import announced, listening_privately, listening_publicly, private_app, runner_for
from coderai.server.notifying import Notifier
from coderai.server.observing import Observing, Parts, exposing, observing
from coderai.server.openings import Openings, openings
from coderai.settings import Loaded, Settings
from coderai.settings.rendering import shown
from coderai.store import processes
from coderai.store.engine import Store, Synchronous, open_store

log = logs.get("server")

if TYPE_CHECKING:
    from coderai.gateway.dump import Dumps


@dataclass(frozen=True, slots=True)
class Ready:
    """The server listens."""

    url: str
    """Of the HTTP listener, or of the TLS listener where it is the only one."""
    data_dir: Path
    socket: Path
    """Private socket of the local owner."""
    introduction: str
    """Lines for the person who started it."""


async def serve(
    loaded: Loaded,
    *,
    stop: asyncio.Event,
    ready: Callable[[Ready], None] | None = None,
    again: asyncio.Event | None = None,
    environ: Mapping[str, str] | None = None,
    clock: Clock = now,
) -> None:
    """Run until *stop* is set; leave in the order jobs, listeners, exchanges, recorder, store.

    When *again* is set, certificates are read anew. Raises BadSettings, StoreUnusable, StoreUnavailable when it cannot
    start, an ExceptionGroup of them where there is more than one reason.
    """
    settings = loaded.settings
    make_data_dir(settings.data_dir)
    async with AsyncExitStack() as stack:
        opened = stack.enter_context(await openings(settings))
        synchronous: Synchronous = "NORMAL" if settings.database_synchronous == "normal" else "FULL"
        store = await stack.enter_async_context(open_store(settings.database, synchronous=synchronous, clock=clock))
        keys_given = bool(settings.external_token_encryption_keys.get_secret_value())
        first = await first_start(store, settings.data_dir, keys_given=keys_given)
        vault = Vault.load(settings.data_dir, settings.external_token_encryption_keys.get_secret_value())
        names = [each.name for each in settings.providers]
        await processes.introduce(store, key_ids=vault.key_ids, providers=names)  # before we rely on either
        await vault.check(store)
        if trouble := await vault.disagreement(store):
            log.warning(trouble)
        vanished = await apply_config(store, settings.providers)
        registry = Registry()
        told = await stack.enter_async_context(observing(settings, registry))
        recorder = await stack.enter_async_context(_recording(settings, store, told))
        uses = Uses(store)
        stack.push_async_callback(uses.flush)
        refreshing = not settings.disable_session_expiry_refresh
        authority = TokenAuthority(store, clock, uses=uses, keys=SavedKeys(store, vault), refreshing=refreshing)
        watch = Watch(_patience(settings))
        proxies = proxy_rule(os.environ if environ is None else environ)
        upstream = await _upstream(stack, proxies)
        socket_upstream = await stack.enter_async_context(connecting(proxies))
        dumps = await _dumps(stack, settings, upstream)
        breakers = _breakers(settings, told)
        plane, passthrough = _plane(
            settings,
            Ledger(recorder, clock),
            registry,
            authority,
            watch,
            upstream,
            socket_upstream,
            dumps,
            breakers,
            told,
        )
        lifetimes = _lifetimes(settings)
        providers = ProviderControl(store, vault)
        served = Served(providers, settings.providers, registry, allow_byok=settings.aibridge_allow_byok)
        await served.reload()
        gateway = Gateway(
            registry,
            settings.aibridge_enabled,
            settings.aibridge_allow_byok,
            upstream,
            served.refresh,
            flights=watch.flights,
            circuits=breakers.states if breakers is not None else tuple,
        )
        services = Services.over(store, settings=settings, lifetimes=lifetimes, vault=vault, gateway=gateway)
        services = replace(services, deployment=partial(shown, loaded))
        proxy = None
        if opened.interception is not None and told.metrics is not None:
            proxy = opened.interception.metrics(registry, gateway.proxy, served)
        parts = Parts(watch, plane.limits, recorder, served, registry, breakers, passthrough, store, proxy)
        async with asyncio.TaskGroup() as tasks:
            jobs = [
                tasks.create_task(authority.follow(store.changes()), name="token changes"),
                tasks.create_task(served.follow(store.changes()), name="provider changes"),
                tasks.create_task(processes.attend(store), name="heartbeat"),
                tasks.create_task(keep_within(store, settings, clock=clock, told=told.metrics), name="retention"),
                tasks.create_task(keep_summed(store), name="usage by the hour"),
                tasks.create_task(uses.keep(), name="last uses"),
                tasks.create_task(keep_retiring(store, settings.providers), name="configured providers"),
                tasks.create_task(watch.run(), name="watch"),
            ]
            if opened.certificates is not None:
                jobs.insert(0, tasks.create_task(opened.certificates.keep(again), name="certificates"))
            async with (
                listening_privately(services) as socket,
                _intercepting(opened, registry, authority, plane, gateway, told) as proxy_url,
                exposing(opened.metrics, told.metrics, parts) as metrics_url,
                pages.opened(services, authority) as house,
                listening_publicly(
                    settings, opened, services, authority, plane, watch, house, told.observers
                ) as addresses,
                announced(settings.data_dir, socket, addresses.url, settings),
            ):
                if ready is not None:
                    text = introduction(settings, store, registry, first, vanished, addresses, metrics_url, proxy_url)
                    ready(Ready(addresses.url, settings.data_dir, socket, text))
                await stop.wait()
                for job in jobs[:-1]:  # the watch is needed until the last exchange has ended
                    job.cancel()
            jobs[-1].cancel()


@asynccontextmanager
async def _intercepting(
    opened: Openings,
    registry: Registry,
    authority: TokenAuthority,
    plane: DataPlane,
    gateway: Gateway,
    told: Observing,
) -> AsyncIterator[str | None]:
    """Run the intercepting proxy where it is wanted. It surrounds the listeners, which drain first."""
    if opened.proxy is None or opened.interception is None:
        yield None
        return
    from coderai.server.intercepting import intercepting  # only where it is wanted: it takes memory

    async with intercepting(
        opened.proxy, opened.interception, registry, authority, plane, gateway.proxy, told.observers
    ) as url:
        yield url


@asynccontextmanager
async def local_api(
    *, data_dir: Path, database_url: str | None, environ: Mapping[str, str] = os.environ
) -> AsyncIterator[web.AppRunner]:
    """Host the API for the local owner, without a listener, jobs or configuration: for commands without a server."""
    make_data_dir(data_dir)
    settings = Settings(data_dir=data_dir, database_url=SecretStr(database_url or ""))
    async with open_store(settings.database, jobs=False) as store:
        await first_start(store, data_dir)
        vault = await Vault.load(data_dir, given_keys(environ)).careful(store)
        services = Services.over(store, settings=settings, lifetimes=_lifetimes(settings), vault=vault)
        runner = runner_for(private_app(services))
        await runner.setup()
        try:
            yield runner
        finally:
            await runner.cleanup()


def run(loaded: Loaded) -> int:
    """Serve until SIGTERM or SIGINT; a second one leaves at once. SIGHUP reopens the logs and reads certificates anew.

    Returns the exit code.
    """
    import uvloop

    async def until_told() -> None:
        stop, again = asyncio.Event(), asyncio.Event()
        manager = Notifier.of(os.environ, os.getpid())

        def leave() -> None:
            if stop.is_set():
                os._exit(130)
            _say("Stopping: running exchanges may finish; once more to leave at once.")
            manager.stopping("Stopping: running exchanges may finish")
            stop.set()

        def reopen() -> None:
            with manager.reloading():
                logs.reopen()
                again.set()

        def begin(ready: Ready) -> None:
            _begin(ready)
            manager.ready(f"Listening at {ready.url}")

        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, leave)
        asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, reopen)
        with manager.alive():
            await serve(loaded, stop=stop, ready=begin, again=again)

    allow_descriptors()
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(until_told())
    except CoderaiError as error:
        _say(f"error: {error}")
        return 1
    except BaseExceptionGroup as group:
        if group.split(CoderaiError)[1] is not None:
            raise
        for each in _single(group):
            _say(f"error: {each}")
        return 1
    return 0


def _single(error: BaseException) -> Iterator[BaseException]:
    """Yield what a group holds, however deep: the store and the recorder have groups of tasks of their own."""
    if isinstance(error, BaseExceptionGroup):
        for each in error.exceptions:
            yield from _single(each)
    else:
        yield error


def make_data_dir(path: Path) -> None:
    """Create the data directory for its owner only. Raises StoreUnusable."""
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise StoreUnusable(f"the data directory {path} cannot be made: {error.strerror}") from error


def _recording(settings: Settings, store: Store, told: Observing) -> AbstractAsyncContextManager[Recorder]:
    return recording(
        store.records,
        told.sinks,
        clock=store.clock,
        told=told.metrics.committed if told.metrics is not None else None,
        begin_wait=settings.recorder_begin_wait.total_seconds(),
        end_wait=settings.recorder_end_wait.total_seconds(),
    )


def _patience(settings: Settings) -> Patience:
    return Patience(
        upstream=settings.aibridge_upstream_timeout.total_seconds(),
        keep_alive=settings.aibridge_keep_alive_interval.total_seconds(),
        drain=settings.aibridge_drain_timeout.total_seconds(),
    )


def _lifetimes(settings: Settings) -> Lifetimes:
    return Lifetimes(
        default=settings.default_token_lifetime,
        maximum=settings.max_token_lifetime,
        owner_maximum=settings.max_admin_token_lifetime,
    )


async def _upstream(stack: AsyncExitStack, proxies: ProxyFor | None) -> Upstream:
    pool = await stack.enter_async_context(pooling())
    if proxies is None:
        return Upstream(pool)
    proxied = await stack.enter_async_context(proxying())
    return Upstream(pool, proxied.send, proxies)


async def _dumps(stack: AsyncExitStack, settings: Settings, upstream: Upstream) -> "Dumps | None":
    if not settings.aibridge_dump_dir:
        return None
    from coderai.gateway.dump import dumping

    return await stack.enter_async_context(dumping(upstream, Path(settings.aibridge_dump_dir)))


def _plane(
    settings: Settings,
    ledger: Ledger,
    registry: Registry,
    authority: TokenAuthority,
    watch: Watch,
    upstream: Upstream,
    socket_upstream: SocketUpstream,
    dumps: "Dumps | None",
    breakers: Breakers | None,
    told: Observing,
) -> tuple[DataPlane, Passthrough]:
    most = settings.aibridge_max_request_bytes
    calling = Calling(upstream, Retries(settings.aibridge_max_retries), breakers, dumps=dumps)
    exchanges = Exchanges(ledger, calling, watch, most)
    passthrough = Passthrough(calling, watch, most)
    limits = Limits(settings.aibridge_max_concurrency, settings.aibridge_rate_limit)
    sockets = Sockets(
        socket_upstream, Means(ledger, watch, limits, breakers, dumps=dumps, observers=told.observers), most
    )
    actors = ActorHeaders(
        send=settings.aibridge_send_actor_headers,
        id_header=settings.aibridge_actor_header_id,
        username_header=settings.aibridge_actor_header_username,
    )
    plane = DataPlane(
        authority,
        registry,
        exchanges,
        passthrough,
        sockets,
        allow_byok=settings.aibridge_allow_byok,
        limits=limits,
        actors=actors,
        proxies=trusted_proxies(settings.proxy_trusted_origins, settings.proxy_trusted_headers),
    )
    return plane, passthrough


def _breakers(settings: Settings, told: Observing) -> Breakers | None:
    if not settings.aibridge_circuit_breaker_enabled:
        return None
    rule = Rule(
        threshold=settings.aibridge_circuit_breaker_failure_threshold,
        interval=settings.aibridge_circuit_breaker_interval.total_seconds(),
        timeout=settings.aibridge_circuit_breaker_timeout.total_seconds(),
        probes=settings.aibridge_circuit_breaker_max_requests,
    )
    return told.breakers(rule)


def _begin(ready: Ready) -> None:
    _say(ready.introduction)
    # What start-up made stays for good: the collector need not look through it again and again, in every thread.
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)  # noqa: T201 - for the person who started it
