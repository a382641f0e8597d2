"""Without a server at an address: the running server's private socket, else the API hosted in this process."""

import _thread
import json
import threading
from contextlib import asynccontextmanager
from http.server import BaseHTTPRequestHandler
from socketserver import ThreadingUnixStreamServer

import pytest
from aiohttp import web

from coderai.cli.connection import over
from coderai.cli.errors import Refused
from coderai.cli.hosting import hosting
from coderai.cli.main import run
from coderai.errors import ServerUnreachable, StoreUnusable


@asynccontextmanager
async def small_api():
    async def echo(request: web.Request) -> web.Response:
        if request.path == "/crash":
            request.transport.abort()
        return web.json_response({"path": request.path, "body": await request.text()})

    app = web.Application()
    app.router.add_route("*", "/{tail:(?!missing).*}", echo)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        yield runner
    finally:
        await runner.cleanup()


def test_a_hosted_api_answers_over_a_pair_of_sockets():
    with hosting(small_api) as ours:
        api = over(ours, "here", 5)
        assert json.loads(api.get("/one")) == {"path": "/one", "body": ""}
        assert json.loads(api.call("POST", "/two", {"a": 1}))["body"] == '{"a": 1}'
        with pytest.raises(Refused):
            api.get("/missing")
        api.close()
    assert "local API" not in {thread.name for thread in threading.enumerate()}


def test_a_command_that_fails_closes_the_hosted_api():
    with pytest.raises(RuntimeError, match="mine"), hosting(small_api):
        raise RuntimeError("mine")
    assert "local API" not in {thread.name for thread in threading.enumerate()}


def test_what_keeps_the_hosted_api_from_opening_is_raised_here():
    @asynccontextmanager
    async def broken():
        raise StoreUnusable("made by a newer version")
        yield

    with pytest.raises(StoreUnusable, match="newer"), hosting(broken):
        pass


def test_an_interruption_while_it_opens_ends_it():
    @asynccontextmanager
    async def interrupting():
        _thread.interrupt_main()
        async with small_api() as runner:
            yield runner

    with pytest.raises(KeyboardInterrupt), hosting(interrupting):
        threading.Event().wait(30)
    assert "local API" not in {thread.name for thread in threading.enumerate()}


def test_what_goes_wrong_while_it_closes_is_raised_here():
    @asynccontextmanager
    async def broken():
        async with small_api() as runner:
            yield runner
        raise StoreUnusable("cannot close")

    with pytest.raises(StoreUnusable, match="cannot close"), hosting(broken):
        pass


def test_a_connection_that_dies_is_not_opened_anew():
    with hosting(small_api) as ours:
        api = over(ours, "the data in /d", 5)
        with pytest.raises(ServerUnreachable, match="no answer from the data in /d"):
            api.get("/crash")
        with pytest.raises(ServerUnreachable):
            api.get("/one")


@pytest.fixture
def private_server(tmp_path):
    """A server on a unix socket that has announced itself in the data directory."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = b'{"users": [{"id": "1", "username": "admin"}]}'
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_arguments: object) -> None:
            """Say nothing."""

    (tmp_path / "data").mkdir()
    path = tmp_path / "api"
    (tmp_path / "data" / "server.json").write_text(json.dumps({"socket": str(path), "database_url": "sqlite:///x.db"}))
    with ThreadingUnixStreamServer(str(path), Handler) as server:
        serving = threading.Thread(target=server.serve_forever, args=(0.01,))
        serving.start()
        yield path
        server.shutdown()
        serving.join()


def test_the_running_server_is_asked(alone, private_server, capfd):
    assert run(["users", "list", "-o", "json"]) == 0
    assert json.loads(capfd.readouterr().out) == [{"id": "1", "username": "admin"}]


def test_the_running_server_is_asked_when_its_database_is_named(alone, private_server, capfd):
    assert run(["users", "list", "-o", "json", "--database-url", "sqlite:///x.db"]) == 0
    assert "admin" in capfd.readouterr().out
