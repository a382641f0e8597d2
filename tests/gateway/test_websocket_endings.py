"""How a relayed WebSocket ends: providers that break off, clients that leave, records that fail, servers that stop."""

import asyncio
import json

import aiohttp
import pytest

from coderai.demo.answers import error_answer
from coderai.demo.answers_responses import responses_answer
from coderai.demo.provider import BreakOff, Close, Pause, Reply, Stall
from coderai.gateway.watch import Patience
from coderai.gateway.websocket_means import Pace
from coderai.records import Api, Ending, ErrorType, Usage
from tests.gateway.conftest import Opening, Setting
from tests.gateway.websockets import ASK, Client, connected, create, nothing_left, user

ANSWER = responses_answer(text="one two three four five six", id="resp_1")


async def gone(setting: Setting) -> None:
    """Wait until the gateway knows that the client has left."""
    async with asyncio.timeout(10):
        while not all(flight.client_gone for flight in setting.watch._flights):
            await asyncio.sleep(0)


@pytest.mark.parametrize("how", [BreakOff(), BreakOff(reset=True), Close(1000), Close(1012, "restart")], ids=repr)
@pytest.mark.parametrize("after", [0, 1, 4, 7])
async def test_a_provider_that_breaks_off_is_told_and_recorded(opened: Opening, how, after):
    async with opened(ANSWER.cut(after, how)) as setting, nothing_left(setting), connected(setting) as client:
        heard = await client.ask(ASK)
        assert len(heard) == after + 1
        assert heard[-1]["error"]["message"] == "openai: the provider broke off"
        assert (heard[-1]["status"], (await client.closed())[0]) == (502, 1011)
        end = setting.notebook.only_end
    assert (end.ending, end.http_status) == (Ending.BROKEN_OFF, 200 if after else 502)


async def test_what_was_learned_from_half_an_answer_is_recorded(opened: Opening):
    reply = responses_answer(reasoning="thinking about it for a while", text="x")
    async with opened(reply.cut(6, BreakOff())) as setting, connected(setting) as client:
        await client.ask(ASK)
        assert setting.notebook.only_end.answer.response_id == json.loads(reply.whole or b"")["id"]
        assert setting.notebook.only_end.answer.facts


@pytest.mark.parametrize("after", range(len(ANSWER.events)))
async def test_a_client_that_leaves_at_any_event_leaves_its_usage(opened: Opening, after):
    more = asyncio.Event()
    reply = Reply(chunks=[*ANSWER.events[:after], Pause(more), *ANSWER.events[after:]])
    async with opened(reply) as setting, nothing_left(setting):
        async with connected(setting) as client:
            await client.say(ASK)
            await setting.provider.request()
            for _ in range(after):
                await client.hear()
        await gone(setting)
        more.set()
        await setting.notebook.all_ended.wait()
        end = setting.notebook.only_end
    assert end.ending is Ending.CLIENT_LEFT
    assert [fact.output for fact in end.answer.facts if isinstance(fact, Usage)] == [61]


async def test_a_client_that_is_torn_away_leaves_its_usage(opened: Opening):
    more = asyncio.Event()
    reply = Reply(chunks=[*ANSWER.events[:3], Pause(more), *ANSWER.events[3:]])
    async with opened(reply) as setting, nothing_left(setting), connected(setting) as client:
        await client.say(ASK)
        await client.hear()
        _tear(client)
        await gone(setting)
        more.set()
        await setting.notebook.all_ended.wait()
        assert setting.notebook.endings == [Ending.CLIENT_LEFT]


async def test_draining_has_an_end(opened: Opening):
    stall = Stall()
    async with opened(ANSWER.cut(3, stall), patience=Patience(drain=0.05)) as setting, nothing_left(setting):
        async with connected(setting) as client:
            await client.say(ASK)
            await stall.reached.wait()
        await setting.notebook.all_ended.wait()
        assert setting.notebook.endings == [Ending.CLIENT_LEFT]


async def test_a_request_that_waits_does_not_go_out_when_its_client_has_left(opened: Opening):
    stall = Stall()
    async with opened(ANSWER.cut(3, stall), ANSWER, patience=Patience(drain=0.05)) as setting, nothing_left(setting):
        async with connected(setting) as client:
            await client.say(ASK)
            await stall.reached.wait()
            await client.say(create(user("and then")))
            _tear(client)
            await setting.notebook.all_ended.wait()
        assert len(setting.provider.seen) == len(setting.notebook.begun) == 1


async def test_a_provider_that_is_silent_for_too_long(opened: Opening):
    async with opened(ANSWER.cut(3, Stall()), patience=Patience(upstream=0.1)) as setting, nothing_left(setting):
        async with connected(setting) as client:
            heard = await client.ask(ASK)
            assert heard[-1]["error"]["message"] == "openai: the provider was silent for too long"
            assert (await client.closed())[0] == 1011
        end = setting.notebook.only_end
    assert (end.ending, end.error_type) == (Ending.TIMEOUT, ErrorType.TIMEOUT)


async def test_a_close_by_the_client_reaches_the_provider(opened: Opening):
    async with opened() as setting, nothing_left(setting), connected(setting) as client:
        socket = await setting.provider.socket()
        await client.socket.close(code=4001, message=b"had enough")
        await socket.closed.wait()
        assert socket.code == 4001


async def test_a_close_by_the_provider_reaches_the_client(opened: Opening):
    async with opened(Reply(chunks=[*ANSWER.events, Close(4002, "too old")])) as setting, nothing_left(setting):
        async with connected(setting) as client:
            await client.ask(ASK)
            assert await client.closed() == (4002, "too old")
        assert setting.notebook.endings == [Ending.COMPLETE]


async def test_a_provider_that_is_lost_between_answers_is_no_clean_close(opened: Opening):
    reply = Reply(chunks=[*ANSWER.events, BreakOff()])
    async with opened(reply) as setting, nothing_left(setting), connected(setting) as client:
        await client.ask(ASK)
        assert (await client.closed())[0] == 1011


async def test_without_a_record_of_the_start_nothing_goes_upstream_and_the_socket_stays(opened: Opening):
    async with opened(ANSWER) as setting, connected(setting) as client:
        setting.notebook.refuse_begin = True
        refusal = await client.ask(ASK)
        assert [(each["type"], each["status"], each["error"]["code"]) for each in refusal] == [
            ("error", 503, "service_unavailable")
        ]
        assert setting.provider.sockets[0].messages == []
        setting.notebook.refuse_begin = False
        assert (await client.ask(ASK))[-1]["type"] == "response.completed"


async def test_without_a_record_of_the_end_the_client_sees_none(opened: Opening):
    async with opened(ANSWER) as setting, nothing_left(setting), connected(setting) as client:
        setting.notebook.refuse_end = True
        heard = await client.ask(ASK)
        assert (heard[-1]["type"], heard[-1]["status"]) == ("error", 503)
        assert (await client.closed())[0] == 1011


@pytest.mark.parametrize("status", ["incomplete", "failed"])
async def test_the_providers_own_bad_end_passes(opened: Opening, status):
    reply = responses_answer(text="half", status=status, error="The model failed")
    async with opened(reply, ANSWER) as setting, connected(setting) as client:
        assert (await client.ask(ASK))[-1]["type"] == f"response.{status}"
        assert (await client.ask(ASK))[-1]["type"] == "response.completed"
        assert setting.notebook.endings == [
            Ending.INCOMPLETE if status == "incomplete" else Ending.UPSTREAM_ERROR,
            Ending.COMPLETE,
        ]


async def test_a_refusal_by_the_provider_is_recorded_with_its_status(opened: Opening):
    async with opened(error_answer(Api.RESPONSES, 429, "slow down"), ANSWER) as setting, connected(setting) as client:
        heard = await client.ask(ASK)
        assert [(each["status"], each["error"]["message"]) for each in heard] == [(429, "slow down")]
        await client.ask(ASK)
        end = setting.notebook.ended[0][1]
    assert (end.ending, end.http_status, end.error_type, end.error_message) == (
        Ending.UPSTREAM_ERROR,
        429,
        ErrorType.RATE_LIMITED,
        "slow down",
    )


async def test_background_requests_are_refused_and_recorded(opened: Opening):
    async with opened(ANSWER) as setting, connected(setting) as client:
        heard = await client.ask(ASK | {"background": True})
        assert (heard[-1]["status"], setting.notebook.endings) == (501, [Ending.REFUSED])
        assert (await client.ask(ASK))[-1]["type"] == "response.completed"
        assert len(setting.provider.seen) == 1


async def test_a_stopping_server_closes_idle_sockets_at_once(opened: Opening):
    async with opened() as setting, nothing_left(setting), connected(setting) as client:
        await setting.provider.socket()
        setting.plane.stop()
        assert (await client.closed())[0] == 1001
        assert setting.provider.sockets[0].code in (0, 1001)


async def test_a_stopping_server_lets_an_answer_end_and_begins_no_other(opened: Opening):
    stall = Stall()
    reply = ANSWER.cut(3, stall, *ANSWER.events[3:])
    async with opened(reply, ANSWER) as setting, nothing_left(setting), connected(setting) as client:
        await client.say(ASK)
        await stall.reached.wait()
        setting.plane.stop()
        stall.release()
        assert (await client.answer())[-1]["type"] == "response.completed"
        assert (await client.closed())[0] == 1001
        assert setting.notebook.endings == [Ending.COMPLETE]


async def test_what_runs_after_the_grace_is_cancelled_and_recorded(opened: Opening):
    stall = Stall()
    async with opened(ANSWER.cut(3, stall)) as setting, nothing_left(setting), connected(setting) as client:
        await client.say(ASK)
        await stall.reached.wait()
        setting.plane.stop()
        await setting.watch.drain(0.05)
        assert (await client.answer())[-1]["type"] == "error"
        assert (await client.closed())[0] == 1001
        assert setting.notebook.endings == [Ending.CANCELLED]


async def test_an_idle_socket_is_closed_after_a_while(opened: Opening):
    pace = Pace(ping=0.02, idle=0.1)
    async with opened(ANSWER, pace=pace) as setting, nothing_left(setting), connected(setting) as client:
        await client.ask(ASK)
        assert (await client.closed())[0] == 1001


async def test_a_client_that_gives_no_sign_of_life_is_taken_for_gone(opened: Opening):
    stall = Stall()
    times = {"patience": Patience(drain=0.05), "pace": Pace(ping=0.05)}
    async with (
        opened(ANSWER.cut(3, stall), **times) as setting,
        nothing_left(setting),
        connected(setting, autoping=False) as client,
    ):
        await client.say(ASK)
        await setting.notebook.all_ended.wait()
        assert setting.notebook.endings == [Ending.CLIENT_LEFT]


async def test_signs_of_life_keep_a_quiet_socket_open_on_both_sides(opened: Opening):
    pinged = 0
    stall = Stall()
    reply = ANSWER.cut(3, stall, *ANSWER.events[3:])
    async with opened(reply, pace=Pace(ping=0.02)) as setting, connected(setting, autoping=False) as client:
        await client.say(ASK)
        while pinged < 5:
            message = await client.socket.receive(5)
            if message.type is aiohttp.WSMsgType.PING:
                pinged += 1
                await client.socket.pong(message.data)
        stall.release()
        await setting.notebook.all_ended.wait()
        assert setting.notebook.endings == [Ending.COMPLETE]


def _tear(client: Client) -> None:
    """End the connection without a word."""
    transport = client.socket._response.connection.transport
    transport.abort()
