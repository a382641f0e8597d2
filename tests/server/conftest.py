"""Listeners as the server opens them, on the loop that it runs on."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace

import pytest
import uvloop
from aiohttp import web

from coderai.server.around import around
from coderai.server.connections import Bounds, open_listener
from coderai.server.listeners import runner_for
from coderai.server.openings import bind
from coderai.settings import Settings

Opening = Callable[..., AbstractAsyncContextManager[str]]


ON_UVLOOP = {"test_heads.py", "test_tls.py", "test_certificates.py", "test_around.py", "test_openings.py"}


def pytest_asyncio_loop_factories(item: pytest.Item) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """TLS and sockets are uvloop's own, so the tests of listeners run on it as the server does."""
    if item.path.name in ON_UVLOOP:
        return {"uvloop": uvloop.new_event_loop}
    return {"asyncio": asyncio.new_event_loop}


async def _said(request: web.Request) -> web.Response:
    """Say how the request was understood."""
    body = (await request.read()).decode()
    if request.path == "/broken":
        raise ValueError("on purpose")
    return web.json_response({"method": request.method, "target": request.raw_path, "body": body})


@asynccontextmanager
async def _opened(settings: Settings | None = None, body_seconds: float = 60.0, **bounds: float) -> AsyncIterator[str]:
    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", _said)
    runner = runner_for(app)
    await runner.setup()
    assert runner.server is not None
    runner.server.request_handler = around(runner.server.request_handler, settings or Settings(), body_seconds)
    opening = bind("--http-address", "127.0.0.1:0")
    servers = await open_listener(runner, opening, bounds=replace(Bounds(), **bounds))  # type: ignore[arg-type]
    try:
        yield opening.url("http")
    finally:
        for server in servers:
            server.close()
        await runner.cleanup()


@pytest.fixture
def opened() -> Opening:
    """Return the context that opens a listener before a handler that tells what it was asked."""
    return _opened


def answers(got: bytes) -> list[tuple[int, object]]:
    """Return status and document of every answer on a connection."""
    found = []
    while got:
        head, _, rest = got.partition(b"\r\n\r\n")
        length = next(int(line[15:]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:"))
        found.append((int(head.split(b" ")[1]), json.loads(rest[:length])))
        got = rest[length:]
    return found
