"""``kill -9`` at any moment: every exchange whose end a client has seen has its records."""

import asyncio
import random
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import pytest
from sqlalchemy import select

from coderai.store.engine import open_store
from coderai.store.schema import interceptions, token_usages, user_prompts
from tests.end_to_end.conftest import make_token
from tests.end_to_end.processes import Gateway

KILLS = 10  # on each database
CLIENTS = 8

CALLS = (
    ("/anthropic/v1/messages", lambda prompt: {"max_tokens": 9, "messages": [{"role": "user", "content": prompt}]}),
    ("/openai/v1/chat/completions", lambda prompt: {"messages": [{"role": "user", "content": prompt}]}),
    ("/openai/v1/responses", lambda prompt: {"input": prompt}),
)


@dataclass
class Prompts:
    """What was asked, and whose answer came to its end at a client."""

    asked: list[str] = field(default_factory=list)
    seen: list[str] = field(default_factory=list)
    _enough: asyncio.Event = field(default_factory=asyncio.Event)
    _awaited: int = 0

    def saw(self, prompt: str) -> None:
        self.seen.append(prompt)
        if len(self.seen) >= self._awaited:
            self._enough.set()

    async def more(self, count: int) -> None:
        """Wait for the ends of *count* more answers."""
        self._awaited = len(self.seen) + count
        self._enough.clear()
        await self._enough.wait()


async def _client(number: int, gateway: Gateway, token: str, prompts: Prompts) -> None:
    """Ask on and on, over all three APIs, streamed and not; note every prompt whose answer came to its end."""
    headers = {"Authorization": f"Bearer {token}"}
    async with aiohttp.ClientSession(headers=headers) as session:
        turn = 0
        while True:
            path, body = CALLS[(number + turn) % 3]
            prompt = f"prompt {number} {turn} {random.random()}"
            prompts.asked.append(prompt)
            document = {"model": "m", "stream": turn % 2 == 0, **body(prompt)}
            async with session.post(f"{gateway.url}/api/v2/aibridge{path}", json=document) as answer:
                text = await answer.read()
                assert answer.status == 200, text
            prompts.saw(prompt)
            turn += 1


async def _until_killed(gateway: Gateway, token: str, ends: int, prompts: Prompts) -> None:
    """Kill as soon as *ends* answers have come to their end; the other clients are anywhere in theirs."""
    loop = asyncio.get_running_loop()
    clients = [loop.create_task(_client(number, gateway, token, prompts)) for number in range(CLIENTS)]
    enough = loop.create_task(prompts.more(ends))
    await asyncio.wait([enough, *clients], return_when=asyncio.FIRST_COMPLETED)
    await gateway.kill()
    enough.cancel()
    for client in clients:
        with suppress(aiohttp.ClientError, ConnectionError):
            await client


@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_nothing_that_a_client_saw_end_is_missing(
    tmp_path: Path, provider: tuple[object, str], database_url: str
):
    gateway = Gateway(tmp_path / "data", provider[1], options=(f"--database-url={database_url}",))
    chance = random.Random(20261121)
    prompts = Prompts()
    await gateway.start()
    token = await make_token(gateway)
    for _ in range(KILLS):
        await _until_killed(gateway, token, chance.randint(1, 60), prompts)
        await gateway.start()
    assert await gateway.stop() == 0

    async with open_store(database_url, jobs=False) as store, store.reading() as db:
        complete = (
            select(user_prompts.c.prompt)
            .join(interceptions, interceptions.c.id == user_prompts.c.interception_id)
            .join(token_usages, token_usages.c.interception_id == interceptions.c.id)
            .where(interceptions.c.ending == "complete")
        )
        recorded = set((await db.execute(complete)).scalars())
    missing = [prompt for prompt in prompts.seen if prompt not in recorded]
    print(f"{KILLS} kills, {len(prompts.asked)} asked, {len(prompts.seen)} ended at a client, {len(missing)} missing")
    assert missing == []
