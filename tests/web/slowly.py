"""A provider that answers when it is told to."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import aiohttp
from aiohttp import web
from aiohttp.test_utils import TestServer

from tests.web.living import Living

ANSWER = {"id": "x", "object": "chat.completion", "choices": [], "usage": {"prompt_tokens": 1, "completion_tokens": 1}}


@dataclass
class Slow:
    """What it was asked, and when it answers."""

    asked: asyncio.Event = field(default_factory=asyncio.Event)
    may_answer: asyncio.Event = field(default_factory=asyncio.Event)

    async def answer(self, _request: web.Request) -> web.Response:
        self.asked.set()
        await self.may_answer.wait()
        return web.json_response(ANSWER)


@asynccontextmanager
async def asked_slowly(house: Living, name: str, model: str, who: str = "mia") -> AsyncIterator[Slow]:
    """Have a question of somebody's in flight, to a provider of that *name*."""
    slow, app = Slow(), web.Application()
    app.router.add_post("/v1/chat/completions", slow.answer)
    async with TestServer(app) as server, aiohttp.ClientSession(house.url) as http, asyncio.TaskGroup() as tasks:
        provider = {"type": "openai", "name": name, "base_url": str(server.make_url("/v1")), "api_keys": ["sk-slow"]}
        owner = {"Coder-Session-Token": house.tokens["admin"]}
        async with http.post("/api/v2/ai/providers", json=provider | {"enabled": True}, headers=owner) as made:
            assert made.status == 201, await made.text()

        async def ask() -> None:
            path, token = f"/api/v2/aibridge/{name}/v1/chat/completions", f"Bearer {house.tokens[who]}"
            body = {"model": model, "messages": [{"role": "user", "content": "Take your time."}]}
            async with http.post(path, json=body, headers={"Authorization": token}) as answer:
                await answer.read()

        tasks.create_task(ask(), name="slow question")
        await slow.asked.wait()
        try:
            yield slow
        finally:
            slow.may_answer.set()
