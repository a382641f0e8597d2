"""Two servers on one database: what is taken away through one stops working on the other within a second."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import aiohttp
import pytest

from tests.end_to_end.asking import ENDS, SlowAgent, calling, rest
from tests.end_to_end.conftest import make_token
from tests.end_to_end.processes import Gateway, coderai
from tests.postgres import Server

Pair = tuple[Gateway, Gateway]
PASSWORD = "correct horse"


@pytest.fixture
async def pair(tmp_path: Path, agent: SlowAgent, database_url: str) -> AsyncIterator[Pair]:
    """Both with a data directory of their own."""
    servers = [Gateway(tmp_path / name, agent.url, (f"--database-url={database_url}",)) for name in ("one", "other")]
    for server in servers:
        await server.start()
    yield servers[0], servers[1]
    for server in servers:
        if server.running:
            await server.kill()


@pytest.fixture
async def mia(pair: Pair, tmp_path: Path) -> str:
    """Somebody's token; she may call models, and has a password."""
    (tmp_path / "password").write_text(PASSWORD)
    return await person(pair[0], "mia", f"--password-file={tmp_path / 'password'}")


async def person(gateway: Gateway, name: str, *options: str) -> str:
    """Make somebody, and return a token called "laptop"."""
    await admin(gateway, "users", "create", "-u", name, "-e", f"{name}@example.com", *options)
    return await make_token(gateway, "-u", name, "-n", "laptop")


async def admin(gateway: Gateway, *arguments: str) -> str:
    """Do something as the owner, through this server."""
    done = await coderai(*arguments, f"--data-dir={gateway.data_dir}")
    assert done.code == 0, done.err
    return done.out


async def management(gateway: Gateway, token: str) -> int:
    headers = {"Coder-Session-Token": token}
    async with aiohttp.ClientSession() as http, http.get(gateway.url + "/api/v2/users/me", headers=headers) as answer:
        return answer.status


async def models(gateway: Gateway, token: str) -> int:
    async with calling(gateway, token) as client:
        return (await client.ask("messages", "quick", stream=False)).status


async def within_a_second(ask: Callable[[], Awaitable[int]], status: int) -> None:
    async with asyncio.timeout(1):
        while await ask() != status:
            await asyncio.sleep(0.01)


async def test_three_that_start_at_once_on_an_empty_database(
    tmp_path: Path, agent: SlowAgent, postgres_server: Server
) -> None:
    url = postgres_server.empty()
    servers = [Gateway(tmp_path / str(number), agent.url, (f"--database-url={url}",)) for number in range(3)]
    try:
        async with asyncio.TaskGroup() as tasks:
            for server in servers:
                tasks.create_task(server.start())
        token = await make_token(servers[0])
        for number, server in enumerate(servers):
            assert await models(server, token) == 200, number
            assert await server.stop() == 0
    finally:
        for server in servers:
            if server.running:
                await server.kill()


TAKEN_AWAY = {
    "ruth": ("tokens", "remove", "laptop", "-u", "ruth", "-y"),
    "erik": ("tokens", "expire", "laptop", "-u", "erik", "-y"),
    "sue": ("users", "suspend", "sue", "-y"),
    "dora": ("users", "delete", "dora", "-y"),
}


async def test_what_is_taken_away_here_is_refused_there(pair: Pair) -> None:
    one, other = pair
    tokens = {name: await person(one, name) for name in TAKEN_AWAY}
    for name, token in tokens.items():
        assert (await management(other, token), await models(other, token)) == (200, 200), name
        await admin(one, *TAKEN_AWAY[name])
        await within_a_second(lambda token=token: management(other, token), 401)
        found = (await models(other, token), await models(one, token), await management(one, token))
        assert found == (401, 401, 401), name


async def test_a_session_ends_there_when_it_is_ended_here(pair: Pair, mia: str) -> None:
    one, other = pair
    async with aiohttp.ClientSession() as http:
        body = {"email": "mia", "password": PASSWORD}
        async with http.post(one.url + "/api/v2/users/login", json=body) as answer:
            session = (await answer.json())["session_token"]
        assert await management(other, session) == 200
        async with http.post(one.url + "/api/v2/users/logout", headers={"Coder-Session-Token": session}) as answer:
            assert answer.status == 200
    await within_a_second(lambda: management(other, session), 401)
    assert await management(other, mia) == 200


async def test_what_runs_is_not_closed_half(pair: Pair, mia: str, agent: SlowAgent) -> None:
    one, other = pair
    async with calling(other, mia) as client, client.asking("messages", "slow") as answer:
        await agent.stalled(1)
        await admin(one, "users", "suspend", "mia", "-y")
        await within_a_second(lambda: models(other, mia), 401)
        agent.release()
        told = await rest(answer)
    assert (told.whole, ENDS["messages"] in told.body) == (True, True)


async def test_somebody_let_in_again_comes_in_everywhere(pair: Pair, mia: str) -> None:
    one, other = pair
    await admin(one, "users", "suspend", "mia", "-y")
    await within_a_second(lambda: management(other, mia), 401)
    await admin(other, "users", "activate", "mia", "-y")
    await within_a_second(lambda: management(one, mia), 200)


async def test_the_last_use_is_kept_when_a_server_stops(pair: Pair, mia: str) -> None:
    one, other = pair
    assert await models(other, mia) == 200
    assert await other.stop() == 0
    shown = json.loads(await admin(one, "tokens", "view", "laptop", "-u", "mia", "-o", "json"))
    assert shown["last_used"] > shown["created_at"]
