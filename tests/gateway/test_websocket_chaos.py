"""Many sockets, clients and providers that do anything at any moment: every start has an end, and nothing is left."""

import asyncio
import random
from collections.abc import Sequence
from contextlib import suppress

import aiohttp
import pytest

from coderai.demo.answers import Tool, error_answer
from coderai.demo.answers_responses import responses_answer
from coderai.demo.provider import BreakOff, Close, Pause, Reply, Seen, Step
from coderai.gateway.limits import Limits
from coderai.gateway.watch import Patience
from coderai.gateway.websocket_means import Pace
from coderai.records import Api
from tests.gateway.conftest import Opening, Setting
from tests.gateway.websockets import Client, connected, create, user

SOCKETS = 24
TURNS = 6


def answer(chance: random.Random) -> Reply:
    """Return an answer that comes to some end, in its own time."""
    reply = responses_answer(text="some words " * chance.randrange(1, 9), tools=[Tool("t", {})], reasoning="hm")
    if chance.random() < 0.1:
        return error_answer(Api.RESPONSES, chance.choice([400, 429, 500]))
    steps: list[Step] = []
    for event in reply.events:
        if chance.random() < 0.15:
            steps.append(Pause(chance.choice([0.0, 0.0, 0.02])))
        steps.append(event)
    if chance.random() < 0.25:
        cut = chance.randrange(len(steps))
        return Reply(chunks=[*steps[:cut], chance.choice([BreakOff(), BreakOff(reset=True), Close(1011), Close()])])
    return Reply(chunks=steps)


async def client(setting: Setting, chance: random.Random) -> None:
    """Ask, listen, leave in the middle, say nonsense."""
    async with connected(setting, compress=chance.choice([0, 15])) as own:
        for turn in range(TURNS):
            lane = {"stream_id": f"lane {turn % 3}"} if chance.random() < 0.3 else {}
            await own.say(create(user("x" * chance.choice([1, 100, 60_000])), **lane))
            if chance.random() < 0.2:
                await own.say(chance.choice(NONSENSE))
            if chance.random() < 0.3:
                continue  # and ask again meanwhile
            if not await listen(own, chance.choice([1, 5, 1000])):
                return
            if chance.random() < 0.1:
                transport = own.socket._response.connection.transport
                transport.abort()
                return


NONSENSE: Sequence[object] = ({"type": "response.unknown"}, {"type": "response.steer", "input": "x"}, 7, b"\xff", [])


async def listen(own: Client, most: int) -> bool:
    """Take some messages; return whether there is anybody to talk to."""
    for _ in range(most):
        message = await own.socket.receive(10)
        if message.type is not aiohttp.WSMsgType.TEXT:
            return False
        if message.json()["type"] in ("response.completed", "error"):
            return True
    return True


@pytest.mark.parametrize("seed", range(6))
async def test_every_start_has_an_end_and_nothing_is_left(opened: Opening, seed):
    chance = random.Random(seed)
    patience = Patience(drain=0.2, upstream=2.0)
    limits = Limits(most_at_once=12)
    before = asyncio.all_tasks()
    async with opened(patience=patience, pace=Pace(ping=0.05), limits=limits) as setting:

        def decide(seen: Seen) -> Reply:
            return answer(chance)

        setting.provider.add(*([decide] * SOCKETS * TURNS))
        clients = [random.Random(f"{seed} {number}") for number in range(SOCKETS)]
        async with asyncio.TaskGroup() as tasks:
            for each in clients:
                tasks.create_task(_quietly(setting, each), name="client")
        if chance.random() < 0.5:
            setting.plane.stop()
        async with asyncio.timeout(20):
            while len(setting.plane._sockets) or len(setting.watch) or _names(before):
                await asyncio.sleep(0.01)
        begun = [started.id for started in setting.notebook.begun]
        ended = [started.id for started, _ in setting.notebook.ended]
        assert begun
        assert sorted(begun) == sorted(ended)
        assert setting.plane.limits.running == 0


async def _quietly(setting: Setting, chance: random.Random) -> None:
    with suppress(ConnectionError, aiohttp.ClientError):  # the provider may break off while we are saying something
        await client(setting, chance)


def _names(before: set[asyncio.Task[object]]) -> list[str]:
    return [name for task in asyncio.all_tasks() - before if "websocket" in (name := task.get_name())]
