"""A client that sees everything: what came, and whether the transfer ended as HTTP says that it should."""

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp

from coderai.demo.provider import Answering, Reply, ScriptedProvider, Seen, Stall
from tests.end_to_end.processes import Gateway

APIS = ("messages", "chat", "responses")
PATHS = {
    "messages": "/anthropic/v1/messages",
    "chat": "/openai/v1/chat/completions",
    "responses": "/openai/v1/responses",
}
ENDS = {"messages": b'"message_stop"', "chat": b"[DONE]", "responses": b'"response.completed"'}
FORMS: Mapping[str, Any] = {
    "messages": {"type": "error", "error": {"type": "overloaded_error"}},
    "chat": {"error": {"type": "server_error", "param": None, "code": "service_unavailable"}},
    "responses": {"error": {"type": "server_error", "param": None, "code": "service_unavailable"}},
}
"""Of a 503, without the words."""


def _document(api: str, prompt: str, *, stream: bool) -> dict[str, Any]:
    messages = [{"role": "user", "content": prompt}]
    asked = {"messages": {"max_tokens": 9, "messages": messages}, "chat": {"messages": messages}}
    return {"model": "m", "stream": stream, **asked.get(api, {"input": prompt})}


@dataclass
class Told:
    """What a client got."""

    status: int
    body: bytes
    whole: bool
    """The transfer ended cleanly."""

    @property
    def form(self) -> Any:
        """The body as JSON without the words that are ours."""
        document = json.loads(self.body)
        assert document["error"].pop("message")
        return document


class Client:
    """Calls one gateway with one token."""

    def __init__(self, session: aiohttp.ClientSession, gateway: Gateway) -> None:
        self._session = session
        self._gateway = gateway

    async def knock(self) -> int:
        """Return the status of a call that is passed through and not recorded."""
        async with self._session.get(f"{self._gateway.url}/api/v2/aibridge/openai/v1/models") as answer:
            return answer.status

    async def ask(self, api: str, prompt: str, *, stream: bool = True, provider: str = "") -> Told:
        """One exchange, to its end; with another *provider* of the same family, when one is named."""
        async with self.asking(api, prompt, stream=stream, provider=provider) as answer:
            return await rest(answer)

    @asynccontextmanager
    async def asking(
        self, api: str, prompt: str, *, stream: bool = True, provider: str = ""
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """One exchange whose answer has begun."""
        _, usual, path = PATHS[api].split("/", 2)
        url = f"{self._gateway.url}/api/v2/aibridge/{provider or usual}/{path}"
        async with self._session.post(url, json=_document(api, prompt, stream=stream)) as answer:
            yield answer


@asynccontextmanager
async def calling(gateway: Gateway, token: str) -> AsyncIterator[Client]:
    """A client for as long as the context lasts."""
    headers = {"Authorization": f"Bearer {token}"}
    async with aiohttp.ClientSession(headers=headers, timeout=aiohttp.ClientTimeout(total=30)) as session:
        yield Client(session, gateway)


async def rest(answer: aiohttp.ClientResponse) -> Told:
    """Everything that still comes, whether or not it ends well."""
    pieces: list[bytes] = []
    try:
        async for piece in answer.content.iter_any():
            pieces.append(piece)
    except (aiohttp.ClientError, ConnectionError):
        return Told(answer.status, b"".join(pieces), whole=False)
    return Told(answer.status, b"".join(pieces), whole=True)


class SlowAgent:
    """Answers as *usual*; for a prompt with "slow" in it, the second half waits for ``release``."""

    def __init__(self, usual: Answering) -> None:
        self._usual = usual
        self.stalls: list[Stall] = []
        self.released: list[bytes] = []
        """The first event of each second half."""
        self.scripted = ScriptedProvider(self._answer)
        self.url = ""

    def _answer(self, seen: Seen) -> Reply:
        reply = self._usual(seen)
        if b"slow" not in seen.body:
            return reply
        self.stalls.append(Stall())
        half = len(reply.chunks) // 2
        first, *others = reply.chunks[half:]
        assert isinstance(first, bytes)
        self.released.append(first)
        return reply.cut(half, self.stalls[-1], first, *others)

    async def stalled(self, number: int) -> None:
        """Wait until so many requests have come, and those that are slow wait in the middle."""
        await self.scripted.request(number - 1)
        for stall in self.stalls:
            await stall.reached.wait()

    def release(self) -> None:
        """Let all waiting answers end."""
        for stall in self.stalls:
            stall.release()
