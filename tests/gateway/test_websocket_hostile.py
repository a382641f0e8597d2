"""Messages on a WebSocket that mean no good, and sides that do not keep up."""

import asyncio
import json
import resource

import aiohttp
import pytest

from coderai.demo.answers_responses import responses_answer
from coderai.demo.provider import Message, Reply, Stall
from coderai.demo.sockets import event_data
from coderai.gateway.watch import Patience
from coderai.records import Ending, ErrorType
from tests.gateway.conftest import CENTRAL_KEY, Opening
from tests.gateway.raw import connect
from tests.gateway.websockets import ASK, connected, create, handshake, user

ANSWER = responses_answer(text="hi")
GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
SECOND_KEY = "sk-second-0123456789abcdef"


@pytest.mark.parametrize(
    "data", ["", "hi", "[]", '{"type":', "null", "[" * 10_000], ids=["empty", "word", "array", "half", "null", "deep"]
)
@pytest.mark.parametrize("binary", [False, True])
async def test_what_is_no_json_object_is_refused_and_the_socket_stays(opened: Opening, data, binary):
    async with opened(ANSWER) as setting, connected(setting) as client:
        await (client.socket.send_bytes(data.encode()) if binary else client.socket.send_str(data))
        heard = await client.hear()
        assert (heard["type"], heard["status"], heard["error"]["type"]) == ("error", 400, "invalid_request_error")
        assert (await client.ask(ASK))[-1]["type"] == "response.completed"
        assert len(setting.provider.sockets[0].messages) == 1


async def test_binary_messages_that_are_no_json_are_refused(opened: Opening):
    async with opened() as setting, connected(setting) as client:
        await client.socket.send_bytes(b"\x00\xff")
        assert (await client.hear())["status"] == 400


async def test_text_that_is_not_utf_8_ends_the_socket(opened: Opening):
    async with opened() as setting, connected(setting) as client:
        await client.socket.send_frame(b'{"type":"response.create","input":"\xff"}', aiohttp.WSMsgType.TEXT)
        assert (await client.closed())[0] == 1007
        assert setting.notebook.begun == []


async def test_a_message_over_the_limit_ends_the_socket(opened: Opening):
    async with opened(ANSWER, max_bytes=4096) as setting, connected(setting) as client:
        whole = json.dumps(create(user(""))).encode()
        fits = whole.replace(b'"text": ""', b'"text": "' + b"x" * (4096 - len(whole)) + b'"')
        assert len(fits) == 4096
        await client.socket.send_str(fits.decode())
        await client.answer()
        await client.socket.send_str(fits.decode() + " ")
        assert (await client.closed())[0] == 1009
        assert len(setting.notebook.begun) == 1


async def test_a_large_message_that_is_no_request_passes(opened: Opening):
    large = {"type": "response.inject", "input": [{"type": "function_call_output", "output": "x" * (2 << 20)}]}
    async with opened(max_bytes=4 << 20) as setting, connected(setting) as client:
        await client.say(large)
        assert json.loads((await (await setting.provider.socket()).message()).data) == large


async def test_a_compressed_bomb_ends_the_socket(opened: Opening):
    async with opened(max_bytes=4096) as setting, connected(setting, compress=15) as client:
        await client.socket.send_str('{"type":"response.create","input":"' + " " * (8 << 20) + '"}')
        assert (await client.closed())[0] == 1009
        assert setting.notebook.begun == []


async def test_a_message_in_fragments_is_one_message(opened: Opening):
    async with opened(ANSWER) as setting:
        target = setting.url + "/openai/v1/responses"
        reader, writer = await connect(target)
        writer.write(handshake(target))
        assert b" 101 " in await reader.readuntil(b"\r\n\r\n")
        data = json.dumps(ASK).encode()
        writer.write(_fragment(data[:7], 0x01) + _fragment(b"", 0x89) + _fragment(data[7:9], 0x00))
        writer.write(_fragment(data[9:], 0x80))
        seen = await setting.provider.request()
        assert seen.body == data
        writer.close()


@pytest.mark.parametrize("raw", [b"\xff\xff\xff\xff", b"\x83\x80\0\0\0\0", b"\x80\x80\0\0\0\0"], ids=repr)
async def test_frames_against_the_protocol_end_the_socket(opened: Opening, raw):
    async with opened() as setting:
        target = setting.url + "/openai/v1/responses"
        reader, writer = await connect(target)
        writer.write(handshake(target))
        await reader.readuntil(b"\r\n\r\n")
        writer.write(raw)
        got = await reader.read()
        writer.close()
        assert int.from_bytes(got[2:4], "big") == 1002
        await (await setting.provider.socket()).closed.wait()


def _fragment(data: bytes, first: int) -> bytes:
    """A frame with the mask 0, which leaves the data as they are."""
    assert len(data) < 1 << 16
    length = bytes([0x80 | len(data)]) if len(data) < 126 else b"\xfe" + len(data).to_bytes(2, "big")
    return bytes([first]) + length + b"\0\0\0\0" + data


@pytest.mark.parametrize(
    "members",
    [
        {"model": 7, "input": 7},
        {"model": None, "input": None},
        {"input": [7, None, [], {"role": []}]},
        {"client_metadata": [], "previous_response_id": {}, "stream_id": []},
        {"stream": False, "background": "no", "generate": "no"},
        {"metadata": {"a": {"b": [[[]]]}}},
    ],
    ids=str,
)
async def test_odd_members_go_to_the_provider_who_judges_them(opened: Opening, members):
    asked = {"type": "response.create"} | members
    async with opened(ANSWER) as setting, connected(setting) as client:
        assert (await client.ask(asked))[-1]["type"] == "response.completed"
        assert json.loads(setting.provider.sockets[0].messages[0].data) == asked
        assert setting.notebook.endings == [Ending.COMPLETE]


async def test_steering_is_answered_in_the_words_of_the_api(opened: Opening):
    stall = Stall()
    async with opened(ANSWER.cut(2, stall, *ANSWER.events[2:])) as setting, connected(setting) as client:
        await client.say(ASK)
        await stall.reached.wait()
        await client.say({"type": "response.steer", "previous_response_id": "resp_1", "input": "stop that"})
        heard = [await client.hear() for _ in range(3)]
        assert heard[-1]["type"] == "response.steer.failed"
        assert heard[-1]["error"]["code"] == "steering_not_supported"
        stall.release()
        assert (await client.answer())[-1]["type"] == "response.completed"
        assert len(setting.provider.sockets[0].messages) == 1


async def test_words_of_the_user_in_a_message_that_is_not_recorded_are_refused(opened: Opening):
    async with opened() as setting, connected(setting) as client:
        await client.say({"type": "response.inject", "input": [user("do something else")]})
        assert (await client.hear())["status"] == 400
        assert (await setting.provider.socket()).messages == []


@pytest.mark.parametrize(
    "odd",
    [b"not json", b'{"type":"response.created","response":', b'{"type":7}', b"[]", b'{"type":"response.x"}', b""],
    ids=repr,
)
async def test_what_we_cannot_read_of_a_provider_passes(opened: Opening, odd):
    async with opened(Reply(chunks=[Message(odd), *ANSWER.events])) as setting, connected(setting) as client:
        await client.say(ASK)
        assert (await client.socket.receive(5)).data.encode() == odd
        await client.answer()
        assert setting.notebook.endings == [Ending.COMPLETE]


async def test_secrets_in_a_providers_error_are_masked(opened: Opening):
    error = json.dumps({"type": "error", "status": 401, "error": {"message": f"Incorrect API key: {CENTRAL_KEY}"}})
    async with opened(Reply(chunks=[Message(error.encode())])) as setting, connected(setting) as client:
        heard = await client.ask(ASK)
        assert CENTRAL_KEY not in json.dumps(heard)
        end = setting.notebook.only_end
        assert (end.error_type, end.error_message) == (ErrorType.UNAUTHORIZED, "Incorrect API key: sk-c...cdef")


async def test_a_client_that_stops_reading_slows_the_provider_down_and_costs_no_memory(opened: Opening):
    sent = 0
    megabytes = 100
    delta = b'{"type":"response.output_text.delta","delta":"' + b"x" * (1 << 16) + b'"}'
    created, *_, completed = (event_data(event) for event in ANSWER.events)

    async with opened(Reply(chunks=[Stall()])) as setting, connected(setting) as client:
        await client.say(ASK)
        provider = await setting.provider.socket()
        await provider.send(created)

        async def flood() -> None:
            nonlocal sent
            while sent < megabytes << 20:
                await provider.send(delta)
                sent += len(delta)
            await provider.send(completed)

        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(flood())
            before = -1
            while before != sent or not sent:  # until nothing moves any more
                before = sent
                await asyncio.sleep(0.2)
            assert 0 < sent < 32 << 20  # buffers of four sockets
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            heard = 0
            while (message := (await client.socket.receive(10)).data) != completed.decode():
                heard += len(message)
        assert heard > megabytes << 20
        assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - peak < 64 << 10  # kilobytes


async def test_a_client_that_takes_nothing_is_given_up(opened: Opening):
    delta = b'{"type":"response.output_text.delta","delta":"' + b"x" * (1 << 20) + b'"}'
    chunks = [ANSWER.events[0], *(Message(delta) for _ in range(64))]
    async with opened(Reply(chunks=chunks), patience=Patience(upstream=0.3)) as setting, connected(setting) as client:
        await client.say(ASK)
        await setting.notebook.all_ended.wait()
        assert setting.notebook.endings == [Ending.CLIENT_LEFT]
