"""``kill -9`` at any moment: every exchange whose end a client has seen has its records."""

import asyncio
import random
from contextlib import suppress
from pathlib import Path

import aiohttp
import pytest
from sqlalchemy import select

from coderai.store.engine import open_store
from coderai.store.schema import interceptions, token_usages, user_prompts
from tests.end_to_end.conftest import make_token
from tests.end_to_end.processes import Gateway

KILLS = 20
CLIENTS = 8

CALLS = (
    ("/anthropic/v1/messages", lambda prompt: {"max_tokens": 9, "messages": [{"role": "user", "content": prompt}]}),
    ("/openai/v1/chat/completions", lambda prompt: {"messages": [{"role": "user", "content": prompt}]}),
    ("/openai/v1/responses", lambda prompt: {"input": prompt}),
)


async def _client(number: int, gateway: Gateway, token: str, seen: list[str], asked: list[str]) -> None:
    """Ask on and on, over all three APIs, streamed and not; note every prompt whose answer came to its end."""
    headers = {"Authorization": f"Bearer {token}"}
    async with aiohttp.ClientSession(headers=headers) as session:
        turn = 0
        while True:
            path, body = CALLS[(number + turn) % 3]
            prompt = f"prompt {number} {turn} {random.random()}"
            asked.append(prompt)
            document = {"model": "m", "stream": turn % 2 == 0, **body(prompt)}
            async with session.post(f"{gateway.url}/api/v2/aibridge{path}", json=document) as answer:
                text = await answer.read()
                assert answer.status == 200, text
            seen.append(prompt)
            turn += 1


async def _until_killed(gateway: Gateway, token: str, seconds: float, seen: list[str], asked: list[str]) -> None:
    clients = [_client(number, gateway, token, seen, asked) for number in range(CLIENTS)]
    tasks = [asyncio.get_running_loop().create_task(client) for client in clients]
    await asyncio.wait(tasks, timeout=seconds)
    await gateway.kill()
    for task in tasks:
        with suppress(aiohttp.ClientError, ConnectionError):
            await task


@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_nothing_that_a_client_saw_end_is_missing(
    tmp_path: Path, provider: tuple[object, str], database_url: str
):
    gateway = Gateway(tmp_path / "data", provider[1], options=(f"--database-url={database_url}",))
    chance = random.Random(20261121)
    seen: list[str] = []
    asked: list[str] = []
    await gateway.start()
    token = await make_token(gateway)
    for _ in range(KILLS):
        await _until_killed(gateway, token, chance.uniform(0.05, 0.5), seen, asked)
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
    assert len(seen) > KILLS * 5
    missing = [prompt for prompt in seen if prompt not in recorded]
    print(f"{KILLS} kills, {len(asked)} asked, {len(seen)} ended at a client, {len(missing)} missing")
    assert missing == []
