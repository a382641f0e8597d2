"""Our own HTTP/1.1 connections to providers, against raw sockets that say exactly what they are told."""

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field

import pytest

from coderai.errors import BrokenOff, Invalid, Unreachable
from coderai.gateway.http1 import HEAD_BYTES
from coderai.gateway.pool import pooling
from coderai.gateway.upstream import Call, Upstream

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
CLOSE = b""
"""In a script: close the connection here."""


@dataclass
class Raw:
    """A server that answers each request with the next list of pieces."""

    script: list[list[bytes]]
    url: str = ""
    heads: list[bytes] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    connections: int = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while await self._answer(reader, writer):
                pass
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = await reader.readuntil(b"\r\n\r\n")
        length = re.search(rb"Content-Length: (\d+)", head)
        self.heads.append(head)
        self.bodies.append(await reader.readexactly(int(length[1])) if length else b"")
        for piece in self.script.pop(0):
            if piece == CLOSE:
                return False
            writer.write(piece)
            await writer.drain()
        return True


@asynccontextmanager
async def _serving(*script: list[bytes]) -> AsyncIterator[tuple[Raw, Upstream]]:
    raw = Raw(list(script))
    server = await asyncio.start_server(raw.serve, "127.0.0.1", 0)
    raw.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with pooling() as pool:
        yield raw, Upstream(pool)
    server.close()
    await server.wait_closed()


Serving = Callable[..., AbstractAsyncContextManager[tuple[Raw, Upstream]]]


@pytest.fixture
def serving() -> Serving:
    return _serving


def _call(raw: Raw, body: bytes = b"{}", path: str = "/v1/messages", method: str = "POST") -> Call:
    return Call(method, raw.url + path, [(b"X-A", "ä".encode())], body)


async def _fetch(upstream: Upstream, call: Call) -> tuple[int, bytes, dict[str, str]]:
    async with upstream.send(call, asyncio.timeout(5)) as answer:
        pieces = []
        while piece := await answer.read():
            pieces.append(piece)
        return answer.status, b"".join(pieces), dict(answer.headers)


async def test_the_request_is_written_as_it_should_be(serving: Serving):
    async with serving([OK]) as (raw, upstream):
        assert await _fetch(upstream, _call(raw, b'{"a":1}', "/v1/messages?beta=true")) == (
            200,
            b"ok",
            {"Content-Length": "2"},
        )
        host = raw.url.removeprefix("http://")
        assert raw.heads[0].decode() == (
            f"POST /v1/messages?beta=true HTTP/1.1\r\nHost: {host}\r\nX-A: ä\r\nContent-Length: 7\r\n\r\n"
        )
        assert raw.bodies == [b'{"a":1}']


async def test_a_connection_is_used_again(serving: Serving):
    async with serving([OK], [OK], [OK]) as (raw, upstream):
        for _ in range(3):
            await _fetch(upstream, _call(raw))
        assert raw.connections == 1


@pytest.mark.parametrize(
    "pieces",
    [
        [b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"],
        [
            bytes([byte])
            for byte in b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\no\r\n1\r\nk\r\n0\r\n\r\n"
        ],
        [b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + OK],
        [b"HTTP/1.1 200 OK\r\n\r\nok", CLOSE],
    ],
    ids=["chunked", "byte by byte", "early hints", "until the connection closes"],
)
async def test_every_framing_is_understood(serving: Serving, pieces):
    async with serving(pieces) as (raw, upstream):
        status, body, headers = await _fetch(upstream, _call(raw))
    assert (status, body) == (200, b"ok")
    assert "Link" not in headers


@pytest.mark.parametrize(
    "pieces",
    [
        [b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nab", CLOSE],
        [b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n", CLOSE],
        [b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nnonsense\r\n"],
    ],
    ids=["length not reached", "no last chunk", "broken chunk"],
)
async def test_half_a_body_is_broken_off(serving: Serving, pieces):
    async with serving(pieces) as (raw, upstream):
        with pytest.raises(BrokenOff):
            await _fetch(upstream, _call(raw))


@pytest.mark.parametrize(
    "pieces",
    [
        [CLOSE],
        [b"HTTP/1.1 200 OK\r\nContent-", CLOSE],
        [b"220 mail.example.com ESMTP\r\n"],
        [b"HTTP/1.1 200 OK\r\nX: " + b"y" * HEAD_BYTES + b"\r\n\r\n"],
        [b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n"],
    ],
    ids=["nothing", "half a head", "no HTTP", "endless headers", "two lengths"],
)
async def test_an_answer_without_a_head_is_unreachable(serving: Serving, pieces):
    async with serving(pieces, pieces, pieces) as (raw, upstream):
        with pytest.raises(Unreachable, match=r"127\.0\.0\.1:"):
            await _fetch(upstream, _call(raw))


async def test_a_kept_alive_connection_that_died_is_replaced_without_the_caller_noticing(serving: Serving):
    async with serving([OK], [CLOSE], [OK]) as (raw, upstream):
        for _ in range(2):
            assert (await _fetch(upstream, _call(raw)))[1] == b"ok"
        assert raw.connections == 2


async def test_a_connection_with_more_than_one_answer_is_not_used_again(serving: Serving):
    async with serving([OK + OK], [OK]) as (raw, upstream):
        for _ in range(2):
            assert (await _fetch(upstream, _call(raw)))[1] == b"ok"
        assert raw.connections == 2


async def test_leaving_early_closes_the_connection(serving: Serving):
    async with serving([b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nab"], [OK]) as (raw, upstream):
        async with upstream.send(_call(raw), asyncio.timeout(5)) as answer:
            assert await answer.read() == b"ab"
        await _fetch(upstream, _call(raw))
        assert raw.connections == 2


async def test_a_big_body_arrives_whole(serving: Serving):
    body = bytes(range(256)) * 40_000
    async with serving([OK]) as (raw, upstream):
        await _fetch(upstream, _call(raw, body))
        assert raw.bodies == [body]


async def test_a_slow_reader_slows_the_provider_down(serving: Serving):
    sent = asyncio.Event()
    megabytes = 64

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (megabytes << 20))
        for _ in range(megabytes):
            writer.write(b"x" * (1 << 20))
            await writer.drain()
        sent.set()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
    async with pooling() as pool:
        call = Call("GET", url, [])
        async with Upstream(pool).send(call, asyncio.timeout(20)) as answer:
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.5):
                    await sent.wait()
            size = 0
            while piece := await answer.read():
                size += len(piece)
        assert size == megabytes << 20
        assert sent.is_set()
    server.close()


async def test_a_line_break_in_a_header_is_never_sent(serving: Serving):
    async with serving([OK]) as (raw, upstream):
        call = Call("POST", raw.url + "/", [(b"X-A", b"b\r\nX-C: d")], b"{}")
        with pytest.raises(Invalid, match="line break"):
            await _fetch(upstream, call)
        assert raw.heads == []


async def test_what_cannot_be_reached_says_why():
    async with pooling() as pool:
        with pytest.raises(Unreachable, match=r"127\.0\.0\.1:9 cannot be reached: Connection refused"):
            await _fetch(Upstream(pool), Call("GET", "http://127.0.0.1:9/", []))
