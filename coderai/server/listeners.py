"""Where the server listens: publicly for tools and people with tokens, privately for the local owner."""

import json
import logging
import os
import socket
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Final

from aiohttp import HttpVersion11, web
from aiohttp.http_exceptions import HttpProcessingError

from coderai import __version__
from coderai.api.app import PREFIXES, Services, add_routes
from coderai.control.authority import TokenAuthority
from coderai.errors import BadSettings
from coderai.gateway.app import DataPlane
from coderai.gateway.observing import observing
from coderai.gateway.watch import Watch
from coderai.kinds import RESERVED_NAMES
from coderai.observe import logs
from coderai.observe.timeline import Observer
from coderai.settings import Settings
from coderai.settings.forms import split_address
from coderai.store.locations import without_secrets
from coderai.web.app import House, add_pages

log = logs.get("server")

SERVER_FILE: Final = "server.json"
_LINE_BYTES: Final = 1 << 16
"""Longest request line and header line; Codex' turn metadata grows with the number of folders."""
_READ_BYTES: Final = 1 << 19
_CLEANUP_SECONDS: Final = 5.0


def runner_for(app: web.Application) -> web.AppRunner:
    http_log = logging.getLogger("coderai.http")
    http_log.addFilter(_without_the_request)
    return web.AppRunner(
        app,
        logger=http_log,
        access_log=None,
        handle_signals=False,
        handler_cancellation=False,  # a client that leaves is noticed by the watch; its records are kept
        auto_decompress=False,  # bodies are forwarded as they came
        max_line_size=_LINE_BYTES,
        max_field_size=_LINE_BYTES,
        read_bufsize=_READ_BYTES,
        shutdown_timeout=_CLEANUP_SECONDS,
    )


def _without_the_request(record: logging.LogRecord) -> bool:
    """aiohttp quotes the lines of a malformed request, of which one may hold a credential: only say what happened."""
    error = record.exc_info[1] if record.exc_info else None
    if isinstance(error, HttpProcessingError):
        record.levelno, record.levelname = logging.INFO, "INFO"
        record.msg, record.args = "malformed request refused: %s", (type(error).__name__,)
        record.exc_info = None
    return True


def private_app(services: Services) -> web.Application:
    app = web.Application()
    add_routes(app, services, private=True)
    return app


@asynccontextmanager
async def listening_privately(services: Services) -> AsyncIterator[Path]:
    """A socket that only this user can open; whoever does is the local owner. Short path: 108 bytes is the limit."""
    with tempfile.TemporaryDirectory(prefix="coderai-") as directory:  # mode 0700
        path = Path(directory) / "api"
        runner = runner_for(private_app(services))
        await runner.setup()
        try:
            await web.UnixSite(runner, str(path)).start()
            path.chmod(0o600)
            yield path
        finally:
            await runner.cleanup()


@asynccontextmanager
async def listening_publicly(
    settings: Settings,
    services: Services,
    authority: TokenAuthority,
    plane: DataPlane,
    watch: Watch,
    house: House,
    observers: Sequence[Observer] = (),
) -> AsyncIterator[str]:
    app = web.Application()
    add_routes(app, services, authority=authority)
    add_pages(app, house)
    runner = runner_for(app)
    await runner.setup()
    _put_before(runner, observing(plane.handle, observers) if settings.aibridge_enabled else _not_mounted)
    site, url = await listen(runner, "--http-address", settings.http_address)
    try:
        yield url
    finally:
        await site.stop()
        plane.stop()
        await watch.drain(settings.shutdown_grace.total_seconds())
        await runner.cleanup()


async def listen(runner: web.AppRunner, flag: str, address: str) -> tuple[web.TCPSite, str]:
    """Listen on *address*, the value of *flag*; return the site and its URL. Raises BadSettings."""
    host, port = split_address(address)
    site = web.TCPSite(runner, host or None, port)
    try:
        await site.start()
    except OSError as error:
        await runner.cleanup()
        unknown = isinstance(error, socket.gaierror)  # its numbers are not those of the system
        reason = "its name cannot be resolved" if unknown else os.strerror(error.errno) if error.errno else str(error)
        raise BadSettings(f"cannot listen on {flag} {address}: {reason}") from error
    shown = "127.0.0.1" if host in (None, "", "0.0.0.0", "::") else host  # noqa: S104 - compared, not bound
    bound = runner.addresses[0][1]
    return site, f"http://[{shown}]:{bound}" if ":" in shown else f"http://{shown}:{bound}"


def _put_before(runner: web.AppRunner, data_plane: Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]) -> None:
    """Lead calls of the data plane past the router of the management API: it costs them 14 µs each (measured)."""
    server = runner.server
    assert server is not None
    management = server.request_handler

    def handle(request: web.BaseRequest) -> Awaitable[web.StreamResponse]:
        parts = request.raw_path.split("/", 5)
        ours = len(parts) > 4 and f"/{parts[1]}/{parts[2]}/{parts[3]}" in PREFIXES
        name = parts[4].partition("?")[0] if ours else ""
        if not ours or name in RESERVED_NAMES:
            return management(request)
        return _continued(request, data_plane) if "Expect" in request.headers else data_plane(request)

    server.request_handler = handle


async def _continued(
    request: web.BaseRequest, data_plane: Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """Ask for the body that the client holds back; aiohttp does that in its router, which is not on this way."""
    if request.version >= HttpVersion11 and request.headers["Expect"].lower() == "100-continue":
        await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        request.writer.output_size = 0  # no part of the answer
    return await data_plane(request)


async def _not_mounted(_request: web.BaseRequest) -> web.Response:
    return web.json_response({"message": "aibridged handler not mounted"}, status=404)


@asynccontextmanager
async def announced(data_dir: Path, socket: Path, url: str, settings: Settings) -> AsyncIterator[None]:
    """Write down for the command line where the running server is: the latest one, when there are several."""
    path = data_dir / SERVER_FILE
    _warn_of_another(path)
    document = {
        "socket": str(socket),
        "url": url,
        "database_url": without_secrets(settings.database),
        "pid": os.getpid(),
        "version": __version__,
    }
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
