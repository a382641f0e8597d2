"""The scripted provider's WebSockets."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest

from coderai.demo.answers import error_answer
from coderai.demo.answers_responses import responses_answer
from coderai.demo.provider import BreakOff, Close, Message, Reply, ScriptedProvider, Stall
from coderai.demo.usual import small_talk
from coderai.records import Api

Socket = aiohttp.ClientWebSocketResponse
ASK = {"type": "response.create", "model": "m", "input": "hi"}
ANSWER = responses_answer(text="one two three four", id="resp_1")


@asynccontextmanager
async def _connected(provider: ScriptedProvider, path: str = "", **options: Any) -> AsyncIterator[Socket]:
    async with (
        provider.serving() as url,
        aiohttp.ClientSession() as client,
        client.ws_connect(url + path, **options) as socket,
    ):
        yield socket


async def _types(socket: Socket) -> list[str]:
    types: list[str] = []
    async for message in socket:
        types.append(message.json()["type"])
        if types[-1] in ("response.completed", "error"):
            break
    return types


async def test_the_events_of_an_answer_are_messages():
    provider = ScriptedProvider([ANSWER])
    async with _connected(provider, "/v1/responses?x=1", headers={"X-Own": "yes"}) as socket:
        await socket.send_json(ASK)
        events = [json.loads(event.partition(b"data: ")[2]) for event in ANSWER.events]
        assert [(await socket.receive_json()) for _ in events] == events
    attempt, seen = provider.attempts[0], provider.seen[0]
    assert (attempt.method, attempt.path, attempt.headers["X-Own"]) == ("GET", "/v1/responses?x=1", "yes")
    assert (seen.path, seen.json) == ("/v1/responses?x=1", ASK)


@pytest.mark.parametrize("status", [404, 426, 503])
async def test_attempts_can_be_refused(status):
    provider = ScriptedProvider(upgrades=[status])
    async with provider.serving() as url, aiohttp.ClientSession() as client:
        with pytest.raises(aiohttp.WSServerHandshakeError) as refusal:
            await client.ws_connect(url + "/v1/responses")
        assert refusal.value.status == status
        async with client.ws_connect(url + "/v1/responses"):
            pass


async def test_a_warm_up_needs_no_script():
    async with _connected(ScriptedProvider()) as socket:
        await socket.send_json(ASK | {"generate": False})
        assert await _types(socket) == ["response.created", "response.completed"]


async def test_an_error_answer_is_one_message_with_its_status_and_lane():
    provider = ScriptedProvider([error_answer(Api.RESPONSES, 429, "slow down")])
    async with _connected(provider) as socket:
        await socket.send_json(ASK | {"stream_id": "a"})
        event = await socket.receive_json()
    assert (event["type"], event["status"], event["stream_id"]) == ("error", 429, "a")
    assert event["error"]["message"] == "slow down"


@pytest.mark.parametrize(("end", "code"), [(Close(4000, "enough"), 4000), (BreakOff(), 1006), (BreakOff(True), 1006)])
async def test_it_can_close_and_break_off(end, code):
    async with _connected(ScriptedProvider([ANSWER.cut(2, end)])) as socket:
        await socket.send_json(ASK)
        assert len(await _types(socket)) == 2
        assert socket.close_code == code


async def test_it_can_stall_and_say_what_is_no_event():
    stall = Stall()
    provider = ScriptedProvider([Reply(chunks=[Message(b"odd"), stall, *ANSWER.events])])
    async with _connected(provider) as socket:
        await socket.send_json(ASK)
        assert await socket.receive_str() == "odd"
        await stall.reached.wait()
        await socket.send_str("also odd")
        assert (await (await provider.socket()).message(1)).data == b"also odd"
        stall.release()
        assert (await _types(socket))[-1] == "response.completed"


async def test_it_notes_how_it_was_closed():
    provider = ScriptedProvider()
    async with _connected(provider) as socket:
        await socket.close(code=4001)
        await provider.sockets[0].closed.wait()
    assert provider.sockets[0].code == 4001


async def test_small_talk_is_had_on_a_websocket_too():
    async with _connected(ScriptedProvider(otherwise=small_talk), "/v1/responses") as socket:
        await socket.send_json(ASK)
        assert (await _types(socket))[-1] == "response.completed"
