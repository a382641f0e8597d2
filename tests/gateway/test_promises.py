"""No record, no call; nothing completes unrecorded; whoever leaves, leaves traces."""

import asyncio

import aiohttp
import pytest

from coderai.demo.answers import error_event
from coderai.demo.answers_chat import chat_answer
from coderai.demo.answers_messages import messages_answer
from coderai.demo.answers_responses import responses_answer
from coderai.demo.provider import BreakOff, Pause, Reply, Stall
from coderai.gateway.watch import Patience
from coderai.records import Api, Ending, ErrorType, Usage
from tests.gateway.conftest import Opening
from tests.gateway.test_recorded import CHAT, MESSAGES, RESPONSES, THREE_APIS

STREAMED = {"stream": True, "stream_options": {"include_usage": True}}


@THREE_APIS
async def test_without_a_stored_start_nothing_goes_upstream(opened: Opening, path, body, reply):
    async with opened(reply) as setting:
        setting.notebook.refuse_begin = True
        async with setting.post(path, body) as answer:
            assert answer.status == 503
            assert (await answer.json())["error"]["message"] == "the audit store is not available"
        assert setting.provider.seen == []


@THREE_APIS
async def test_the_end_of_a_stream_waits_for_the_records(opened: Opening, path, body, reply):
    async with opened(reply) as setting:
        setting.notebook.may_end.clear()
        async with setting.post(path, body | STREAMED) as answer:
            await setting.notebook.end_asked.wait()
            before = await answer.content.readexactly(len(reply.body) - _end_length(reply))
            setting.notebook.may_end.set()
            assert before + await answer.read() == reply.body


def _end_length(reply: Reply) -> int:
    """How many bytes the data line that ends the stream has, with what follows it."""
    return len(reply.body) - reply.body.rindex(b"data:")


@THREE_APIS
async def test_a_whole_answer_waits_for_the_records(opened: Opening, path, body, reply):
    async with opened(reply) as setting:
        setting.notebook.may_end.clear()
        async with asyncio.TaskGroup() as tasks:
            asking = tasks.create_task(_status(setting.post(path, body)))
            await setting.notebook.end_asked.wait()
            assert not asking.done()
            setting.notebook.may_end.set()
        assert asking.result() == 200


async def _status(request: aiohttp.client._RequestContextManager) -> int:
    async with request as answer:
        await answer.read()
        return answer.status


@THREE_APIS
async def test_a_stream_whose_records_cannot_be_stored_ends_with_an_error_and_not_cleanly(
    opened: Opening, path, body, reply
):
    async with opened(reply) as setting:
        setting.notebook.refuse_end = True
        async with setting.post(path, body | STREAMED) as answer:
            text = await _until_it_breaks(answer)
    assert b"cannot be stored" in text
    assert text.rstrip(b"\n") != reply.body.rstrip(b"\n")


@THREE_APIS
async def test_a_whole_answer_whose_records_cannot_be_stored_becomes_a_503(opened: Opening, path, body, reply):
    async with opened(reply) as setting:
        setting.notebook.refuse_end = True
        async with setting.post(path, body) as answer:
            assert answer.status == 503
            assert "cannot be stored" in (await answer.json())["error"]["message"]


@THREE_APIS
@pytest.mark.parametrize("how", [BreakOff(), BreakOff(reset=True), None], ids=["closed", "reset", "clean but early"])
async def test_half_an_answer_ends_with_an_error_event_and_not_cleanly(opened: Opening, path, body, reply, how):
    half = reply.cut(3, *([how] if how else []))
    async with opened(half) as setting:
        async with setting.post(path, body | STREAMED) as answer:
            text = await _until_it_breaks(answer)
        end = setting.notebook.only_end
    assert text.startswith(b"".join(reply.events[:3]))
    assert b"broke off" in text
    assert (end.ending, end.error_type) == (Ending.BROKEN_OFF, ErrorType.UNKNOWN)


async def _until_it_breaks(answer: aiohttp.ClientResponse) -> bytes:
    """Read to an end that must not be a clean one."""
    pieces = []
    try:
        while piece := await answer.content.readany():
            pieces.append(piece)
    except aiohttp.ClientPayloadError:
        return b"".join(pieces)
    pytest.fail("the answer ended cleanly")


@pytest.mark.parametrize("size", [1, 2, 7, 64])
async def test_chunk_borders_do_not_matter(opened: Opening, size):
    reply = messages_answer(text="grüße 🦊", thinking="hm").split(size)
    async with opened(reply) as setting:
        async with setting.post("/anthropic/v1/messages", MESSAGES | STREAMED) as answer:
            assert await answer.read() == reply.body
        assert setting.notebook.endings == [Ending.COMPLETE]


async def test_a_chat_stream_without_done_is_complete_when_every_choice_finished(opened: Opening):
    reply = chat_answer(text="hi")
    async with opened(reply.cut(len(reply.chunks) - 1)) as setting:
        async with setting.post("/openai/v1/chat/completions", CHAT | STREAMED) as answer:
            await answer.read()
        assert setting.notebook.endings == [Ending.COMPLETE]


@pytest.mark.parametrize(
    ("path", "body", "api", "reply"),
    [
        ("/anthropic/v1/messages", MESSAGES, Api.MESSAGES, messages_answer(text="hi")),
        ("/openai/v1/chat/completions", CHAT, Api.CHAT, chat_answer(text="hi")),
        ("/openai/v1/responses", RESPONSES, Api.RESPONSES, responses_answer(text="hi")),
    ],
    ids=["messages", "chat", "responses"],
)
async def test_an_error_inside_a_stream_is_relayed_and_recorded(opened: Opening, path, body, api, reply):
    failing = reply.cut(2, error_event(api, "Overloaded"))
    async with opened(failing) as setting:
        async with setting.post(path, body | STREAMED) as answer:
            assert await answer.read() == failing.body
        end = setting.notebook.only_end
    assert (end.ending, end.error_message) == (Ending.UPSTREAM_ERROR, "Overloaded")


@THREE_APIS
async def test_a_provider_that_cannot_be_reached_is_a_502_in_the_callers_form(opened: Opening, path, body, reply):
    async with opened(base_url="http://127.0.0.1:9") as setting:
        async with setting.post(path, body | STREAMED) as answer:
            assert answer.status == 502
            message = (await answer.json())["error"]["message"]
        assert message == "127.0.0.1:9 cannot be reached: Connection refused"
        assert setting.notebook.endings == [Ending.UNREACHABLE]


async def test_a_reset_before_the_headers_is_a_502(opened: Opening):
    async with opened(*[Reply(chunks=[BreakOff()])] * 3) as setting:
        async with setting.post("/anthropic/v1/messages", MESSAGES) as answer:
            assert answer.status == 502
        assert setting.notebook.endings == [Ending.UNREACHABLE]


async def test_a_silent_provider_is_given_up_before_its_headers(opened: Opening):
    async with opened(Reply(chunks=[Stall()]), patience=Patience(upstream=0.1)) as setting:
        async with setting.post("/anthropic/v1/messages", MESSAGES) as answer:
            assert answer.status == 504
        assert (setting.notebook.endings, setting.notebook.only_end.error_type) == (
            [Ending.TIMEOUT],
            ErrorType.TIMEOUT,
        )


async def test_a_provider_that_falls_silent_in_a_stream_ends_it_with_an_error_event(opened: Opening):
    async with opened(messages_answer(text="hi").cut(3, Stall()), patience=Patience(upstream=0.1)) as setting:
        async with setting.post("/anthropic/v1/messages", MESSAGES | STREAMED) as answer:
            text = await _until_it_breaks(answer)
        assert b"silent for too long" in text
        assert setting.notebook.endings == [Ending.TIMEOUT]


async def test_a_silent_stream_is_kept_alive_by_comments(opened: Opening):
    more = asyncio.Event()
    whole = messages_answer(text="hi")
    reply = Reply(content_type="text/event-stream", chunks=[*whole.chunks[:3], Pause(more), *whole.chunks[3:]])
    patience = Patience(keep_alive=0.05)
    async with (
        opened(reply, patience=patience) as setting,
        setting.post("/anthropic/v1/messages", MESSAGES | STREAMED) as answer,
    ):
        first = await answer.content.readuntil(b": keep-alive\n\n")
        more.set()
        rest = await answer.read()
    assert (first + rest).replace(b": keep-alive\n\n", b"") == whole.body


async def test_when_the_client_leaves_the_provider_is_read_on_for_its_usage(opened: Opening):
    more = asyncio.Event()
    whole = messages_answer(text="hi there")
    reply = Reply(content_type="text/event-stream", chunks=[*whole.chunks[:3], Pause(more), *whole.chunks[3:]])
    async with opened(reply) as setting:
        async with setting.post("/anthropic/v1/messages", MESSAGES | STREAMED) as answer:
            await answer.content.readany()
            answer.close()
        more.set()
        await setting.notebook.all_ended.wait()
        end = setting.notebook.only_end
    assert (end.ending, end.error_message) == (Ending.CLIENT_LEFT, "the client left before the end")
    assert [fact.output for fact in end.answer.facts if isinstance(fact, Usage)] == [61]


async def test_when_the_client_leaves_a_silent_provider_is_closed_within_the_bound(opened: Opening):
    async with opened(messages_answer(text="hi").cut(3, Stall()), patience=Patience(drain=0.1)) as setting:
        async with setting.post("/anthropic/v1/messages", MESSAGES | STREAMED) as answer:
            await answer.content.readany()
            answer.close()
        await setting.notebook.all_ended.wait()
        await setting.provider.seen[0].closed.wait()
        assert setting.provider.seen[0].left_early
        assert setting.notebook.endings == [Ending.CLIENT_LEFT]
        assert len(setting.watch) == 0


async def test_when_the_client_leaves_before_the_headers_the_call_is_closed_within_the_bound(opened: Opening):
    async with opened(Reply(chunks=[Stall()]), patience=Patience(drain=0.1)) as setting:
        async with asyncio.TaskGroup() as tasks:
            asking = tasks.create_task(_status(setting.post("/anthropic/v1/messages", MESSAGES)))
            await setting.provider.request(0)
            asking.cancel()
        await setting.notebook.all_ended.wait()
        assert setting.notebook.endings == [Ending.CLIENT_LEFT]


async def test_stopping_ends_what_still_runs_after_the_grace_and_records_it(opened: Opening):
    async with opened(messages_answer(text="hi").cut(3, Stall())) as setting:
        async with setting.post("/anthropic/v1/messages", MESSAGES | STREAMED) as answer:
            await answer.content.readany()
            await setting.watch.drain(0.05)
            text = await _until_it_breaks(answer)
        assert b"stopped before the end" in text
        assert setting.notebook.endings == [Ending.CANCELLED]
