"""Servers and clients that leave while an answer is on its way: what was learned is recorded, with how it ended."""

import asyncio
import signal
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select, update

from coderai.store.engine import open_store
from coderai.store.schema import interceptions, processes, user_prompts
from tests.end_to_end.asking import APIS, ENDS, SlowAgent, calling, rest
from tests.end_to_end.conftest import make_token
from tests.end_to_end.processes import Gateway
from tests.end_to_end.records import endings


@pytest.fixture
async def gateway(tmp_path: Path, agent: SlowAgent, database_url: str) -> AsyncIterator[Gateway]:
    server = Gateway(tmp_path / "data", agent.url, (f"--database-url={database_url}",))
    yield server
    if server.running:
        await server.kill()


async def test_a_stream_within_the_grace_period_ends_as_if_nothing_was(
    gateway: Gateway, agent: SlowAgent, database_url: str
):
    await gateway.start()
    async with calling(gateway, await make_token(gateway)) as client, client.asking("messages", "slow") as answer:
        await agent.stalled(1)
        gateway.signal(signal.SIGTERM)
        await gateway.said("Stopping")
        agent.release()
        told = await rest(answer)
    assert (told.whole, ENDS["messages"] in told.body) == (True, True)
    assert await gateway.gone() == 0
    assert await endings(database_url) == {"slow": ("complete", 20)}


@pytest.mark.parametrize("dialect", ["sqlite"])
async def test_streams_past_the_grace_period_end_with_an_error(gateway: Gateway, agent: SlowAgent, database_url: str):
    gateway.options += ("--shutdown-grace=200ms",)
    await gateway.start()
    async with calling(gateway, await make_token(gateway)) as client, asyncio.TaskGroup() as tasks:
        asked = [tasks.create_task(client.ask(api, f"slow {api}")) for api in APIS]
        await agent.stalled(len(APIS))
        assert await gateway.stop() == 0
    told = [each.result() for each in asked]
    assert [each.whole for each in told] == [False] * 3
    assert [b"the gateway was stopped before the end" in each.body for each in told] == [True] * 3
    assert [ENDS[api] in each.body for api, each in zip(APIS, told, strict=True)] == [False] * 3
    found = await endings(database_url)
    assert [found[f"slow {api}"][0] for api in APIS] == ["cancelled"] * 3


@pytest.mark.parametrize("dialect", ["sqlite"])
async def test_a_second_signal_leaves_at_once(gateway: Gateway, agent: SlowAgent, database_url: str):
    await gateway.start()
    async with calling(gateway, await make_token(gateway)) as client, client.asking("chat", "slow") as answer:
        await agent.stalled(1)
        gateway.signal(signal.SIGTERM)
        await gateway.said("Stopping")
        gateway.signal(signal.SIGTERM)
        async with asyncio.timeout(2):
            assert await gateway.gone() == 130
        told = await rest(answer)
    assert (told.whole, ENDS["chat"] in told.body) == (False, False)
    assert await endings(database_url) == {"slow": (None, None)}  # an orphan for the next one


async def test_a_client_that_leaves_is_recorded_with_its_usage(gateway: Gateway, agent: SlowAgent, database_url: str):
    await gateway.start()
    async with calling(gateway, await make_token(gateway)) as client:
        async with client.asking("responses", "slow") as answer:
            await agent.stalled(1)
            answer.close()
        assert (await client.ask("chat", "next")).status == 200  # by then the gateway has seen that the first one left
        agent.release()
        await agent.scripted.seen[0].closed.wait()
        assert not agent.scripted.seen[0].left_early
    assert await gateway.stop() == 0
    assert await endings(database_url) == {"slow": ("client_left", 20), "next": ("complete", 20)}


@pytest.mark.parametrize("dialect", ["sqlite"])
async def test_the_drain_has_an_end(gateway: Gateway, agent: SlowAgent, database_url: str):
    gateway.options += ("--aibridge-drain-timeout=100ms",)
    await gateway.start()
    async with calling(gateway, await make_token(gateway)) as client:
        async with client.asking("messages", "slow") as answer:
            await agent.stalled(1)
            answer.close()
        await agent.scripted.seen[0].left.wait()
    assert await gateway.stop() == 0
    assert (await endings(database_url))["slow"][0] == "client_left"


async def test_only_the_streams_of_the_dead_are_orphans(
    gateway: Gateway, agent: SlowAgent, database_url: str, tmp_path: Path
):
    """Two servers share a database; one is killed, and its heartbeat is made old enough not to wait for that."""
    other = Gateway(tmp_path / "other", agent.url, gateway.options)
    await gateway.start()
    await other.start()
    token = await make_token(gateway)
    async with (
        calling(other, token) as dying,
        calling(gateway, token) as living,
        living.asking("messages", "slow, and goes on") as answer,
    ):
        await agent.stalled(1)
        async with dying.asking("messages", "slow, and dies"):
            await agent.stalled(2)
            await other.kill()
        await make_old(database_url, "slow, and dies")
        await gateway.said("closed 1 interceptions that a process left open")
        found = await endings(database_url)
        assert found == {"slow, and dies": ("interrupted", None), "slow, and goes on": (None, None)}
        agent.release()
        assert (await rest(answer)).whole
    assert await gateway.stop() == 0
    found = await endings(database_url)
    assert found == {"slow, and dies": ("interrupted", None), "slow, and goes on": ("complete", 20)}


async def make_old(url: str, prompt: str) -> None:
    """Put back the heartbeats of all processes, the living too, and the start of the exchange with *prompt*."""
    past = datetime.now(UTC) - timedelta(minutes=1)
    asked = select(user_prompts.c.interception_id).where(user_prompts.c.prompt == prompt)
    async with open_store(url, jobs=False) as store, store.transaction() as db:
        await db.execute(update(processes).values(heartbeat_at=past))
        await db.execute(update(interceptions).where(interceptions.c.id.in_(asked)).values(started_at=past))
