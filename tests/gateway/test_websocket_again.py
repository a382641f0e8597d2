"""Each request on a WebSocket is looked at like one over HTTP: token, limits, provider, key, circuit."""

from dataclasses import replace

import aiohttp
import pytest

from coderai.access.callers import Caller
from coderai.demo.answers import error_answer
from coderai.demo.answers_responses import responses_answer
from coderai.demo.provider import Stall
from coderai.errors import NotSignedIn
from coderai.gateway.limits import Limits
from coderai.providers.breaker import Breakers, Rule
from coderai.providers.keys import KeyPool
from coderai.records import Api, Ending
from tests.gateway.conftest import ALICE, CENTRAL_KEY, TOKEN, OneToken, Opening
from tests.gateway.websockets import ASK, connected, nothing_left

ANSWER = responses_answer(text="one two three four five six", id="resp_1")


class Revocable(OneToken):
    """An authority whose token can be revoked."""

    revoked = False

    async def identify(self, token: str) -> Caller:
        if self.revoked or token != TOKEN:
            raise NotSignedIn("this token has been revoked")
        return ALICE


async def test_a_revoked_token_ends_the_socket_at_the_next_request(opened: Opening):
    authority = Revocable()
    async with opened(ANSWER, authority=authority) as setting, nothing_left(setting), connected(setting) as client:
        await client.ask(ASK)
        authority.revoked = True
        heard = await client.ask(ASK)
        assert (heard[-1]["status"], heard[-1]["error"]["message"]) == (401, "this token has been revoked")
        assert (await client.closed())[0] == 1008
        assert len(setting.provider.seen) == len(setting.notebook.begun) == 1


@pytest.mark.parametrize(
    "change",
    [{"state": "disabled"}, {"base_url": "http://127.0.0.1:9/v1"}, {"keys": KeyPool(["sk-rotated-0123456789"])}],
    ids=["switched off", "moved", "another key"],
)
async def test_a_provider_that_was_changed_ends_the_socket_at_the_next_request(opened: Opening, change):
    async with opened(ANSWER) as setting, nothing_left(setting), connected(setting) as client:
        await client.ask(ASK)
        instance = setting.registry.find("openai")
        assert instance is not None
        setting.registry.replace([replace(instance, **change)])
        assert (await client.ask(ASK))[-1]["status"] == 503
        assert (await client.closed())[0] == 1012
        assert len(setting.provider.seen) == len(setting.notebook.begun) == 1


async def test_a_personal_key_that_was_changed_ends_the_socket_at_the_next_request(opened: Opening):
    keys = PersonalKey("sk-personal-0123456789")
    async with opened(ANSWER, authority=keys) as setting, nothing_left(setting), connected(setting) as client:
        await client.ask(ASK)
        assert setting.provider.attempts[0].headers["Authorization"] == "Bearer sk-personal-0123456789"
        keys.key = "sk-another-0123456789"
        assert (await client.ask(ASK))[-1]["status"] == 503
        assert (await client.closed())[0] == 1012
        assert len(setting.provider.seen) == 1


async def test_a_reload_that_changes_nothing_leaves_the_socket(opened: Opening):
    async with opened(ANSWER, ANSWER) as setting, connected(setting) as client:
        await client.ask(ASK)
        instance = setting.registry.find("openai")
        assert instance is not None
        setting.registry.replace([replace(instance, keys=KeyPool([CENTRAL_KEY]))])
        assert (await client.ask(ASK))[-1]["type"] == "response.completed"


class PersonalKey(OneToken):
    """An authority that keeps a personal key."""

    def __init__(self, key: str) -> None:
        super().__init__()
        self.key = key

    async def personal_key(self, user_id: str, provider: str) -> str | None:
        return self.key


class Failing(Revocable):
    """An authority with a fault."""

    async def identify(self, token: str) -> Caller:
        if self.revoked:
            raise RuntimeError("a fault of ours")
        return ALICE


async def test_a_fault_of_ours_ends_the_socket_without_leaving_anything(opened: Opening):
    authority = Failing()
    stall = Stall()
    slow = ANSWER.cut(3, stall)
    async with opened(slow, authority=authority) as setting, nothing_left(setting), connected(setting) as client:
        await client.say(ASK | {"stream_id": "slow"})
        await stall.reached.wait()
        authority.revoked = True
        await client.say(ASK)
        while (await client.socket.receive(5)).type is aiohttp.WSMsgType.TEXT:
            pass
        assert client.socket.close_code != 1000
        assert setting.notebook.endings == [Ending.CANCELLED]


async def test_each_request_counts_for_the_rate(opened: Opening):
    clock = [100.0]
    limits = Limits(per_second=2, clock=lambda: clock[0])
    async with opened(ANSWER, ANSWER, limits=limits) as setting, connected(setting) as client:
        await client.ask(ASK)  # the handshake was the first
        heard = await client.ask(ASK)
        assert (heard[-1]["status"], heard[-1]["error"]["type"]) == (429, "rate_limit_error")
        clock[0] += 1
        assert (await client.ask(ASK))[-1]["type"] == "response.completed"


async def test_a_place_is_taken_by_an_answer_not_by_an_idle_socket(opened: Opening):
    stall = Stall()
    reply = ANSWER.cut(3, stall, *ANSWER.events[3:])
    async with opened(reply, limits=Limits(most_at_once=1)) as setting, connected(setting) as first:
        async with connected(setting) as second:
            await first.say(ASK)
            await stall.reached.wait()
            heard = await second.ask(ASK)
            assert (heard[-1]["status"], heard[-1]["error"]["code"]) == (503, "service_unavailable")
            stall.release()
            await first.answer()
        assert setting.plane.limits.running == 0


async def test_failures_open_the_circuit_for_websockets_too(opened: Opening):
    breakers = Breakers(Rule(threshold=1))
    async with opened(error_answer(Api.RESPONSES, 500), ANSWER, breakers=breakers) as setting:
        async with connected(setting) as client:
            await client.ask(ASK)
            heard = await client.ask(ASK)
            assert (heard[-1]["status"], heard[-1]["error"]["message"]) == (503, "circuit breaker is open")
        assert setting.notebook.endings == [Ending.UPSTREAM_ERROR, Ending.REFUSED]
        assert len(setting.provider.seen) == 1
