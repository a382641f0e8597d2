"""Many clients, a moody provider, clients that leave: each begun exchange ends once, and nothing is left over."""

import asyncio
import random
from collections import Counter

import aiohttp
import pytest

from coderai.demo.answers import error_answer
from coderai.demo.answers_messages import messages_answer
from coderai.demo.provider import BreakOff, Pause, Reply, Seen
from coderai.gateway.limits import Limits
from coderai.gateway.watch import Patience
from coderai.providers.breaker import Breakers, Rule
from coderai.providers.keys import SESSIONS
from coderai.providers.retries import Retries
from coderai.records import Api
from tests.gateway.conftest import TOKEN, Opening, Setting
from tests.gateway.test_recorded import MESSAGES
from tests.providers.test_keys import Clock

KEYS = tuple(f"sk-crowd-{number}-0123456789" for number in range(5))
PATH = "/anthropic/v1/messages"
MOODS = (
    error_answer(Api.MESSAGES, 429, "slow down", {"Retry-After": "0.02"}),
    error_answer(Api.MESSAGES, 503, "down", {"Retry-After-Ms": "10"}),
    error_answer(Api.MESSAGES, 529, "overloaded"),
    error_answer(Api.MESSAGES, 400, "no"),
    Reply(chunks=[BreakOff()]),
    Reply(chunks=[BreakOff(reset=True)]),
    messages_answer(text="half").cut(3, BreakOff()),
    messages_answer(text="slow").cut(2, Pause(0.2), b""),
    *[messages_answer(text="hello")] * 8,
)


async def _ask(setting: Setting, number: int, chance: random.Random, told: Counter[int]) -> None:
    """Ask once; every fifth client leaves sooner or later, one in ten stops reading in the middle."""
    body = MESSAGES | {"stream": chance.random() < 0.6, "model": f"m{number % 3}"}
    headers = {"X-Api-Key": TOKEN, "User-Agent": "claude-cli/2", "X-Claude-Code-Session-Id": f"s{number}"}
    patience = chance.random() * 0.05 if number % 5 == 0 else 30
    try:
        async with (
            asyncio.timeout(patience),
            setting.client.post(setting.url + PATH, json=body, headers=headers) as answer,
        ):
            told[answer.status] += 1
            if chance.random() < 0.1:
                answer.close()
            await answer.read()
    except (TimeoutError, aiohttp.ClientError):
        told[0] += 1


@pytest.mark.parametrize("seed", range(3))
async def test_everything_comes_back_to_zero(opened: Opening, seed: int):
    chance = random.Random(seed)

    def moody(seen: Seen) -> Reply:
        return chance.choice(MOODS)

    limits, told = Limits(most_at_once=60), Counter[int]()
    breakers = Breakers(Rule(threshold=5, interval=1, timeout=0.05, probes=2))
    async with opened(
        *[moody] * 3000,
        patience=Patience(upstream=2, drain=0.2),
        keys=KEYS,
        retries=Retries(extra=2, first=0.01),
        breakers=breakers,
        limits=limits,
    ) as setting:
        async with asyncio.TaskGroup() as tasks:
            for number in range(400):
                tasks.create_task(_ask(setting, number, chance, told))
        async with asyncio.timeout(10):
            while limits.running or len(setting.watch):
                await asyncio.sleep(0.01)
        begun, ended = setting.notebook.begun, setting.notebook.ended
        assert Counter(each.id for each in begun) == Counter(each.id for each, _ in ended)
        idle = sum(map(len, setting.pool._idle.values()))
        assert len(setting.pool._all) == idle
    assert {200, 400, 503} <= set(told)


async def test_two_hundred_clients_of_keys_that_are_all_refused(opened: Opening):
    refusal = error_answer(Api.MESSAGES, 429, "slow down", {"Retry-After": "7"})
    async with opened(*[refusal] * 1000, keys=KEYS, clock=Clock()) as setting:
        answers = await asyncio.gather(
            *[setting.post(PATH, MESSAGES, headers={"X-Claude-Code-Session-Id": f"s{n}"}) for n in range(200)]
        )
        assert {(answer.status, answer.headers["Retry-After"]) for answer in answers} == {(429, "7")}
        asked = len(setting.provider.seen)
        assert (await setting.post(PATH, MESSAGES)).status == 429
        assert len(setting.provider.seen) == asked  # nobody asks a key that cools down
        assert len(setting.notebook.ended) == 201


async def test_thousands_of_sessions_on_a_pool_are_remembered_within_bounds(opened: Opening):
    def first_is_busy(seen: Seen) -> Reply:
        busy = error_answer(Api.MESSAGES, 429, "slow down", {"Retry-After": "3600"})
        return busy if seen.headers["X-Api-Key"] == KEYS[0] else messages_answer(text="hi")

    async with opened(*[first_is_busy] * 3000, keys=KEYS[:2]) as setting:
        gate = asyncio.Semaphore(50)

        async def one(number: int) -> int:
            headers = {"User-Agent": "claude-cli/2", "X-Claude-Code-Session-Id": f"s{number}"}
            async with gate, setting.post(PATH, MESSAGES, headers=headers) as answer:
                await answer.read()
                return answer.status

        assert set(await asyncio.gather(*map(one, range(2000)))) == {200}
        instance = setting.registry.find("anthropic")
        assert instance is not None
        assert 1900 < len(instance.keys._sessions) <= min(2000, SESSIONS)
        assert len(instance.keys._cooling) == 1
