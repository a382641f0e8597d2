"""When a connection to a provider may be used again, when a request may be sent again, and what is left behind."""

import asyncio
import gzip
import zlib

import brotli
import pytest
from backports import zstd

from coderai.errors import BrokenOff, Unreachable
from coderai.gateway.pool import pooling
from coderai.gateway.upstream import Call, Upstream
from tests.gateway.raw import read_request, serving

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


async def _fetch(upstream: Upstream, url: str, method: str = "POST", body: bytes = b"{}") -> tuple[int, bytes]:
    async with upstream.send(Call(method, url, [], body), asyncio.timeout(5)) as answer:
        pieces = []
        while piece := await answer.read():
            pieces.append(piece)
        return answer.status, b"".join(pieces)


class Counting:
    """A provider that says the same on every connection, and counts."""

    def __init__(self, answer: bytes, *, close: bool = False) -> None:
        self.connections = self.requests = 0
        self._answer = answer
        self._close = close

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while True:
                await read_request(reader)
                self.requests += 1
                writer.write(self._answer)
                await writer.drain()
                if self._close:
                    break
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        writer.close()


@pytest.mark.parametrize(
    "answer",
    [b"HTTP/1.1 200 OK\r\nContent-", b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 103 X\r\nLink: y\r\n", b"garbage"],
    ids=["half a head", "continue", "half an early hint", "no HTTP"],
)
async def test_a_request_is_not_sent_again_once_something_came(answer):
    provider = Counting(answer, close=True)
    async with serving(provider.serve) as url, pooling() as pool:
        with pytest.raises(Unreachable):
            await _fetch(Upstream(pool), url + "/")
        assert pool._all == set()
    assert provider.requests == 1


@pytest.mark.parametrize(
    ("answer", "again"),
    [
        (b"HTTP/1.1 204 No Content\r\n\r\n", True),
        (b"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", True),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", True),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", True),
        (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", True),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", False),
        (b"HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n", False),
        (b"HTTP/1.1 204 No Content\r\n\r\nHTTP/1.1 200 OK\r\n", False),
    ],
    ids=["204", "304", "empty", "no chunks", "continued", "close", "1.0", "too much"],
)
async def test_which_connections_are_used_again(answer, again):
    provider = Counting(answer)
    async with serving(provider.serve) as url, pooling() as pool:
        for _ in range(3):
            assert (await _fetch(Upstream(pool), url + "/"))[1] == b""
    assert provider.connections == (1 if again else 3)


async def test_an_answer_to_half_a_request_is_taken_and_its_connection_is_not_used_again():
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\nno")
        await writer.drain()
        await closed.wait()
        writer.close()

    closed = asyncio.Event()
    async with serving(serve) as url, pooling() as pool:
        assert await _fetch(Upstream(pool), url + "/", body=b"x" * (32 << 20)) == (413, b"no")
        assert pool._all == set()
        closed.set()


async def test_an_ipv6_literal_is_reached_and_named_right():
    heads: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heads.append(await read_request(reader))
        writer.write(OK)
        writer.close()

    try:
        server = await asyncio.start_server(serve, "::1", 0)
    except OSError:
        return  # a machine without IPv6 cannot show it
    port = server.sockets[0].getsockname()[1]
    async with pooling() as pool:
        assert await _fetch(Upstream(pool), f"http://[::1]:{port}/v1") == (200, b"ok")
    server.close()
    assert f"\r\nHost: [::1]:{port}\r\n".encode() in heads[0]


@pytest.mark.parametrize("host", ["a..b", "x" * 70 + ".example", "nothing.invalid"])
async def test_a_host_that_cannot_be_found_is_unreachable(host):
    async with pooling() as pool:
        with pytest.raises(Unreachable, match="cannot be reached"):
            await _fetch(Upstream(pool), f"http://{host}/")


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
async def test_a_call_given_up_while_it_connects_or_waits_leaves_nothing(tls):
    arrived, gone = asyncio.Event(), asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        arrived.set()
        try:
            while await reader.read(1 << 16):
                pass
        except ConnectionError:
            pass
        gone.set()
        writer.close()

    async with serving(serve) as url, pooling() as pool:
        target = url.replace("http:", "https:") if tls else url
        async with asyncio.TaskGroup() as tasks:
            asking = tasks.create_task(_fetch(Upstream(pool), target + "/"))
            await arrived.wait()
            asking.cancel()
        async with asyncio.timeout(5):
            await gone.wait()
        assert pool._all == set()


@pytest.mark.parametrize(
    ("encoding", "encode"),
    [("gzip", gzip.compress), ("deflate", zlib.compress), ("br", brotli.compress), ("zstd", zstd.compress)],
)
async def test_half_of_a_compressed_answer_is_broken_off_even_when_its_length_is_right(encoding, encode):
    half = encode(b"hello " * 1000 + bytes(range(256)))[:-5]
    answer = b"HTTP/1.1 200 OK\r\nContent-Encoding: %b\r\nContent-Length: %d\r\n\r\n%b"
    provider = Counting(answer % (encoding.encode(), len(half), half))
    async with serving(provider.serve) as url, pooling() as pool:
        with pytest.raises(BrokenOff):
            await _fetch(Upstream(pool), url + "/")


async def test_a_compressed_answer_of_two_members_is_read_whole():
    text = gzip.compress(b"hello ") + gzip.compress(b"world")
    answer = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n%b" % (len(text), text)
    provider = Counting(answer)
    async with serving(provider.serve) as url, pooling() as pool:
        assert await _fetch(Upstream(pool), url + "/") == (200, b"hello world")


async def test_an_empty_body_needs_no_decoding():
    provider = Counting(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 0\r\n\r\n")
    async with serving(provider.serve) as url, pooling() as pool:
        assert await _fetch(Upstream(pool), url + "/") == (200, b"")
