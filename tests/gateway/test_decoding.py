"""Compressed answers: whatever a few bytes stand for, it comes in pieces, and nobody else has to wait for it."""

import asyncio
import gzip
import random
import zlib

import brotli
import pytest
from backports import zstd

from coderai.errors import BrokenOff
from coderai.gateway.decoding import STEP, Decoded
from coderai.gateway.pool import pooling
from coderai.gateway.upstream import Call, Upstream
from tests.gateway.raw import saying

CODECS = [("gzip", gzip.compress), ("deflate", zlib.compress), ("br", brotli.compress), ("zstd", zstd.compress)]
BOMB = bytes(16 << 20)
MIXED = random.Random(1).randbytes(300_000) + b"hello " * 100_000


class Said:
    """A body that came in these chunks."""

    def __init__(self, *chunks: bytes) -> None:
        self._chunks = list(chunks)

    async def read(self) -> bytes:
        return self._chunks.pop(0) if self._chunks else b""

    def at_end(self) -> bool:
        return not self._chunks


async def _pieces(body: Decoded) -> list[bytes]:
    pieces = []
    while not body.at_end():
        pieces.append(await body.read())
    return [*pieces, await body.read()]


@pytest.mark.parametrize(("encoding", "encode"), CODECS)
async def test_a_bomb_comes_in_pieces(encoding, encode):
    pieces = await _pieces(Decoded(Said(encode(BOMB)), encoding))
    assert b"".join(pieces) == BOMB
    assert max(map(len, pieces)) <= 2 * STEP


@pytest.mark.parametrize(("encoding", "encode"), CODECS)
async def test_a_bomb_leaves_the_others_their_turn(encoding, encode):
    body, turns = Decoded(Said(encode(BOMB)), encoding), 0
    async with asyncio.TaskGroup() as tasks:
        reading = tasks.create_task(_pieces(body))
        while not reading.done():
            await asyncio.sleep(0)
            turns += 1
    assert turns > 100


@pytest.mark.parametrize("size", [1, 100, 5000, 1 << 20])
@pytest.mark.parametrize(("encoding", "encode"), CODECS)
async def test_borders_of_chunks_do_not_matter(encoding, encode, size):
    data = encode(MIXED[-1000:] if size == 1 else MIXED)
    chunks = [data[at : at + size] for at in range(0, len(data), size)]
    assert b"".join(await _pieces(Decoded(Said(*chunks), encoding))) == (MIXED[-1000:] if size == 1 else MIXED)


async def test_many_members_are_one_text():
    data = b"".join(gzip.compress(b"%d " % number) for number in range(1000)) + gzip.compress(BOMB)
    plain = b"".join(await _pieces(Decoded(Said(data), "gzip")))
    assert plain == b"".join(b"%d " % number for number in range(1000)) + BOMB


@pytest.mark.parametrize(("encoding", "encode"), CODECS)
async def test_a_bomb_that_ends_too_early_is_broken_off(encoding, encode):
    with pytest.raises(BrokenOff):
        await _pieces(Decoded(Said(encode(BOMB)[:-3]), encoding))


@pytest.mark.parametrize(("encoding", "encode"), CODECS)
async def test_the_wait_for_a_bomb_can_be_ended(encoding, encode):
    data = encode(BOMB)
    head = b"HTTP/1.1 200 OK\r\nContent-Encoding: %b\r\nContent-Length: %d\r\n\r\n" % (encoding.encode(), len(data))
    async with saying(head + data) as url, pooling() as pool:
        call = Call("GET", url + "/", [], b"")
        async with Upstream(pool).send(call, asyncio.timeout(5)) as answer:
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(None) as limit:
                    await answer.pour(lambda piece: limit.reschedule(0) is None)


@pytest.mark.parametrize("name", ["", " ", "identity", "Identity "])
async def test_no_encoding_may_be_said_in_several_ways(name):
    said = b"HTTP/1.1 200 OK\r\nContent-Encoding: %b\r\nContent-Length: 2\r\n\r\n{}" % name.encode()
    async with (
        saying(said) as url,
        pooling() as pool,
        Upstream(pool).send(Call("GET", url + "/", [], b""), asyncio.timeout(5)) as answer,
    ):
        assert await answer.read() == b"{}"
