"""Bedrock's binary event stream through the data plane: flowing, failing, broken, silent, and left."""

import json
from dataclasses import replace

import aiohttp
import pytest

from coderai.demo.bedrock import (
    chunk,
    exception,
    framed,
)
from coderai.demo.provider import BreakOff, Reply, Stall
from coderai.gateway.watch import Patience
from coderai.records import Ending, ErrorType, Usage
from tests.gateway.amazon import ANSWER, ASK, amazon
from tests.gateway.conftest import Opening, Setting


@pytest.mark.parametrize("size", [1, 7, 4096])
async def test_any_chunking_gives_the_events_that_anthropic_would_send(opened: Opening, size: int):
    whole = ANSWER(stream=True)
    split = framed(whole).split(size)
    async with (
        opened(lambda seen: split, configured=amazon()) as setting,
        setting.post("/aws/v1/messages", {**ASK, "stream": True}) as answer,
    ):
        assert answer.headers["Content-Type"] == "text/event-stream"
        assert await answer.read() == whole.body


async def test_events_flow_at_once_but_the_end_waits_for_the_records(opened: Opening):
    whole = framed(ANSWER(stream=True))
    async with opened(lambda seen: whole, configured=amazon()) as setting:
        setting.notebook.may_end.clear()
        async with setting.post("/aws/v1/messages", {**ASK, "stream": True}) as answer:
            await setting.notebook.end_asked.wait()
            early = await answer.content.readuntil(b'"output_tokens":5}}\n\n')
            assert b"message_stop" not in early
            setting.notebook.may_end.set()
            assert b"message_stop" in await answer.read()


async def test_a_stream_that_fails_ends_with_the_error_event(opened: Opening):
    good = framed(ANSWER(stream=True)).cut(3)
    failing = good.cut(3, exception("throttlingException", "Too many tokens, slow down"))
    async with (
        opened(lambda seen: failing, configured=amazon()) as setting,
        setting.post("/aws/v1/messages", {**ASK, "stream": True}) as answer,
    ):
        said = await answer.read()
    assert said.count(b"event: error") == 1
    last = json.loads(said.rpartition(b"data: ")[2])
    assert last["error"] == {"type": "rate_limit_error", "message": "Too many tokens, slow down"}
    assert b"message_stop" not in said
    end = setting.notebook.only_end
    assert (end.ending, end.error_type) == (Ending.UPSTREAM_ERROR, ErrorType.RATE_LIMITED)
    assert end.error_message == "Too many tokens, slow down"


SPOILED = chunk(b'{"type":"ping"}')[:-1] + b"\x00"


@pytest.mark.parametrize(
    ("steps", "then"),
    [
        (3, (SPOILED,)),
        (3, (SPOILED, Stall())),
        (3, (BreakOff(),)),
        (3, (SPOILED[:20],)),
        (3, ()),
        (3, (b"HTTP/1.1 500 what is this",)),
    ],
)
async def test_a_stream_that_breaks_never_ends_cleanly(opened: Opening, steps: int, then: tuple[object, ...]):
    broken = framed(ANSWER(stream=True)).cut(steps, *then)
    async with (
        opened(lambda seen: broken, configured=amazon()) as setting,
        setting.post("/aws/v1/messages", {**ASK, "stream": True}) as answer,
    ):
        assert answer.status == 200
        pieces = []
        with pytest.raises(Exception, match=r"payload|closed"):  # noqa: PT012 - aiohttp tells in several ways
            async for piece in answer.content.iter_any():
                pieces.append(piece)
    said = b"".join(pieces)
    assert said.startswith(b"event: message_start\n")
    assert b"event: error\n" in said
    assert b"message_stop" not in said
    assert setting.notebook.endings == [Ending.BROKEN_OFF]


WHOLE = framed(ANSWER(stream=True))
PLACES = range(0, len(WHOLE.body), 61)


def spoiled(at: int) -> Reply:
    """Return the whole answer with one byte that is another."""
    body = bytearray(WHOLE.body)
    body[at] ^= 0x20
    return replace(WHOLE, chunks=[bytes(body)])


async def test_one_wrong_byte_anywhere_is_never_a_clean_end(opened: Opening):
    async with opened(*map(spoiled, PLACES), configured=amazon()) as setting:
        ends = [await listened(setting) for _ in PLACES]
    assert set(ends) == {(502, True), (200, False)}
    assert set(setting.notebook.endings) == {Ending.BROKEN_OFF}


async def listened(setting: Setting) -> tuple[int, bool]:
    """Ask for a stream; return the status, and whether the transfer ended cleanly."""
    async with setting.post("/aws/v1/messages", {**ASK, "stream": True}) as answer:
        try:
            assert b"message_stop" not in await answer.read()
        except aiohttp.ClientError:
            return answer.status, False
        return answer.status, True


async def test_a_stream_whose_first_message_is_broken_is_a_clean_502(opened: Opening):
    broken = Reply(chunks=[SPOILED], content_type="application/vnd.amazon.eventstream")
    async with (
        opened(lambda seen: broken, configured=amazon()) as setting,
        setting.post("/aws/v1/messages", {**ASK, "stream": True}) as answer,
    ):
        assert answer.status == 502
        assert (await answer.json())["error"]["type"] == "api_error"
    assert setting.notebook.endings == [Ending.BROKEN_OFF]


@pytest.mark.parametrize("steps", [0, 2])
async def test_a_silent_stream_gets_keep_alives_at_the_border_of_events(opened: Opening, steps: int):
    whole = framed(ANSWER(stream=True))
    stall = Stall()
    unfinished = whole.chunks[steps]
    half = whole.cut(steps, unfinished[:9], stall, unfinished[9:], *whole.chunks[steps + 1 :])
    patience = Patience(keep_alive=0.05)
    async with (
        opened(lambda seen: half, configured=amazon(), patience=patience) as setting,
        setting.post("/aws/v1/messages", {**ASK, "stream": True}) as answer,
    ):
        early = await answer.content.readuntil(b": keep-alive\n\n")
        stall.release()
        rest = await answer.read()
    assert (early + rest).replace(b": keep-alive\n\n", b"") == ANSWER(stream=True).body


async def test_a_client_that_leaves_still_leaves_its_usage(opened: Opening):
    whole = framed(ANSWER(stream=True))
    pause = Stall()
    slow = whole.cut(2, pause, *whole.chunks[2:])
    async with opened(lambda seen: slow, configured=amazon()) as setting:
        async with setting.post("/aws/v1/messages", {**ASK, "stream": True}) as answer:
            await answer.content.readany()
            await pause.reached.wait()
            answer.close()
        pause.release()
        await setting.notebook.all_ended.wait()
    end = setting.notebook.only_end
    assert end.ending is Ending.CLIENT_LEFT
    assert [fact.output for fact in end.answer.facts if isinstance(fact, Usage)] == [5]
