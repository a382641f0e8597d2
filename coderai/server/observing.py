"""Who is told what happens: logs, metrics and traces, as far as the settings want them."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from aiohttp import web

from coderai import __version__
from coderai.control.served import Served
from coderai.errors import BadSettings, StoreError
from coderai.gateway.calling import told
from coderai.gateway.limits import Limits
from coderai.gateway.passthrough import Passthrough
from coderai.gateway.watch import Watch
from coderai.observe.logs import ROOT
from coderai.observe.recordlog import Sink, record_logs
from coderai.observe.timeline import Observer
from coderai.providers.anthropic import BEDROCK
from coderai.providers.breaker import Breakers, Name, Rule, State
from coderai.providers.registry import FAMILIES, Registry
from coderai.recorder import Recorder
from coderai.server.connections import open_listener
from coderai.server.listeners import runner_for
from coderai.server.openings import Opening
from coderai.settings import Settings
from coderai.store.engine import Store
from coderai.store.size import size

if TYPE_CHECKING:  # imported when they are wanted: start-up time and memory are promises
    from prometheus_client import Metric

    from coderai.observe.gauges import Gauges
    from coderai.observe.metrics import Metrics

ROUTES = {
    (family.name, api): family.prefix + path
    for family in (*FAMILIES.values(), BEDROCK)
    for path, api in family.recorded.items()
}
"""Patterns of recorded routes, as labels."""
_SIZE_SECONDS: Final = 1.0


@dataclass(frozen=True, slots=True)
class Observing:
    """Everybody who is told."""

    sinks: Sequence[Sink]
    """Of the recorder."""
    observers: Sequence[Observer]
    """Of the data plane."""
    metrics: "Metrics | None" = None

    def breakers(self, rule: Rule) -> Breakers:
        """Return circuits whose changes are logged and counted."""
        metrics = self.metrics
        if metrics is None:
            return Breakers(rule, told)

        def changed(name: Name, before: State, after: State) -> None:
            told(name, before, after)
            if after is State.OPEN:
                metrics.circuit_opened(*name)

        return Breakers(rule, changed, rejected=lambda name: metrics.circuit_rejected(*name))


@asynccontextmanager
async def observing(settings: Settings, registry: Registry) -> AsyncIterator[Observing]:
    """Open what the settings want. Raises BadSettings."""
    sinks: list[Sink] = [*record_logs(structured=settings.aibridge_structured_logging)]
    observers: list[Observer] = []
    metrics = None
    async with AsyncExitStack() as stack:
        if settings.prometheus_enable:
            from coderai.observe.metrics import Metrics

            metrics = Metrics(ROUTES, per_user=settings.prometheus_per_user)
            sinks.append(metrics)
            observers.append(metrics)
        if settings.trace:
            observers.append(await stack.enter_async_context(_tracing(settings, registry)))
        yield Observing(sinks, observers, metrics)


@asynccontextmanager
async def _tracing(settings: Settings, registry: Registry) -> AsyncIterator[Observer]:
    try:
        from coderai.observe.tracing import Notes, tracing
    except ImportError as error:
        raise BadSettings("--trace needs a package that is not installed: pip install 'coderai[otel]'") from error

    def type_of(name: str) -> str:
        instance = registry.find(name)
        return instance.type if instance is not None else "unknown"

    notes, log = Notes(), logging.getLogger(ROOT)
    context = tracing(type_of)
    traces = context.__enter__()
    if settings.trace_logs:
        log.addHandler(notes)
    try:
        yield traces
    finally:
        log.removeHandler(notes)
        await asyncio.to_thread(context.__exit__, None, None, None)  # sends what is left


@dataclass(frozen=True, slots=True)
class Parts:
    """What metrics are read off from."""

    watch: Watch
    limits: Limits
    recorder: Recorder
    served: Served
    registry: Registry
    breakers: Breakers | None
    passthrough: Passthrough
    store: Store
    proxy: "Callable[[], list[Metric]] | None" = None
    """Reads off the intercepting proxy, where it runs."""

    def gauges(self, metrics: "Metrics") -> "Gauges":
        """Return what reads them."""
        from coderai.observe.gauges import Gauges, Sources

        breakers = self.breakers
        sources = Sources(
            running=self.watch,
            limits=self.limits,
            recorder=self.recorder,
            reloads=self.served,
            providers=self.registry.all,
            circuits=breakers.states if breakers is not None else tuple,
            carried=self.passthrough.carried,
            version=__version__,
        )
        return Gauges(sources, metrics, ROUTES)


@asynccontextmanager
async def exposing(opening: Opening | None, metrics: "Metrics | None", parts: Parts) -> AsyncIterator[str | None]:
    """Serve ``/metrics`` on the listener of its own, to anybody who reaches it. Raises BadSettings."""
    if metrics is None or opening is None:
        yield None
        return
    from coderai.observe.exposition import exposed

    gauges = parts.gauges(metrics)

    async def scrape(request: web.Request) -> web.Response:
        room = await _size(parts.store)
        read = gauges.read(room) + (parts.proxy() if parts.proxy is not None else [])
        body, content_type = await asyncio.to_thread(exposed, metrics.registry, read, request.headers.get("Accept", ""))
        return web.Response(body=body, headers={"Content-Type": content_type})

    app = web.Application()
    app.router.add_get("/metrics", scrape)
    runner = runner_for(app)
    await runner.setup()
    servers: list[asyncio.Server] = []
    try:
        servers += await open_listener(runner, opening)
        yield opening.url("http")
    finally:
        for server in servers:
            server.close()
        await runner.cleanup()


async def _size(store: Store) -> int | None:
    """Return the size of the database; None when it does not say so at once, for that is when metrics are needed."""
    try:
        async with asyncio.timeout(_SIZE_SECONDS):
            return await size(store)
    except (StoreError, TimeoutError):
        return None
