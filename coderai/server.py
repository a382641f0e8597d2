"""Composition: open everything, one TaskGroup, serve, leave in order."""

import asyncio
import json
import os
import signal
import sys
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from aiohttp import web
from pydantic import SecretStr

from coderai import __version__
from coderai.api.app import PREFIXES, Services, add_routes
from coderai.control.authority import TokenAuthority
from coderai.control.first_start import FirstStart, first_start
from coderai.control.providers import apply_config
from coderai.control.retention import keep_within
from coderai.control.tokens import Lifetimes
from coderai.errors import BadSettings, CoderaiError, StoreUnusable
from coderai.gateway.app import DataPlane
from coderai.gateway.exchange import Exchanges
from coderai.gateway.passthrough import Passthrough
from coderai.gateway.pool import pooling
from coderai.gateway.proxied import proxy_rule, proxying
from coderai.gateway.upstream import Upstream
from coderai.gateway.watch import Patience, Watch
from coderai.kinds import RESERVED_NAMES
from coderai.observe import logs
from coderai.observe.recordlog import record_logs
from coderai.providers.registry import Instance, Registry, build
from coderai.recorder import Recorder, recording
from coderai.settings import Loaded, Settings
from coderai.settings.forms import split_address
from coderai.store import processes
from coderai.store.engine import Store, Synchronous, open_store

log = logs.get("server")

SERVER_FILE: Final = "server.json"
_LINE_BYTES: Final = 1 << 16
"""Longest request line and header line; Codex' turn metadata grows with the number of folders."""
_READ_BYTES: Final = 1 << 19
_CLEANUP_SECONDS: Final = 5.0


@dataclass(frozen=True, slots=True)
class Ready:
    """The server listens."""

    url: str
    """Of the HTTP listener."""
    data_dir: Path
    socket: Path
    """Private socket of the local owner."""


async def serve(
    loaded: Loaded,
    *,
    stop: asyncio.Event,
    ready: Callable[[Ready], None] | None = None,
    environ: Mapping[str, str] | None = None,
) -> None:
    """Run until *stop* is set; leave in the order jobs, listeners, exchanges, recorder, store.

    Raises BadSettings, StoreUnusable, StoreUnavailable when it cannot start.
    """
    settings = loaded.settings
    make_data_dir(settings.data_dir)
    async with AsyncExitStack() as stack:
        synchronous: Synchronous = "NORMAL" if settings.database_synchronous == "normal" else "FULL"
        store = await stack.enter_async_context(open_store(settings.database, synchronous=synchronous))
        keys_given = bool(settings.external_token_encryption_keys.get_secret_value())
        first = await first_start(store, settings.data_dir, keys_given=keys_given)
        vanished = await apply_config(store, settings.providers)
        sinks = record_logs(structured=settings.aibridge_structured_logging)
        recorder = await stack.enter_async_context(recording(store.records, sinks))
        registry = Registry(build(each, allow_byok=settings.aibridge_allow_byok) for each in settings.providers)
        authority = TokenAuthority(store)
        watch = Watch(_patience(settings))
        upstream = await _upstream(stack, os.environ if environ is None else environ)
        plane = _plane(settings, recorder, registry, authority, watch, upstream)
        services = Services.over(store, settings=settings, lifetimes=_lifetimes(settings))
        async with asyncio.TaskGroup() as tasks:
            jobs = [
                tasks.create_task(authority.follow(store.changes()), name="token changes"),
                tasks.create_task(processes.attend(store), name="heartbeat"),
                tasks.create_task(keep_within(store, settings), name="retention"),
                tasks.create_task(watch.run(), name="watch"),
            ]
            async with (
                _listening_privately(services) as socket,
                _listening_publicly(settings, services, authority, plane, watch) as url,
                _announced(settings.data_dir, socket, url, settings),
            ):
                _say(_introduction(settings, store, registry, first, vanished, url))
                if ready is not None:
                    ready(Ready(url, settings.data_dir, socket))
                await stop.wait()
                for job in jobs[:-1]:  # the watch is needed until the last exchange has ended
                    job.cancel()
            jobs[-1].cancel()


@asynccontextmanager
async def local_api(*, data_dir: Path, database_url: str | None) -> AsyncIterator[web.AppRunner]:
    """Host the API for the local owner, without a listener, jobs or configuration: for commands without a server."""
    make_data_dir(data_dir)
    settings = Settings(data_dir=data_dir, database_url=SecretStr(database_url or ""))
    async with open_store(settings.database, jobs=False) as store:
        await first_start(store, data_dir)
        services = Services.over(store, settings=settings, lifetimes=_lifetimes(settings))
        runner = _runner(_private_app(services))
        await runner.setup()
        try:
            yield runner
        finally:
            await runner.cleanup()


def run(loaded: Loaded) -> int:
    """Serve until SIGTERM or SIGINT; a second one leaves at once. Returns the exit code."""
    import uvloop

    async def until_told() -> None:
        stop = asyncio.Event()

        def leave() -> None:
            if stop.is_set():
                os._exit(130)
            _say("Stopping: running exchanges may finish; once more to leave at once.")
            stop.set()

        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, leave)
        await serve(loaded, stop=stop)

    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(until_told())
    except CoderaiError as error:
        _say(f"error: {error}")
        return 1
    except BaseExceptionGroup as group:
        ours, others = group.split(CoderaiError)
        if others is not None:
            raise
        assert ours is not None
        for each in ours.exceptions:
            _say(f"error: {each}")
        return 1
    return 0


def make_data_dir(path: Path) -> None:
    """Create the data directory for its owner only. Raises StoreUnusable."""
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise StoreUnusable(f"the data directory {path} cannot be made: {error.strerror}") from error


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


async def _upstream(stack: AsyncExitStack, environ: Mapping[str, str]) -> Upstream:
    pool = await stack.enter_async_context(pooling())
    rule = proxy_rule(environ)
    if rule is None:
        return Upstream(pool)
    proxied = await stack.enter_async_context(proxying())
    return Upstream(pool, proxied.send, rule)


def _plane(
    settings: Settings,
    recorder: Recorder,
    registry: Registry,
    authority: TokenAuthority,
    watch: Watch,
    upstream: Upstream,
) -> DataPlane:
    most = settings.aibridge_max_request_bytes
    exchanges = Exchanges(recorder, upstream, watch, most)
    passthrough = Passthrough(upstream, watch, most)
    return DataPlane(authority, registry, exchanges, passthrough, allow_byok=settings.aibridge_allow_byok)


def _runner(app: web.Application) -> web.AppRunner:
    return web.AppRunner(
        app,
        access_log=None,
        handle_signals=False,
        handler_cancellation=False,  # a client that leaves is noticed by the watch; its records are kept
        auto_decompress=False,  # bodies are forwarded as they came
        max_line_size=_LINE_BYTES,
        max_field_size=_LINE_BYTES,
        read_bufsize=_READ_BYTES,
        shutdown_timeout=_CLEANUP_SECONDS,
    )


def _private_app(services: Services) -> web.Application:
    app = web.Application()
    add_routes(app, services, private=True)
    return app


@asynccontextmanager
async def _listening_privately(services: Services) -> AsyncIterator[Path]:
    """A socket that only this user can open; whoever does is the local owner. Short path: 108 bytes is the limit."""
    with tempfile.TemporaryDirectory(prefix="coderai-") as directory:  # mode 0700
        path = Path(directory) / "api"
        runner = _runner(_private_app(services))
        await runner.setup()
        try:
            await web.UnixSite(runner, str(path)).start()
            path.chmod(0o600)
            yield path
        finally:
            await runner.cleanup()


@asynccontextmanager
async def _listening_publicly(
    settings: Settings, services: Services, authority: TokenAuthority, plane: DataPlane, watch: Watch
) -> AsyncIterator[str]:
    app = web.Application()
    add_routes(app, services, authority=authority)
    runner = _runner(app)
    await runner.setup()
    _put_before(runner, plane.handle if settings.aibridge_enabled else _not_mounted)
    host, port = split_address(settings.http_address)
    site = web.TCPSite(runner, host or None, port)
    try:
        await site.start()
    except OSError as error:
        await runner.cleanup()
        reason = os.strerror(error.errno) if error.errno else str(error)
        raise BadSettings(f"cannot listen on --http-address {settings.http_address}: {reason}") from error
    try:
        shown = "127.0.0.1" if host in (None, "", "0.0.0.0", "::") else host  # noqa: S104 - compared, not bound
        bound = runner.addresses[0][1]
        yield f"http://[{shown}]:{bound}" if ":" in shown else f"http://{shown}:{bound}"
    finally:
        await site.stop()
        plane.stopping = True
        await watch.drain(settings.shutdown_grace.total_seconds())
        await runner.cleanup()


def _put_before(runner: web.AppRunner, data_plane: Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]) -> None:
    """Lead calls of the data plane past the router of the management API: it costs them 14 µs each (measured)."""
    server = runner.server
    assert server is not None
    management = server.request_handler

    def handle(request: web.BaseRequest) -> Awaitable[web.StreamResponse]:
        parts = request.raw_path.split("/", 5)
        ours = len(parts) > 4 and f"/{parts[1]}/{parts[2]}/{parts[3]}" in PREFIXES
        name = parts[4].partition("?")[0] if ours else ""
        return data_plane(request) if ours and name not in RESERVED_NAMES else management(request)

    server.request_handler = handle


async def _not_mounted(_request: web.BaseRequest) -> web.Response:
    return web.json_response({"message": "aibridged handler not mounted"}, status=404)


@asynccontextmanager
async def _announced(data_dir: Path, socket: Path, url: str, settings: Settings) -> AsyncIterator[None]:
    """Write down for the command line where the running server is."""
    path = data_dir / SERVER_FILE
    document = {"socket": str(socket), "url": url, "pid": os.getpid(), "version": __version__}
    handle = os.open(path.with_suffix(".new"), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "w") as file:
        json.dump(document, file)
    os.replace(path.with_suffix(".new"), path)
    try:
        yield
    finally:
        with suppress(OSError, ValueError):
            if json.loads(path.read_text())["pid"] == os.getpid():  # another server may have come meanwhile
                path.unlink()


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)  # noqa: T201 - for the person who started it


def _introduction(
    settings: Settings, store: Store, registry: Registry, first: FirstStart, vanished: object, url: str
) -> str:
    database = "coderai.db" if store.dialect == "sqlite" else "PostgreSQL"
    lines = [f"coderai {__version__}  data {settings.data_dir}  database {database} (schema {store.schema_version})"]
    lines += [f"Provider {name} is gone from the configuration and disabled." for name in vanished]  # type: ignore[attr-defined]
    if registry.all():
        lines += ["Providers", *_provider_table(registry)]
    elif settings.aibridge_enabled:
        lines.append("No provider is configured: set CODER_AIBRIDGE_ANTHROPIC_KEY or CODER_AIBRIDGE_OPENAI_KEY.")
    lines.append(f"Started HTTP listener at {url}")
    if settings.aibridge_enabled:
        lines.append(f"Gateway base URLs: {settings.access_url or url}{PREFIXES[0]}/<provider>/")
    else:
        lines.append("The gateway is off (--aibridge-enabled): only the management API answers.")
    command = _command()
    if first.owner:
        lines.append("First start: the owner is admin, without a password.")
    lines.append(f"Next: {command} tokens create   makes a gateway token; {command} --help shows the rest.")
    return "\n".join(lines)


def _provider_table(registry: Registry) -> list[str]:
    rows = [("NAME", "TYPE", "BASE URL", "KEYS", "STATE")]
    rows += [(each.name, each.type, each.base_url, str(len(each.keys)), _state(each)) for each in registry.all()]
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    return [
        "  " + "  ".join([*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[4]])
        for row in rows
    ]


def _state(instance: Instance) -> str:
    if instance.state == "error":
        return f"error: {instance.reason}"
    return instance.state if instance.keys else f"{instance.state} (own key only)"


def _command() -> str:
    """How the command is called from here: by its name when that is on the path, else by where it lies."""
    import shutil

    beside = Path(sys.executable).with_name("coderai")
    found = shutil.which("coderai")
    return "coderai" if found or not beside.exists() else str(beside)
