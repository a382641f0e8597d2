"""Clients that leave, or take nothing; faults of our own; providers that say nothing. Everything leaves a trace."""

import asyncio
import json
import resource
from contextlib import suppress

import pytest

from coderai.demo.answers_messages import messages_answer
from coderai.demo.provider import BreakOff, Pause, Reply
from coderai.gateway.watch import Flight, Patience
from coderai.gateway.whole import HELD_BYTES
from coderai.records import Ending, Usage
from tests.gateway.conftest import TOKEN, Opening
from tests.gateway.raw import connect, request, saying, serving, talk
from tests.gateway.test_recorded import MESSAGES, THREE_APIS

STREAMED = {"stream": True, "stream_options": {"include_usage": True}}
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"


@pytest.mark.parametrize("long", [False, True], ids=["stream", "long body"])
async def test_a_client_that_leaves_before_the_head_of_the_answer_leaves_its_usage(opened: Opening, long):
    answer = messages_answer(text="x" * (2 * HELD_BYTES) if long else "hi")
    more = asyncio.Event()
    chunks = [Pause(more), answer.whole] if long else [Pause(more), *answer.chunks]
    reply = Reply(content_type="application/json" if long else "text/event-stream", chunks=chunks)
    async with opened(reply, patience=Patience(drain=5)) as setting:
        url = setting.url + "/anthropic/v1/messages"
        _, writer = await connect(url)
        writer.write(request(url, json.dumps(MESSAGES | {"stream": not long}).encode()))
        await setting.provider.request(0)
        writer.close()
        await writer.wait_closed()
        while not _client_gone(setting.watch):
            await asyncio.sleep(0)
        more.set()
        await setting.notebook.all_ended.wait()
        end = setting.notebook.only_end
    assert end.ending is Ending.CLIENT_LEFT
    if not long:
        assert [fact.output for fact in end.answer.facts if isinstance(fact, Usage)] == [61]


def _client_gone(watch) -> bool:
    return all(flight.client_gone for flight in watch._flights)


@THREE_APIS
async def test_a_stream_without_any_event_is_a_502(opened: Opening, path, body, reply):
    async with opened(Reply(content_type="text/event-stream", chunks=[])) as setting:
        async with setting.post(path, body | STREAMED) as answer:
            assert answer.status == 502
            assert "without a single event" in (await answer.json())["error"]["message"]
        end = setting.notebook.only_end
    assert (end.ending, end.http_status) == (Ending.BROKEN_OFF, 502)


async def test_a_stream_that_breaks_off_before_its_first_byte_is_a_502(opened: Opening):
    async with saying(HEAD) as url, opened(base_url=url) as setting:
        async with setting.post("/anthropic/v1/messages", MESSAGES | STREAMED) as answer:
            assert answer.status == 502
        assert setting.notebook.endings == [Ending.BROKEN_OFF]


async def test_a_stream_that_is_slow_to_begin_has_its_headers_and_is_kept_alive(opened: Opening):
    more = asyncio.Event()
    whole = messages_answer(text="hi")

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(HEAD)
        await more.wait()
        text = whole.body
        writer.write(b"%x\r\n%b\r\n0\r\n\r\n" % (len(text), text))
        writer.close()

    patience = Patience(keep_alive=0.05)
    async with (
        serving(serve) as url,
        opened(base_url=url, patience=patience) as setting,
        setting.post("/anthropic/v1/messages", MESSAGES | STREAMED) as answer,
    ):
        first = await answer.content.readuntil(b": keep-alive\n\n")
        more.set()
        rest = await answer.read()
    assert (first + rest).replace(b": keep-alive\n\n", b"") == whole.body


async def test_a_fault_of_ours_ends_the_record_and_is_no_clean_end(opened: Opening):
    async with opened(base_url="http://127.0.0.1:99999999") as setting:
        async with setting.post("/anthropic/v1/messages", MESSAGES) as answer:
            assert answer.status >= 500
        assert len(setting.notebook.ended) == 1
        assert len(setting.watch) == 0


async def test_a_client_that_stops_reading_slows_the_provider_down_and_costs_no_memory(opened: Opening):
    megabytes = 200
    sent = 0
    event = b'event: ping\ndata: {"type": "ping", "x": "' + b"x" * (1 << 16) + b'"}\n\n'
    start, *rest = messages_answer(text="hi").events
    tail = b"".join(rest)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        await reader.readuntil(b"\r\n\r\n")
        writer.write(HEAD + b"%x\r\n%b\r\n" % (len(start), start))
        while sent < megabytes << 20:
            writer.write(b"%x\r\n%b\r\n" % (len(event), event))
            await writer.drain()
            sent += len(event)
        writer.write(b"%x\r\n%b\r\n0\r\n\r\n" % (len(tail), tail))
        writer.close()

    async with serving(serve) as url, opened(base_url=url) as setting:
        target = setting.url + "/anthropic/v1/messages"
        reader, writer = await connect(target)
        writer.write(request(target, json.dumps(MESSAGES | STREAMED).encode(), headers=[b"Connection: close"]))
        before = -1
        while before != sent or not sent:  # until nothing moves any more
            before = sent
            await asyncio.sleep(0.2)
        assert 0 < sent < 32 << 20  # buffers of four sockets
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        size, end = 0, b""
        while piece := await reader.read(1 << 20):
            size += len(piece)
            end = (end + piece)[-4096:]
        writer.close()
        assert size > megabytes << 20
        assert b"message_stop" in end
        assert end.endswith(b"0\r\n\r\n")
        assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - peak < 64 << 10  # kilobytes
        assert setting.notebook.endings == [Ending.COMPLETE]


@pytest.mark.parametrize("path", ["/anthropic/v1/messages", "/anthropic/v1/models"], ids=["recorded", "passed through"])
async def test_a_client_that_takes_nothing_is_given_up_and_its_connection_dropped(opened: Opening, path):
    lost = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        event = b'event: ping\ndata: {"type": "ping", "x": "' + b"x" * (1 << 16) + b'"}\n\n'
        writer.write(HEAD)
        try:
            while True:
                writer.write(b"%x\r\n%b\r\n" % (len(event), event))
                await writer.drain()
        except ConnectionError:
            lost.set()

    async with serving(serve) as url, opened(base_url=url, patience=Patience(upstream=0.4)) as setting:
        target = setting.url + path
        reader, writer = await connect(target)
        method = "GET" if path.endswith("models") else "POST"
        writer.write(request(target, json.dumps(MESSAGES | STREAMED).encode(), method=method))
        async with asyncio.timeout(10):
            await lost.wait()
            got = b""
            with suppress(ConnectionError):
                while piece := await reader.read(1 << 20):
                    got = (got + piece)[-100:]
        assert not got.endswith(b"0\r\n\r\n")
        writer.close()
        assert len(setting.watch) == 0
        assert setting.notebook.endings == ([Ending.CLIENT_LEFT] if method == "POST" else [])


@pytest.mark.parametrize("waits", [0, 1], ids=["before the first wait", "between two waits"])
async def test_an_interruption_outside_of_a_wait_ends_the_next_one(waits):
    class Request:
        transport = None

    flight = Flight(Request(), 0.0)  # type: ignore[arg-type]
    for _ in range(waits):
        async with flight.limit():
            pass
    flight.interrupt(Ending.CANCELLED)
    flight.interrupt(Ending.CLIENT_LEFT)
    with pytest.raises(TimeoutError):
        async with flight.limit():
            await asyncio.Event().wait()
    assert flight.ending is Ending.CANCELLED


async def test_a_client_that_does_not_take_the_end_for_too_long_is_dropped():
    class Transport:
        aborted = False

        def is_closing(self) -> bool:
            return self.aborted

        def abort(self) -> None:
            self.aborted = True

    class Request:
        transport = Transport()

    flight = Flight(Request(), 0.0)  # type: ignore[arg-type]
    flight.landed()
    assert not flight.look(5.0, Patience(upstream=10))
    assert not Request.transport.aborted
    assert not flight.look(10.0, Patience(upstream=10))
    assert Request.transport.aborted


async def test_pipelined_requests_are_answered_in_order(opened: Opening):
    first, second = messages_answer(text="one"), messages_answer(text="two")
    async with opened(first, second) as setting:
        url = setting.url + "/anthropic/v1/messages"
        body = json.dumps(MESSAGES | STREAMED).encode()
        got, _ = await talk(url, request(url, body) + request(url, body, headers=[b"Connection: close"]))
        assert setting.notebook.endings == [Ending.COMPLETE] * 2
    assert got.index(b'"one"') < got.index(b"0\r\n\r\nHTTP/1.1 200") < got.index(b'"two"')
    assert got.count(b"message_stop") == 4


async def test_a_client_that_leaves_while_its_body_comes_leaves_nothing_behind(opened: Opening, caplog):
    async with opened() as setting:
        url = setting.url + "/anthropic/v1/messages"
        _, writer = await connect(url)
        writer.write(request(url, b"{}").replace(b"Content-Length: 2", b"Content-Length: 200"))
        await writer.drain()
        await asyncio.sleep(0.05)
        writer.close()
        await asyncio.sleep(0.05)
        assert setting.notebook.begun == []
    assert "Traceback" not in caplog.text


async def test_a_client_that_leaves_a_passed_through_answer_is_no_error(opened: Opening, caplog):
    more = asyncio.Event()
    async with opened(Reply(chunks=[b"[1,", Pause(more), b"2]"])) as setting:
        async with setting.client.get(
            setting.url + "/openai/v1/models", headers={"Authorization": f"Bearer {TOKEN}"}
        ) as answer:
            await answer.content.readany()
            answer.close()
        while not _client_gone(setting.watch):
            await asyncio.sleep(0)
        more.set()
        while len(setting.watch):
            await asyncio.sleep(0)
    assert "Traceback" not in caplog.text


async def test_half_a_passed_through_answer_is_not_ended(opened: Opening):
    async with opened(Reply(chunks=[b"[1,", BreakOff()])) as setting:
        url = setting.url + "/openai/v1/models"
        got, _ = await talk(url, request(url, method="GET"))
    assert got.startswith(b"HTTP/1.1 200")
    assert not got.endswith(b"0\r\n\r\n")


@THREE_APIS
async def test_half_of_an_answer_without_a_length_is_a_502(opened: Opening, path, body, reply):
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n"
    async with saying(head, reply.whole[:-20]) as url, opened(base_url=url) as setting:
        async with setting.post(path, body) as answer:
            assert answer.status == 502
            assert "broke off" in (await answer.json())["error"]["message"]
        assert setting.notebook.endings == [Ending.BROKEN_OFF]


async def test_a_whole_answer_without_a_length_is_passed_on(opened: Opening):
    whole = messages_answer(text="hi").whole
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n"
    async with saying(head, whole) as url, opened(base_url=url) as setting:
        async with setting.post("/anthropic/v1/messages", MESSAGES) as answer:
            assert await answer.read() == whole
        assert setting.notebook.endings == [Ending.COMPLETE]
