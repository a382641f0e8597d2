"""Limits in front of the data plane: how much at the same time, how often per token or address."""

import asyncio
import json

import pytest

from coderai.access.addresses import trusted_proxies
from coderai.demo.answers_chat import chat_answer
from coderai.demo.answers_messages import messages_answer
from coderai.demo.provider import Pause
from coderai.errors import Busy
from coderai.gateway.limits import CAPACITY_TEXT, RATE_TEXT, Limits
from coderai.gateway.watch import Patience
from coderai.records import Ending
from tests.gateway.conftest import TOKEN, Opening
from tests.gateway.raw import connect, request
from tests.gateway.test_recorded import CHAT, MESSAGES
from tests.providers.test_keys import Clock

AUTHORIZED = {"Authorization": f"Bearer {TOKEN}"}


def asked(limits: Limits, caller: str, times: int) -> int:
    """Return how many of so many requests were let through."""
    return times - sum(_refused(limits, caller) for _ in range(times))


def _refused(limits: Limits, caller: str) -> bool:
    try:
        limits.count(caller)
    except Busy:
        return True
    return False


def test_without_limits_everything_passes():
    limits = Limits()
    assert asked(limits, "a", 10_000) == 10_000
    with limits.place(), limits.place():
        assert limits.running == 2


@pytest.mark.parametrize("rate", [1, 3, 7, 49, 1000])
def test_a_second_s_worth_may_come_at_once_then_they_come_at_the_rate(rate):
    clock = Clock()
    limits = Limits(per_second=rate, clock=clock)
    assert asked(limits, "a", 3 * rate) == rate
    clock.now += 1 / rate
    assert asked(limits, "a", 3) == 1
    clock.now += 100
    assert asked(limits, "a", 3 * rate) == rate


def test_each_caller_has_a_rate_of_its_own():
    limits = Limits(per_second=2, clock=Clock())
    assert [asked(limits, caller, 5) for caller in ("a", "b", "127.0.0.1")] == [2, 2, 2]


def test_who_asked_is_remembered_within_bounds():
    limits = Limits(per_second=1, clock=Clock(), callers=3)
    assert sum(asked(limits, str(number), 1) for number in range(1000)) == 1000
    assert asked(limits, "999", 1) == 0
    assert len(limits._paid_until) == 3


def test_what_is_said_to_who_asks_too_often():
    limits = Limits(per_second=1, clock=Clock())
    limits.count("a")
    with pytest.raises(Busy, match="You've been rate limited") as caught:
        limits.count("a")
    assert (caught.value.status, caught.value.retry_after) == (429, 1)


def test_places_are_given_back_whatever_happens():
    limits = Limits(most_at_once=1)
    with limits.place():
        full = limits.place()
        with pytest.raises(Busy, match="at capacity") as caught:
            full.__enter__()
    assert (caught.value.status, caught.value.retry_after) == (503, 1)
    place = limits.place()
    place.__enter__()
    assert not place.__exit__(ValueError, ValueError("of the request"), None)
    assert limits.running == 0


async def test_a_stream_has_its_place_until_it_ends(opened: Opening):
    more = asyncio.Event()
    answer = messages_answer(text="hi")
    reply = answer.cut(2, Pause(more), *answer.chunks[2:])
    async with opened(reply, chat_answer(text="hi"), limits=Limits(most_at_once=1)) as setting:
        async with setting.post("/anthropic/v1/messages", MESSAGES | {"stream": True}) as first:
            await first.content.readany()
            async with setting.post("/anthropic/v1/messages", MESSAGES) as second:
                said = await second.json()
                assert (second.status, second.headers["Retry-After"]) == (503, "1")
                assert said["error"] == {"type": "overloaded_error", "message": CAPACITY_TEXT}
            async with setting.post("/openai/v1/chat/completions", CHAT) as third:
                assert (third.status, (await third.json())["error"]["code"]) == (503, "service_unavailable")
            async with setting.client.head(setting.url + "/anthropic") as probe:
                assert probe.status == 200
            more.set()
            assert (await first.read()).endswith(answer.events[-1])
        async with setting.post("/openai/v1/chat/completions", CHAT) as fourth:
            assert fourth.status == 200
        assert setting.notebook.endings == [Ending.COMPLETE] * 2
        assert setting.plane.limits.running == 0


async def test_a_client_that_left_has_its_place_until_its_provider_is_done(opened: Opening):
    more = asyncio.Event()
    answer = messages_answer(text="hi")
    reply = answer.cut(2, Pause(more), *answer.chunks[2:])
    async with opened(reply, limits=Limits(most_at_once=1)) as setting:
        async with setting.post("/anthropic/v1/messages", MESSAGES | {"stream": True}) as first:
            await first.content.readany()
            first.close()
        async with setting.post("/anthropic/v1/messages", MESSAGES) as second:
            assert second.status == 503
        more.set()
        await setting.notebook.all_ended.wait()
    assert setting.notebook.endings == [Ending.CLIENT_LEFT]


async def test_requests_of_a_token_beyond_the_rate_are_refused_in_the_provider_s_form(opened: Opening):
    clock = Clock()
    replies = [messages_answer(text="hi")] * 3
    async with opened(*replies, limits=Limits(per_second=2, clock=clock)) as setting:
        for _ in range(2):
            async with setting.post("/anthropic/v1/messages", MESSAGES) as answer:
                assert answer.status == 200
        async with setting.post("/anthropic/v1/messages", MESSAGES) as answer:
            assert (answer.status, answer.headers["Retry-After"]) == (429, "1")
            assert (await answer.json())["error"] == {"type": "rate_limit_error", "message": RATE_TEXT}
            assert "x-should-retry" not in answer.headers
        async with setting.client.get(setting.url + "/openai/v1/models", headers=AUTHORIZED) as answer:
            assert (answer.status, (await answer.json())["error"]["code"]) == (429, "rate_limit_exceeded")
        clock.now += 0.5
        async with setting.post("/anthropic/v1/messages", MESSAGES) as answer:
            assert answer.status == 200
        assert len(setting.notebook.begun) == len(setting.provider.seen) == 3


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer wrong"}], ids=["no token", "wrong token"])
async def test_who_has_no_token_that_works_is_counted_by_address(opened: Opening, headers):
    async with opened(messages_answer(text="hi"), limits=Limits(per_second=1, clock=Clock())) as setting:
        url = setting.url + "/anthropic/v1/messages"
        statuses = []
        for _ in range(3):
            async with setting.client.post(url, json=MESSAGES, headers=headers) as answer:
                statuses.append(answer.status)
        async with setting.post("/anthropic/v1/messages", MESSAGES) as answer:
            statuses.append(answer.status)
    assert statuses == [401, 429, 429, 200]


async def test_strangers_behind_a_trusted_proxy_are_counted_one_by_one(opened: Opening):
    proxies = trusted_proxies(["127.0.0.1"], ["X-Forwarded-For"])
    async with opened(limits=Limits(per_second=1, clock=Clock()), proxies=proxies) as setting:
        statuses = []
        for address in ("203.0.113.1", "203.0.113.2", "203.0.113.1"):
            headers = {"X-Forwarded-For": address}
            url = setting.url + "/anthropic/v1/messages"
            async with setting.client.post(url, json=MESSAGES, headers=headers) as answer:
                statuses.append(answer.status)
    assert statuses == [401, 401, 429]


@pytest.mark.parametrize("path", ["/anthropic/v1/messages", "/anthropic/v1/messages/count_tokens"])
async def test_who_stops_in_the_middle_of_a_request_gives_the_place_back(opened: Opening, path):
    limits = Limits(most_at_once=1)
    async with opened(patience=Patience(upload=0.05), limits=limits) as setting:
        url = setting.url + path
        half = request(url, b"", headers=[b"X: y"]).replace(b"Content-Length: 0", b"Content-Length: 9") + b'{"mod'
        reader, writer = await connect(url)
        writer.write(half)
        async with asyncio.timeout(5):
            told = await reader.readuntil(b"}}")
        writer.close()
        assert b" 400 " in told
        assert b"next to nothing of it for 0.05 s" in told
        assert limits.running == 0
        assert setting.notebook.begun == []


async def test_a_slow_request_is_read_as_long_as_it_comes(opened: Opening):
    async with opened(messages_answer(text="hi"), patience=Patience(upload=0.4, upload_pace=1)) as setting:
        url = setting.url + "/anthropic/v1/messages"
        whole = request(url, json.dumps(MESSAGES).encode(), headers=[b"Connection: close"])
        reader, writer = await connect(url)
        at = len(whole) - 30
        writer.write(whole[:at])
        for end in range(at, len(whole), 3):
            await asyncio.sleep(0.05)  # longer than the limit in sum: this is what is tested
            writer.write(whole[end : end + 3])
        async with asyncio.timeout(5):
            told = await reader.read()
        writer.close()
    assert b" 200 OK" in told


async def test_a_request_that_trickles_in_is_given_up(opened: Opening):
    async with opened(patience=Patience(upload=0.2)) as setting:
        url = setting.url + "/anthropic/v1/messages"
        reader, writer = await connect(url)
        writer.write(request(url, json.dumps(MESSAGES).encode())[:-30])
        async with asyncio.timeout(5), asyncio.TaskGroup() as tasks:
            told = tasks.create_task(reader.readuntil(b"}}"))
            while not told.done():
                writer.write(b" ")
                await asyncio.sleep(0.02)  # well within the limit of silence
        writer.close()
    assert b"next to nothing of it for 0.2 s" in told.result()


def test_refusals_are_counted_by_limit():
    limits = Limits(most_at_once=1, per_second=1, clock=Clock())
    with limits.place(), pytest.raises(Busy), limits.place():
        pass
    asked(limits, "one", 3)
    assert limits.refused == {"capacity": 1, "rate": 2}
