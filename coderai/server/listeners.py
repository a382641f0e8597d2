"""Where the server listens: publicly for tools and people with tokens, privately for the local owner."""

import asyncio
import json
import os
import socket
import tempfile
from collections.abc import AsyncIterator, Awaitable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from aiohttp import web

from coderai import __version__
from coderai.api.app import PREFIXES, Services, add_routes
from coderai.control.authority import TokenAuthority
from coderai.errors import BadSettings, StoreUnusable
from coderai.gateway.app import DataPlane
from coderai.gateway.bodies import holding_back
from coderai.gateway.observing import observing
from coderai.gateway.watch import Watch
from coderai.kinds import RESERVED_NAMES
from coderai.observe import logs
from coderai.observe.timeline import Observer
from coderai.server.around import SPOKEN, Handler, around
from coderai.server.connections import BOUNDS, open_listener
from coderai.server.openings import Openings
from coderai.settings import Settings
from coderai.store.locations import without_secrets
from coderai.web.app import House, add_pages

log = logs.get("server")

SERVER_FILE: Final = "server.json"
_CLEANUP_SECONDS: Final = 5.0


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where the public listeners are reached from this machine; empty: there is none."""

    http: str
    https: str

    @property
    def url(self) -> str:
        """The one to name first: the name of a certificate may not be known here yet."""
        return self.http or self.https


def runner_for(app: web.Application) -> web.AppRunner:
    return web.AppRunner(
        app,
        handle_signals=False,
        handler_cancellation=False,  # a client that leaves is noticed by the watch; its records are kept
        shutdown_timeout=_CLEANUP_SECONDS,
        **BOUNDS.options(),
    )


def private_app(services: Services) -> web.Application:
    app = web.Application()
    add_routes(app, services, private=True)
    return app


@asynccontextmanager
async def listening_privately(services: Services) -> AsyncIterator[Path]:
    """A socket that only this user can open; whoever does is the local owner. Short path: 108 bytes is the limit."""
    with _short_lived() as directory:
        path = Path(directory) / "api"
        runner = runner_for(private_app(services))
        await runner.setup()
        try:
            try:
                await web.UnixSite(runner, str(path)).start()
                path.chmod(0o600)
            except OSError as error:
                raise BadSettings(f"cannot listen on {path} (TMPDIR names its directory): {error}") from error
            yield path
        finally:
            await runner.cleanup()


def _short_lived() -> tempfile.TemporaryDirectory[str]:
    try:
        return tempfile.TemporaryDirectory(prefix="coderai-")  # mode 0700
    except OSError as error:
        raise BadSettings(f"no directory for the private socket (TMPDIR names one): {error.strerror}") from error


@asynccontextmanager
async def listening_publicly(
    settings: Settings,
    openings: Openings,
    services: Services,
    authority: TokenAuthority,
    plane: DataPlane,
    watch: Watch,
    house: House,
    observers: Sequence[Observer] = (),
) -> AsyncIterator[Addresses]:
    """Serve everything. Afterwards nobody can connect any more, and what runs has the grace period to end."""
    app = web.Application()
    add_routes(app, services, authority=authority)
    add_pages(app, house)
    runner = runner_for(app)
    await runner.setup()
    data_plane = observing(plane.handle, observers) if settings.aibridge_enabled else _not_mounted
    _put_before(runner, data_plane, settings)
    servers: list[asyncio.Server] = []
    try:
        if openings.http is not None:
            servers += await open_listener(runner, openings.http)
        if openings.tls is not None and openings.certificates is not None:
            servers += await open_listener(runner, openings.tls, openings.certificates.context)
        yield _addresses(openings)
    finally:
        for server in servers:
            server.close()
        plane.stop()
        await watch.drain(settings.shutdown_grace.total_seconds())
        await runner.cleanup()


def _addresses(openings: Openings) -> Addresses:
    http = openings.http.url("http") if openings.http is not None else ""
    if openings.tls is None or openings.certificates is None:
        return Addresses(http, "")
    return Addresses(http, openings.tls.url("https", openings.certificates.name))


def _put_before(runner: web.AppRunner, data_plane: Handler, settings: Settings) -> None:
    """Lead calls of the data plane past the router of the management API: it costs them 14 µs each (measured)."""
    server = runner.server
    assert server is not None
    others = around(server.request_handler, settings)

    def handle(request: web.BaseRequest) -> Awaitable[web.StreamResponse]:
        parts = request.raw_path.split("/", 5)
        ours = len(parts) > 4 and f"/{parts[1]}/{parts[2]}/{parts[3]}" in PREFIXES
        name = parts[4].partition("?")[0] if ours else ""
        if not ours or name in RESERVED_NAMES or request.version not in SPOKEN:
            return others(request)
        return holding_back(request, data_plane) if "Expect" in request.headers else data_plane(request)

    server.request_handler = handle


async def _not_mounted(_request: web.BaseRequest) -> web.Response:
    return web.json_response({"message": "aibridged handler not mounted"}, status=404)


@asynccontextmanager
async def announced(data_dir: Path, socket: Path, url: str, settings: Settings) -> AsyncIterator[None]:
    """Write down for the command line where the running server is: the latest one, when there are several.

    Raises StoreUnusable when it cannot be written.
    """
    path = data_dir / SERVER_FILE
    _warn_of_another(path)
    document = {
        "socket": str(socket),
        "url": url,
        "database_url": without_secrets(settings.database),
        "pid": os.getpid(),
        "version": __version__,
    }
    try:
        handle = os.open(path.with_suffix(".new"), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(handle, "w") as file:
            json.dump(document, file)
        os.replace(path.with_suffix(".new"), path)
    except OSError as error:
        raise StoreUnusable(f"cannot write {path}: {error.strerror}") from error
    try:
        yield
    finally:
        with suppress(OSError, ValueError):
            if json.loads(path.read_text())["pid"] == os.getpid():  # another server may have come meanwhile
                path.unlink()


def _warn_of_another(path: Path) -> None:
    """Two servers on one directory work, but somebody who did not mean it has to hear of it."""
    try:
        other = json.loads(path.read_text())
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(other["socket"])
    except (OSError, ValueError, LookupError, TypeError):
        return  # none, or one that was killed
    log.warning(
        "another server runs on this data directory: they share the database, each serves the providers of its own"
        " configuration, and commands without --url talk to the one that started last",
        pid=other.get("pid"),
        url=other.get("url"),
    )
