"""Two servers on one database: providers and personal keys changed through one count on the other within a second."""

import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from coderai.demo.provider import ScriptedProvider
from tests.end_to_end.asking import ENDS, Client, SlowAgent, calling, rest
from tests.end_to_end.conftest import make_token
from tests.end_to_end.processes import Gateway, coderai
from tests.end_to_end.test_two_servers import Pair, admin, within_a_second

KEYS = base64.b64encode(bytes(range(32))).decode()
CENTRAL = "sk-corp-0123456789abcdef"
PERSONAL = "sk-personal-0123456789abcdef"


@pytest.fixture
async def pair(tmp_path: Path, agent: SlowAgent, database_url: str) -> AsyncIterator[Pair]:
    """Both with a data directory of their own, and the same encryption keys."""
    environment = {"CODER_EXTERNAL_TOKEN_ENCRYPTION_KEYS": KEYS}
    options = (f"--database-url={database_url}",)
    servers = [Gateway(tmp_path / name, agent.url, options, environment) for name in ("one", "other")]
    for server in servers:
        await server.start()
    yield servers[0], servers[1]
    for server in servers:
        if server.running:
            await server.kill()


async def add(gateway: Gateway, url: str) -> None:
    options = ("--name=corp", f"--base-url={url}", f"--key={CENTRAL}")
    await admin(gateway, "providers", "add", "anthropic", *options)


async def status(client: Client) -> int:
    return (await client.ask("messages", "quick", stream=False, provider="corp")).status


async def test_the_life_of_a_provider(pair: Pair, agent: SlowAgent, provider: tuple[ScriptedProvider, str]):
    one, other = pair
    elsewhere, url = provider
    async with calling(other, await make_token(one)) as client:
        assert await status(client) == 404
        await add(one, agent.url)
        await within_a_second(lambda: status(client), 200)
        assert agent.scripted.seen[-1].headers["X-Api-Key"] == CENTRAL

        await admin(one, "providers", "edit", "corp", f"--base-url={url}")

        async def moved() -> int:
            await status(client)
            return len(elsewhere.seen)

        await within_a_second(moved, 1)
        await admin(other, "providers", "disable", "corp")
        await within_a_second(lambda: status(client), 503)
        await admin(one, "providers", "enable", "corp")
        await within_a_second(lambda: status(client), 200)
        await admin(other, "providers", "remove", "corp", "-y")
        await within_a_second(lambda: status(client), 404)


@asynccontextmanager
async def running(pair: Pair, agent: SlowAgent) -> AsyncIterator[Client]:
    """A slow answer is under way through the other server; it ends whole, whatever is done meanwhile."""
    one, other = pair
    await add(one, agent.url)
    async with calling(other, await make_token(one)) as client:
        await within_a_second(lambda: status(client), 200)
        number = len(agent.scripted.seen) + 1
        async with client.asking("messages", "slow", provider="corp") as answer:
            await agent.stalled(number)
            yield client
            agent.release()
            told = await rest(answer)
    assert (told.status, told.whole, ENDS["messages"] in told.body) == (200, True, True)


@pytest.mark.parametrize(("change", "after"), [(("disable", "corp"), 503), (("remove", "corp", "-y"), 404)])
async def test_a_running_answer_survives_the_end_of_its_provider(pair: Pair, agent: SlowAgent, change, after):
    async with running(pair, agent) as client:
        await admin(pair[0], "providers", *change)
        await within_a_second(lambda: status(client), after)


async def test_a_running_answer_survives_an_edit_of_its_provider(
    pair: Pair, agent: SlowAgent, provider: tuple[ScriptedProvider, str]
):
    elsewhere, url = provider
    async with running(pair, agent) as client:
        await admin(pair[0], "providers", "edit", "corp", f"--base-url={url}")

        async def moved() -> int:
            await status(client)
            return len(elsewhere.seen)

        await within_a_second(moved, 1)


async def test_a_personal_key_saved_here_is_used_there(pair: Pair, agent: SlowAgent):
    one, other = pair
    await add(one, agent.url)
    async with calling(other, await make_token(one)) as client:
        await within_a_second(lambda: status(client), 200)

        async def with_key(key: str) -> int:
            await status(client)
            return int(agent.scripted.seen[-1].headers["X-Api-Key"] == key)

        assert await with_key(CENTRAL)
        await admin(one, "keys", "set", "corp", f"--key={PERSONAL}")
        await within_a_second(lambda: with_key(PERSONAL), 1)
        await admin(one, "keys", "set", "corp", f"--key={PERSONAL}-2")
        await within_a_second(lambda: with_key(f"{PERSONAL}-2"), 1)
        await admin(other, "keys", "remove", "corp", "-y")
        await within_a_second(lambda: with_key(CENTRAL), 1)


async def test_a_second_server_on_one_directory_warns_and_takes_no_provider_away(tmp_path: Path, agent: SlowAgent):
    first = Gateway(tmp_path / "data", agent.url)
    second = Gateway(tmp_path / "data", agent.url, environment={"CODER_AIBRIDGE_PROVIDER_1_NAME": "renamed"})
    try:
        await first.start()
        await second.start()
        await second.said("another server runs on this data directory")
        shown = await coderai("providers", "list", f"--data-dir={tmp_path / 'data'}")
        states = {line.split()[0]: line.split()[-2] for line in shown.out.splitlines()[1:]}
        assert states == {"anthropic": "enabled", "openai": "enabled", "renamed": "enabled"}
        async with calling(first, await make_token(first)) as client:
            assert (await client.ask("chat", "quick", stream=False)).status == 200
        assert await first.stop() == 0
        assert (tmp_path / "data" / "server.json").exists()  # the other's
    finally:
        for server in (first, second):
            if server.running:
                await server.kill()
