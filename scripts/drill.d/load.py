"""Clients that ask on and on, over every API, streamed and not, and note how each exchange ended for them."""

import asyncio
import contextlib
import itertools
import json
import random
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from uuid import uuid4

import aiohttp

from tests.end_to_end.asking import ENDS, PATHS
from tests.end_to_end.processes import Gateway

APIS = tuple(PATHS)
PATIENCE = 60.0
"""Seconds for one exchange; whoever waits longer hangs, and that is a broken promise."""
_AFTER_A_REFUSAL = 0.05


@dataclass(slots=True)
class Exchange:
    """One request, as its client saw it."""

    prompt: str
    kind: str
    """``usual``; ``leaves``: the client goes in the middle; ``broken``: the provider breaks off."""
    begun: float
    status: int = 0
    """0: there was no answer."""
    ended: bool = False
    """The event that ends the answer came, or the whole document."""
    hung: bool = False


class Load:
    """*clients* clients and one on a WebSocket; each takes another gateway for every request, as behind a balancer."""

    def __init__(
        self, gateways: Sequence[Gateway], token: str, chance: random.Random, *, clients: int = 6, pause: float = 0.0
    ) -> None:
        self.gateways = gateways
        self.token = token
        self.provider = {"messages": "anthropic", "chat": "openai", "responses": "openai"}
        """Which instance is asked over which API."""
        self.exchanges: list[Exchange] = []
        self._chance = chance
        self._clients = clients
        self._pause = pause
        self._leaving = False
        self._ended = 0
        self._news = asyncio.Condition()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Ask as long as the context lasts; what is under way at its end comes to its own."""
        async with asyncio.TaskGroup() as tasks:
            for number in range(self._clients):
                tasks.create_task(self._client(number), name=f"client {number}")
            tasks.create_task(self._socket_client(), name="WebSocket client")
            try:
                yield
            finally:
                self._leaving = True

    async def more(self, count: int) -> None:
        """Wait for the ends of *count* more exchanges."""
        goal = self._ended + count
        async with asyncio.timeout(PATIENCE), self._news:
            await self._news.wait_for(lambda: self._ended >= goal)

    async def served_since(self, moment: float) -> float:
        """Wait until an exchange that began after *moment* has ended well; return the seconds since *moment*."""
        async with asyncio.timeout(PATIENCE), self._news:
            await self._news.wait_for(lambda: any(each.ended for each in self._since(moment)))
        return time.monotonic() - moment

    async def refused_since(self, moment: float, status: int) -> None:
        """Wait until an exchange that began after *moment* was refused with *status*."""
        async with asyncio.timeout(PATIENCE), self._news:
            await self._news.wait_for(lambda: any(each.status == status for each in self._since(moment)))

    def _since(self, moment: float) -> Iterator[Exchange]:
        return (each for each in itertools.islice(reversed(self.exchanges), 500) if each.begun >= moment)

    def _exchange(self, kind: str) -> Exchange:
        exchange = Exchange(f"drill-{kind}-{uuid4()}", kind, time.monotonic())
        self.exchanges.append(exchange)
        return exchange

    async def _client(self, number: int) -> None:
        chance = random.Random(self._chance.random())
        headers = {"X-Session-Id": f"drill-{uuid4()}"}
        limit = aiohttp.ClientTimeout(total=PATIENCE)
        async with aiohttp.ClientSession(headers=headers, timeout=limit) as session:
            for turn in itertools.count(number):
                if self._leaving:
                    return
                kind = chance.choices(("usual", "leaves", "broken"), (90, 5, 5))[0]
                exchange = self._exchange(kind)
                gateway = self.gateways[turn % len(self.gateways)]
                try:
                    await self._ask(session, gateway, exchange, APIS[turn % 3], stream=turn % 2 == 0 or kind != "usual")
                except TimeoutError:
                    exchange.hung = True
                except (aiohttp.ClientError, OSError):
                    pass  # the server has gone; whether the end had come is noted
                await self._over(exchange)
                await asyncio.sleep(self._pause if exchange.ended else _AFTER_A_REFUSAL)

    async def _ask(
        self, session: aiohttp.ClientSession, gateway: Gateway, exchange: Exchange, api: str, *, stream: bool
    ) -> None:
        path = PATHS[api].split("/", 2)[2]
        url = f"{gateway.url}/api/v2/aibridge/{self.provider[api]}/{path}"
        headers = {"Authorization": f"Bearer {self.token}"}
        async with session.post(url, json=_document(api, exchange.prompt, stream=stream), headers=headers) as answer:
            exchange.status = answer.status
            came = b""
            async for piece in answer.content.iter_any():
                came += piece
                exchange.ended = answer.status == 200 and stream and ENDS[api] in came
                if exchange.kind == "leaves":
                    return
            if answer.status == 200 and not stream:
                json.loads(came)
                exchange.ended = True

    async def _socket_client(self) -> None:
        for turn in itertools.count():
            if self._leaving:
                return
            gateway = self.gateways[turn % len(self.gateways)]
            with contextlib.suppress(aiohttp.ClientError, OSError):  # as above
                await self._talk(f"{gateway.url}/api/v2/aibridge/openai/v1/responses")
            await asyncio.sleep(_AFTER_A_REFUSAL)

    async def _talk(self, url: str) -> None:
        """Ask some things on one WebSocket."""
        async with (
            aiohttp.ClientSession(headers={"Authorization": f"Bearer {self.token}"}) as session,
            session.ws_connect(url) as socket,
        ):
            for _ in range(5):
                if self._leaving:
                    return
                exchange = self._exchange("usual")
                await socket.send_json({"type": "response.create", "model": "m", "input": exchange.prompt})
                try:
                    async with asyncio.timeout(PATIENCE):
                        await self._hear(socket, exchange)
                except TimeoutError:
                    exchange.hung = True
                await self._over(exchange)
                if not exchange.ended:
                    return
                await asyncio.sleep(self._pause)

    async def _hear(self, socket: aiohttp.ClientWebSocketResponse, exchange: Exchange) -> None:
        async for message in socket:
            said = message.json()
            if said["type"] == "error":
                exchange.status = said.get("status", 500)
                return
            if said["type"] == "response.completed":
                exchange.status, exchange.ended = 200, True
                return
        if socket.close_code not in (None, aiohttp.WSCloseCode.ABNORMAL_CLOSURE):
            exchange.status = socket.close_code

    async def _over(self, exchange: Exchange) -> None:
        self._ended += exchange.ended
        async with self._news:
            self._news.notify_all()


def _document(api: str, prompt: str, *, stream: bool) -> dict[str, object]:
    messages = [{"role": "user", "content": prompt}]
    asked: dict[str, dict[str, object]] = {
        "messages": {"max_tokens": 9, "messages": messages},
        "chat": {"messages": messages},
        "responses": {"input": prompt},
    }
    return {"model": "m", "stream": stream, **asked[api]}
