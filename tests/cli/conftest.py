"""A small scripted HTTP server, and a way to run the command line against it and see everything it said."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from coderai.cli.main import run


@dataclass
class Asked:
    """One request that the server got."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    document: Any


@dataclass
class FakeApi:
    """Answers ``METHOD /path`` with what was put there; anything else with the 404 of the API."""

    url: str = ""
    answers: dict[str, tuple[int, bytes]] = field(default_factory=dict)
    later: dict[str, list[tuple[int, bytes]]] = field(default_factory=dict)
    asked: list[Asked] = field(default_factory=list)
    arrived: threading.Event = field(default_factory=threading.Event)
    """Set with the first request."""
    waits: threading.Event = field(default_factory=threading.Event)
    """No answer goes out while it is not set; it is, unless a test clears it."""

    def put(self, route: str, document: Any, status: int = 200) -> None:
        body = document if isinstance(document, bytes) else json.dumps(document).encode()
        self.answers[route] = (status, body)

    def script(self, route: str, document: Any, status: int = 200) -> None:
        """Answer so from the second time on; again for the third, and so on."""
        self.later.setdefault(route, []).append((status, json.dumps(document).encode()))

    def next(self, route: str) -> tuple[int, bytes]:
        """Return the answer for now."""
        answer = self.answers.get(route, (404, b'{"message":"Not found."}'))
        if self.later.get(route):
            self.answers[route] = self.later[route].pop(0)
        return answer

    @property
    def last(self) -> Asked:
        return self.asked[-1]


@pytest.fixture
def api() -> Iterator[FakeApi]:
    fake = FakeApi()
    fake.waits.set()

    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            parts = urlsplit(self.path)
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            document = json.loads(body) if body else None
            fake.asked.append(
                Asked(self.command, parts.path, dict(parse_qsl(parts.query)), dict(self.headers), document)
            )
            fake.arrived.set()
            fake.waits.wait()
            status, content = fake.next(f"{self.command} {parts.path}")
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            with suppress(ConnectionError):
                self.wfile.write(content)

        do_GET = do_POST = do_PATCH = do_DELETE = do_PUT = answer

        def log_message(self, *_arguments: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        fake.url = f"http://127.0.0.1:{server.server_port}"
        serving = threading.Thread(target=server.serve_forever, args=(0.01,))
        serving.start()
        yield fake
        server.shutdown()
        serving.join()


@dataclass
class Said:
    """What one command said and how it ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Coderai = Callable[..., Said]


@pytest.fixture
def alone(tmp_path, monkeypatch) -> None:
    """Nothing of the machine's environment reaches the command."""
    for name in ("URL", "TOKEN", "DATA_DIR", "DATABASE_URL", "DEBUG"):
        monkeypatch.delenv(f"CODERAI_{name}", raising=False)
    for name in ("CODER_URL", "CODER_SESSION_TOKEN", "CODER_CONFIG_PATH"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("CODERAI_CONFIG_DIR", str(tmp_path / "config"))
    monkeypatch.setenv("CODERAI_DATA_DIR", str(tmp_path / "data"))


@pytest.fixture
def coderai(api, alone, capfd) -> Coderai:
    """Run a command against the fake API."""

    def call(*arguments: str, url: str | None = None) -> Said:
        code = run(["--url", url or api.url, "--token", "the-token", *arguments])
        out, err = capfd.readouterr()
        return Said(code, out, err)

    return call
