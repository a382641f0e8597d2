"""A client of the gateway's WebSocket, and what Codex and Copilot CLI send on it."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp

from tests.gateway.conftest import TOKEN, Setting

ENDS = ("response.completed", "response.incomplete", "response.failed", "error")

CODEX = {
    "User-Agent": "codex_exec/0.169.0 (Debian 12.0.0; x86_64) dumb (codex_exec; 0.169.0)",
    "originator": "codex_exec",
    "openai-beta": "responses_websockets=2026-02-06",
    "session-id": "0199a1b2-0000-7000-8000-00000000c0de",
    "thread-id": "0199a1b2-0000-7000-8000-00000000c0de",
    "x-client-request-id": "0199a1b2-0000-7000-8000-00000000c0de",
    "x-codex-window-id": "0199a1b2-0000-7000-8000-00000000c0de:0",
    "version": "0.169.0",
}
COPILOT = {"User-Agent": "OpenAI/JS 5.20.1", "x-initiator": "user", "x-interaction-type": "conversation-user"}


def user(text: str) -> dict[str, Any]:
    return {"type": "message", "role": "user", "content": [{"type": "input_text", "text": text}]}


def create(*items: object, **members: object) -> dict[str, Any]:
    """A request for an answer; *items* are its input."""
    return {"type": "response.create", "model": "gpt-5.3-codex", "input": list(items), **members}


ASK = create(user("fix the test"))


@dataclass
class Client:
    """One open WebSocket to the gateway."""

    socket: aiohttp.ClientWebSocketResponse

    async def say(self, message: object) -> None:
        await self.socket.send_bytes(message) if isinstance(message, bytes) else await self.socket.send_json(message)

    async def hear(self) -> dict[str, Any]:
        """The next message."""
        message = await self.socket.receive(10)
        assert message.type is aiohttp.WSMsgType.TEXT, message
        return dict(message.json())

    async def raw_answer(self) -> list[str]:
        """The messages of an answer up to its end, as they came."""
        messages: list[str] = []
        while not messages or json.loads(messages[-1])["type"] not in ENDS:
            messages.append((await self.socket.receive(10)).data)
        return messages

    async def answer(self) -> list[dict[str, Any]]:
        return [json.loads(message) for message in await self.raw_answer()]

    async def ask(self, message: object) -> list[dict[str, Any]]:
        await self.say(message)
        return await self.answer()

    async def closed(self) -> tuple[int | None, str | None]:
        """The code and the reason with which the gateway closes; nothing else may come."""
        message = await self.socket.receive(10)
        assert message.type in (aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSED), message
        return self.socket.close_code, message.extra


@asynccontextmanager
async def connected(
    setting: Setting,
    path: str = "/openai/v1/responses",
    *,
    headers: Mapping[str, str] = CODEX,
    token: str = TOKEN,
    compress: int = 0,
    **options: Any,
) -> AsyncIterator[Client]:
    """Open a WebSocket to the gateway."""
    credential = {"Authorization": f"Bearer {token}"}
    async with setting.client.ws_connect(
        setting.url + path, headers=credential | dict(headers), compress=compress, max_msg_size=0, **options
    ) as socket:
        yield Client(socket)


async def refused(setting: Setting, path: str = "/openai/v1/responses", **options: Any) -> aiohttp.ClientResponse:
    """Try to open a WebSocket and return the HTTP answer instead."""
    token = options.pop("token", TOKEN)
    headers = {
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
        **({"Authorization": f"Bearer {token}"} if token else {}),
        **options.pop("headers", {}),
    }
    answer = await setting.client.get(setting.url + path, headers=headers, **options)
    await answer.read()
    return answer


def handshake(url: str) -> bytes:
    """Return the request for *url* as bytes."""
    path = url.split("/", 3)[3]
    lines = [
        f"GET /{path} HTTP/1.1",
        "Host: gateway",
        f"Authorization: Bearer {TOKEN}",
        "Connection: Upgrade",
        "Upgrade: websocket",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    ]
    return "\r\n".join(lines).encode() + b"\r\n\r\n"


@asynccontextmanager
async def nothing_left(setting: Setting) -> AsyncIterator[None]:
    """Afterwards no task, no running exchange and no connection is left on the gateway's side."""
    before = asyncio.all_tasks()
    yield
    async with asyncio.timeout(10):
        for socket in setting.provider.sockets:
            await socket.closed.wait()
        while len(setting.plane._sockets) or any(
            "websocket" in task.get_name() for task in asyncio.all_tasks() - before
        ):
            await asyncio.sleep(0)
    assert len(setting.watch) == 0


def _tasks(before: set[asyncio.Task[object]]) -> list[str]:
    names = [task.get_name() for task in asyncio.all_tasks() - before]
    return [name for name in names if "websocket" in name]
