"""What a scenario plays on: servers on a database of their own, the scripted provider, and load."""

import json
import random
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
from agent import Agent
from checks import Verdict
from load import Load

from tests.end_to_end.conftest import make_token
from tests.end_to_end.processes import Gateway

SHORT_WAITS = ("--recorder-begin-wait=1s", "--recorder-end-wait=2s", "--shutdown-grace=5s")


@dataclass
class Stage:
    """Everything that a scenario may do something to."""

    gateways: list[Gateway]
    agent: Agent
    load: Load
    url: str
    """Of the database, past any way to it."""
    verdict: Verdict
    chance: random.Random
    quick: bool
    folder: Path
    owner: str
    """The owner's token."""

    @property
    def gateway(self) -> Gateway:
        return self.gateways[0]

    async def served(self, since: float | None = None) -> None:
        """Wait until somebody is served again; note how long that took."""
        took = await self.load.served_since(time.monotonic() if since is None else since)
        self.verdict.back.append(took)

    def times(self, full: int, quick: int, seconds: float = 180.0) -> Iterator[int]:
        """How often something is done; on a machine that is too slow for that, no longer than *seconds*."""
        until = time.monotonic() + seconds
        for turn in range(quick if self.quick else full):
            if time.monotonic() > until:
                self.verdict.remark = f"{self.verdict.remark} stopped after {turn} times".strip()
                return
            yield turn
            self.verdict.faults += 1

    async def call(self, method: str, path: str, body: object = None, *, gateway: Gateway | None = None) -> Any:
        """Do something through the management API as the owner."""
        headers = {"Coder-Session-Token": self.owner}
        url = f"{(gateway or self.gateway).url}/api/v2{path}"
        async with (
            aiohttp.ClientSession(headers=headers) as session,
            session.request(method, url, json=body) as answer,
        ):
            text = await answer.text()
            if answer.status >= 300:
                raise RuntimeError(f"{method} {path}: {answer.status} {text}")
            return json.loads(text) if text else None

    async def add_provider(self, key: str) -> None:
        """Make a provider "corp" that speaks as OpenAI does."""
        url = self.agent.url + "/v1"
        body = {"type": "openai", "name": "corp", "enabled": True, "base_url": url, "api_keys": [key]}
        await self.call("POST", "/ai/providers", body)

    async def person(self, name: str) -> str:
        """Make somebody who may call models; return a token."""
        body = {"username": name, "email": f"{name}@example.com", "password": "correct horse battery"}
        await self.call("POST", "/users", body)
        made = await self.call("POST", f"/users/{name}/keys/tokens", {"token_name": f"of-{name}"})
        return str(made["key"])


@asynccontextmanager
async def staged(
    verdict: Verdict,
    url: str,
    chance: random.Random,
    folder: Path,
    *,
    quick: bool,
    servers: int = 1,
    seen_as: str = "",
    options: Sequence[str] = SHORT_WAITS,
    environment: dict[str, str] | None = None,
    program: tuple[str, ...] = (),
) -> AsyncIterator[Stage]:
    """Start the servers; what still runs at the end is asked to leave. *seen_as* is the database's URL for them."""
    async with AsyncExitStack() as stack:
        agent = Agent()
        agent.url = await stack.enter_async_context(agent.scripted.serving())
        all_options = (f"--database-url={seen_as or url}", *options)
        gateways = [
            Gateway(folder / f"data-{number}", agent.url, all_options, environment or {}, program)
            for number in range(servers)
        ]
        for gateway in gateways:
            stack.push_async_callback(_leave, gateway, verdict)
            await gateway.start()
        owner = await make_token(gateways[0])
        load = Load(gateways, owner, chance)
        yield Stage(gateways, agent, load, url, verdict, chance, quick, folder, owner)


async def _leave(gateway: Gateway, verdict: Verdict) -> None:
    if gateway.running and (code := await gateway.stop()) != 0:
        verdict.broken.append(f"a server left with {code}: {''.join(gateway.log[-3:])}")
    if "Traceback" in "".join(gateway.log):
        verdict.broken.append("a server printed a traceback: " + _traceback(gateway.log))


def _traceback(log: Sequence[str]) -> str:
    start = next(number for number, line in enumerate(log) if "Traceback" in line)
    return " | ".join(line.strip() for line in log[start : start + 40])[-600:]
