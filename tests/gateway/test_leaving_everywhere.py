"""A client that leaves after each event of a stream: what was seen is recorded, and nothing is left behind."""

import asyncio
import json

import pytest

from coderai.demo.answers import Tool
from coderai.demo.answers_chat import chat_answer
from coderai.demo.answers_messages import messages_answer
from coderai.demo.answers_responses import responses_answer
from coderai.demo.provider import Pause, Reply, Stall
from coderai.gateway.limits import Limits
from coderai.gateway.watch import Patience
from coderai.providers.breaker import Breakers, Rule
from coderai.providers.retries import Retries
from coderai.records import Api, Ending, Usage
from coderai.wire.apis import WIRES
from tests.gateway.conftest import Opening, Setting
from tests.gateway.raw import connect, request
from tests.gateway.test_recorded import CHAT, MESSAGES, RESPONSES

SAYS = {"text": "one two three four five six seven", "tools": [Tool("read_file", {"path": "a.py"}, id="call_1")]}
ASKS = {
    Api.MESSAGES: ("/anthropic/v1/messages", MESSAGES | {"stream": True}, messages_answer(thinking="hm", **SAYS)),
    Api.CHAT: (
        "/openai/v1/chat/completions",
        CHAT | {"stream": True, "stream_options": {"include_usage": True}},
        chat_answer(reasoning="hm", **SAYS),
    ),
    Api.RESPONSES: ("/openai/v1/responses", RESPONSES | {"stream": True}, responses_answer(reasoning="hm", **SAYS)),
}
EVERYWHERE = pytest.mark.parametrize(
    ("api", "seen"),
    [(api, seen) for api, (_, _, answer) in ASKS.items() for seen in range(len(answer.events))],
)
"""After so many events; after the last one there is nothing to leave."""


async def leave_after(setting: Setting, api: Api, events: int) -> None:
    """Ask, take so many events, and hang up."""
    path, body, _ = ASKS[api]
    url = setting.url + path
    reader, writer = await connect(url)
    writer.write(request(url, json.dumps(body).encode()))
    await setting.provider.request(0)
    got = b""
    while got.count(b"\n\n") < events:
        got += await reader.read(1 << 16)
    assert got.count(b"\n\n") == events
    writer.close()
    await writer.wait_closed()


def everything(api: Api, events: int | None = None) -> tuple[object, ...]:
    """Return the facts in so many events of the answer."""
    _, body, answer = ASKS[api]
    wire = WIRES[api]
    reader = wire.StreamReader(wire.read_request(json.dumps(body).encode()))
    for event in answer.events[:events]:
        reader.feed(event)
    return reader.close().facts


@EVERYWHERE
async def test_the_provider_is_read_on_and_everything_is_recorded(opened: Opening, api: Api, seen: int):
    answer = ASKS[api][2]
    more = asyncio.Event()
    reply = answer.cut(seen, Pause(more), *answer.chunks[seen:])
    async with opened(reply, patience=Patience(drain=30), limits=Limits(5), retries=Retries()) as setting:
        await leave_after(setting, api, seen)
        while not all(flight.client_gone for flight in setting.watch._flights):
            await asyncio.sleep(0)
        more.set()
        await setting.notebook.all_ended.wait()
        end = setting.notebook.only_end
        assert (end.ending, end.answer.facts) == (Ending.CLIENT_LEFT, everything(api))
        assert any(isinstance(fact, Usage) and fact.output for fact in end.answer.facts)
        await setting.provider.seen[0].closed.wait()
        await _nothing_runs(setting)
    await _no_task_is_left()


@EVERYWHERE
async def test_a_provider_that_says_no_more_is_left_in_time(opened: Opening, api: Api, seen: int):
    breakers = Breakers(Rule(threshold=1))
    reply = Reply(chunks=[*ASKS[api][2].chunks[:seen], Stall()], content_type="text/event-stream")
    options = {"patience": Patience(drain=0.05), "limits": Limits(5), "breakers": breakers}
    async with opened(reply, **options) as setting, asyncio.timeout(5):
        await leave_after(setting, api, seen)
        await setting.notebook.all_ended.wait()
        end = setting.notebook.only_end
        assert (end.ending, end.answer.facts) == (Ending.CLIENT_LEFT, everything(api, seen))
        await setting.provider.seen[0].closed.wait()
        assert setting.provider.seen[0].left_early
        await _nothing_runs(setting)
        assert setting.pool._all == set()
        assert len(breakers) == 0
    await _no_task_is_left()


async def _nothing_runs(setting: Setting) -> None:
    """Wait for the last steps after the records; a thing that is left fails by the time limit of the test."""
    async with asyncio.timeout(5):
        while len(setting.watch) or setting.plane.limits.running:
            await asyncio.sleep(0)
        while any(not connection.closed() and not connection.reusable() for connection in setting.pool._all):
            await asyncio.sleep(0)


async def _no_task_is_left() -> None:
    async with asyncio.timeout(5):
        while asyncio.all_tasks() != {asyncio.current_task()}:
            await asyncio.sleep(0)
