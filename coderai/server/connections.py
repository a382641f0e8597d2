"""Connections of the listeners: what a stranger may send before anybody has looked at a token, and for how long."""

import asyncio
import logging
import ssl
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from http import HTTPStatus
from resource import RLIM_INFINITY, RLIMIT_NOFILE, getrlimit, setrlimit
from typing import Any, Final

import msgspec
from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError, LineTooLong

from coderai.errors import BadSettings
from coderai.server.openings import Opening, reason_of

_MOST_DESCRIPTORS: Final = 1 << 20
_LINGER_SECONDS: Final = 1.0
_BACKLOG: Final = 1024
_HEADERS: Final = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}


@dataclass(frozen=True, slots=True)
class Bounds:
    """What a connection may cost before a request is whole."""

    request_line: int = 1 << 15
    header_line: int = 1 << 16
    """Codex' turn metadata grows with the number of folders."""
    headers: int = 128
    head: int = 1 << 18
    """Bytes of a head that is not complete yet; seen when more comes, so that one read may go beyond."""
    head_seconds: float = 30.0
    """From the connection, or from a head's first byte, until the head is complete."""
    idle_seconds: float = 650.0
    """Between requests. Longer than load balancers keep theirs (600 s at most), so that they never send a request into
    a connection that is just being closed."""
    handshake_seconds: float = 10.0
    """Of TLS."""
    connections: int = 10_000
    """At the same time, of one address; half of the file descriptors at most, because providers need some too."""

    def options(self) -> Mapping[str, Any]:
        """Return what aiohttp's connections are made with."""
        return {
            "logger": _http_log(),
            "access_log": None,
            "auto_decompress": False,  # bodies are forwarded as they came
            "max_line_size": self.request_line,
            "max_field_size": self.header_line,
            "max_headers": self.headers,
            "keepalive_timeout": self.idle_seconds,
            "read_bufsize": 1 << 19,
        }


BOUNDS: Final = Bounds()


class Connection(web.RequestHandler):
    """aiohttp's, with limits of size and time for heads of requests, and with refusals that programs can read.

    It looks at two of aiohttp's fields: ``_waiter`` is set while the next head is waited for, ``_messages`` holds heads
    that nobody has taken yet.
    """

    __slots__ = ("_bounds", "_crowd", "_head_bytes", "_head_timer")

    def __init__(self, server: web.Server, bounds: Bounds, crowd: "Crowd | None" = None, **options: Any) -> None:
        super().__init__(server, **options)
        self._bounds = bounds
        self._crowd = {} if crowd is None else crowd
        self._head_bytes = 0
        self._head_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The time for the first head begins."""
        super().connection_made(transport)
        self._head_timer = self._loop.call_later(self._bounds.head_seconds, self._too_slow)
        self._crowd[self] = None
        if len(self._crowd) > self._bounds.connections:
            self._make_room()

    def connection_lost(self, exc: BaseException | None) -> None:
        """Nothing is waited for any more."""
        self._head_came()
        self._crowd.pop(self, None)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Count what belongs to a head that is waited for; bodies and WebSockets pass."""
        if self._messages or (self._waiter is None and self._request_count):
            super().data_received(data)
            return
        self._head_bytes += len(data)
        super().data_received(data)
        if self._messages:
            self._head_came()
        elif self._head_bytes > self._bounds.head:
            self._turn_away(431, _TEXTS[431])
        elif self._head_timer is None:
            self._head_timer = self._loop.call_later(self._bounds.head_seconds, self._too_slow)

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Answer a request that cannot be read, or one whose handler failed."""
        super().handle_error(request, status, exc, message)  # writes the log; raises when an answer has begun
        status = self._status_of(exc) if isinstance(exc, HttpProcessingError) else status
        return refusal(status)

    def _status_of(self, error: HttpProcessingError) -> int:
        if isinstance(error, LineTooLong):
            return 414 if error.args[1] == self._bounds.request_line else 431
        return 431 if error.args[:1] == ("Too many headers received",) else 400

    def _make_room(self) -> None:
        """Close the oldest connection on which nothing runs, so that strangers who hold many keep nobody out."""
        for other in self._crowd:
            if other is not self and other._waiter is not None and not other._force_close:
                other.force_close()
                return
        self._turn_away(503, "there are too many connections; try again later")

    def _head_came(self) -> None:
        self._head_bytes = 0
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _too_slow(self) -> None:
        if self._head_bytes:
            self._turn_away(408, f"the head of the request did not come within {self._bounds.head_seconds:g} s")
        else:
            self.force_close()  # nothing was asked, so nothing is answered

    def _turn_away(self, status: int, text: str) -> None:
        """Answer what is no request yet. What still comes is dropped: a reset would take the answer away."""
        transport = self.transport
        if transport is None or self._close:
            return
        self._head_came()
        body = _body(status, text)
        head = f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\nContent-Type: application/json\r\n"
        transport.write(f"{head}Content-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode() + body)
        self.close()
        if transport.can_write_eof():
            transport.write_eof()
        self._head_timer = self._loop.call_later(_LINGER_SECONDS, self.force_close)


Crowd = dict[Connection, None]
"""The connections of one address, the oldest first."""


def allow_descriptors() -> None:
    """Use as many file descriptors as the machine lets this process have: the usual 1024 are few for a gateway."""
    soft, hard = getrlimit(RLIMIT_NOFILE)
    if soft != hard and (hard == RLIM_INFINITY or soft < hard):
        with suppress(ValueError, OSError):  # some systems have a limit of their own below the one they tell
            setrlimit(RLIMIT_NOFILE, (_MOST_DESCRIPTORS if hard == RLIM_INFINITY else hard, hard))


async def open_listener(
    runner: web.AppRunner, opening: Opening, tls: ssl.SSLContext | None = None, bounds: Bounds = BOUNDS
) -> list[asyncio.Server]:
    """Accept connections at *opening*. Raises BadSettings; who stops the runner closes the servers first."""
    server, loop = runner.server, asyncio.get_running_loop()
    assert server is not None
    servers: list[asyncio.Server] = []
    options = {**bounds.options(), "loop": loop}
    crowd: Crowd = {}
    bounds = replace(bounds, connections=min(bounds.connections, getrlimit(RLIMIT_NOFILE)[0] // 2))
    try:
        for one in opening.sockets:
            one.listen(_BACKLOG)  # uvloop would not tell that somebody else listens there by now
            servers.append(
                await loop.create_server(
                    lambda: Connection(server, bounds, crowd, **options),
                    sock=one,
                    ssl=tls,
                    ssl_handshake_timeout=bounds.handshake_seconds if tls is not None else None,
                    backlog=_BACKLOG,
                )
            )
    except OSError as error:  # somebody else was faster with the same port
        for each in servers:
            each.close()
        raise BadSettings(f"cannot listen on {opening.flag} {opening.address}: {reason_of(error)}") from error
    return servers


def refusal(status: int, text: str = "") -> web.Response:
    """Return a refusal after which the connection is closed, of what may be the half of something else.

    It is not known in whose words to refuse: the body has the form of every provider and of the management API at once.
    """
    response = web.Response(status=status, body=_body(status, text), headers=_HEADERS, content_type="application/json")
    response.force_close()
    return response


_TEXTS: Final = {
    400: "the request cannot be read: it is no well-formed HTTP/1.1",
    414: "the target of the request is too long",
    431: "the headers of the request are too many or too long",
    500: "the server made a mistake; its log says which one",
    504: "it took too long",
    505: "only HTTP/1.1 and HTTP/1.0 are spoken here",
}


def _body(status: int, text: str) -> bytes:
    text = text or _TEXTS.get(status, HTTPStatus(status).phrase)
    kind = "invalid_request_error" if status < 500 else "api_error"
    return msgspec.json.encode({"type": "error", "error": {"type": kind, "message": text}, "message": text})


def _http_log() -> logging.Logger:
    log = logging.getLogger("coderai.http")
    log.addFilter(_without_the_request)
    return log


def _without_the_request(record: logging.LogRecord) -> bool:
    """aiohttp quotes the lines of a malformed request, of which one may hold a credential: only say what happened."""
    error = record.exc_info[1] if record.exc_info else None
    if isinstance(error, HttpProcessingError):
        record.levelno, record.levelname = logging.INFO, "INFO"
        record.msg, record.args = "malformed request refused: %s", (type(error).__name__,)
        record.exc_info = None
    return True
