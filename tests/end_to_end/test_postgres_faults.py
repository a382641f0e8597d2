"""What can happen to PostgreSQL only: connections that die under load, or that nobody answers on any more."""

import asyncio
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import asyncpg
import pytest

from tests.end_to_end import faults
from tests.end_to_end.asking import APIS, Client, SlowAgent, Told, calling
from tests.end_to_end.conftest import make_token
from tests.end_to_end.faults import Way
from tests.end_to_end.processes import Gateway
from tests.end_to_end.records import endings
from tests.postgres import Server

CLIENTS = 6
TURNS = 15


@pytest.fixture
async def way(postgres_server: Server) -> AsyncIterator[Way]:
    async with faults.way_to(postgres_server.fresh()) as way:
        yield way


@pytest.fixture
async def gateway(tmp_path: Path, agent: SlowAgent, way: Way) -> AsyncIterator[Gateway]:
    server = Gateway(tmp_path / "data", agent.url, (f"--database-url={way.url}", "--recorder-begin-wait=1s"))
    await server.start()
    yield server
    if server.running:
        await server.kill()


async def talk(client: Client, number: int, seen: list[str], refused: list[Told]) -> None:
    """Ask on and on; note what came to its end and what was refused."""
    for turn in range(TURNS):
        prompt = f"{number} {turn}"
        told = await client.ask(APIS[turn % 3], prompt, stream=turn % 2 == 0)
        assert told.whole
        if told.status == 200:
            seen.append(prompt)
        else:
            refused.append(told)


async def terminate(url: str) -> None:
    """End all connections of others to the database, twenty times."""
    own = await asyncpg.connect(url)
    try:
        for _ in range(20):
            query = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database()"
            await own.execute(query + " AND pid <> pg_backend_pid()")
    finally:
        await own.close()


async def test_connections_ended_under_load_lose_nothing(gateway: Gateway, way: Way):
    seen: list[str] = []
    refused: list[Told] = []
    async with calling(gateway, await make_token(gateway)) as client, asyncio.TaskGroup() as tasks:
        for number in range(CLIENTS):
            tasks.create_task(talk(client, number, seen, refused))
        tasks.create_task(terminate(way.url))
    assert {told.status for told in refused} <= {503}
    assert await gateway.stop() == 0
    found = await endings(way.url)
    assert [prompt for prompt in seen if found.get(prompt) != ("complete", 20)] == []
    assert {found[prompt][0] for prompt in found if prompt not in seen} <= {"refused"}
    assert len(seen) > CLIENTS * TURNS / 2


async def test_a_silent_database_refuses_in_time_and_lets_the_server_leave(gateway: Gateway, way: Way):
    """Also callers who must be looked up are refused; that it comes back is in ``test_store_faults``."""
    async with calling(gateway, await make_token(gateway)) as client:
        way.silence()
        async with asyncio.timeout(11):
            told = await asyncio.gather(*(client.ask(api, "who am I?") for api in APIS))
            ready = await readiness(gateway)
        assert [each.status for each in told] == [503] * 3
        assert ready == 503
        gateway.signal(signal.SIGTERM)
        async with asyncio.timeout(25):
            assert await gateway.gone() == 0


async def readiness(gateway: Gateway) -> int:
    async with aiohttp.ClientSession() as session, session.get(f"{gateway.url}/readyz") as answer:
        return answer.status


async def test_connections_that_nobody_answers_are_replaced(gateway: Gateway, way: Way):
    """As after a failover: the old server is gone without a word, the new one is there."""
    async with calling(gateway, await make_token(gateway)) as client:
        assert (await client.ask("chat", "before")).status == 200
        way.lose()
        async with asyncio.timeout(15):
            while (await client.ask("chat", "are you there?")).status != 200:
                pass
        assert (await client.ask("chat", "after")).status == 200
    assert await gateway.stop() == 0
    assert (await endings(way.url))["after"] == ("complete", 20)


async def test_a_server_without_its_database_still_leaves(gateway: Gateway, way: Way):
    way.close()
    gateway.signal(signal.SIGTERM)
    async with asyncio.timeout(10):
        assert await gateway.gone() == 0
