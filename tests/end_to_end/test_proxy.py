"""The real server with its proxy: tokens that are revoked, metrics, and leaving while tunnels are open."""

import asyncio
import json
import ssl
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.end_to_end.asking import SlowAgent
from tests.end_to_end.conftest import make_token
from tests.end_to_end.processes import Gateway, coderai
from tests.gateway.raw import serving
from tests.proxy.test_tunnels import echo
from tests.proxy.world import Wire, connect, request
from tests.scraping import scrape

OPTIONS = (
    "--aibridge-proxy-enabled",
    "--aibridge-proxy-listen-addr=127.0.0.1:0",
    "--aibridge-proxy-allowed-private-cidrs=127.0.0.0/8",
    "--prometheus-enable",
    "--prometheus-address=127.0.0.1:0",
)
ASKED = {"model": "m", "max_tokens": 9, "stream": True, "messages": [{"role": "user", "content": "slow"}]}
BOUND = 5
"""Seconds after which no tunnel of a revoked token is left."""


@dataclass
class World:
    """The server, and somebody who speaks to its proxy."""

    gateway: Gateway
    token: str
    port: int
    trust: ssl.SSLContext
    provider: str
    """Host and port."""
    wires: list[Wire] = field(default_factory=list)

    async def tunnel(self, target: str) -> Wire:
        wire = Wire(*await asyncio.open_connection("127.0.0.1", self.port))
        self.wires.append(wire)
        wire.send(connect(target, self.token))
        assert (await wire.answer()).status == 200
        return wire

    async def inside(self) -> Wire:
        wire = await self.tunnel(self.provider)
        await wire.writer.start_tls(self.trust, server_hostname="127.0.0.1")
        return wire

    def ask(self) -> bytes:
        headers = (f"Authorization: Bearer {self.token}", "Content-Type: application/json")
        return request(self.provider, "/v1/messages", json.dumps(ASKED).encode(), "POST", *headers)


@pytest.fixture
async def world(agent: SlowAgent, tmp_path: Path) -> AsyncIterator[World]:
    assert (await coderai("proxy", "ca", "create", f"--data-dir={tmp_path}")).code == 0
    ports = f"--aibridge-proxy-tunnel-ports={','.join(map(str, range(32768, 61000)))}"
    gateway = Gateway(tmp_path, agent.url, (*OPTIONS, ports))
    await gateway.start()
    await gateway.said("Intercepting proxy at")
    [line] = [line for line in gateway.log if "Intercepting proxy at" in line]
    port = int(line.split(": ")[0].rpartition(":")[2])
    trust = ssl.create_default_context(cafile=str(tmp_path / "proxy-ca.pem"))
    world = World(gateway, await make_token(gateway), port, trust, agent.url.removeprefix("http://"))
    try:
        yield world
    finally:
        for wire in world.wires:
            await wire.close()
        await gateway.kill()


async def test_a_revoked_token_ends_its_tunnels_and_what_runs_comes_to_its_end(world: World, agent: SlowAgent):
    async with serving(echo) as url:
        tunnel, idle, running = (
            await world.tunnel(url.removeprefix("http://")),
            await world.inside(),
            await world.inside(),
        )
        running.send(world.ask())
        await agent.stalled(1)
        began = time.monotonic()
        deleted = await coderai("tokens", "remove", world.token[:10], "--yes", f"--data-dir={world.gateway.data_dir}")
        assert deleted.code == 0, deleted.err
        assert await tunnel.rest() in (b"", b"<reset>")
        assert await idle.rest() == b""
        assert time.monotonic() - began < BOUND
        agent.release()
        assert b"message_stop" in (await running.answer()).body


async def test_what_the_proxy_does_is_measured_and_the_server_leaves_after_its_streams(world: World, agent: SlowAgent):
    async with serving(echo) as url:
        await _is_measured(world)
        tunnel, running = await world.tunnel(url.removeprefix("http://")), await world.inside()
        running.send(world.ask())
        await agent.stalled(2)
        leaving = asyncio.gather(world.gateway.stop(), running.answer())
        await world.gateway.said("Stopping")
        tunnel.send(b"x")
        assert await tunnel.reader.readexactly(1) == b"x"  # nothing is cut while it waits for the stream
        agent.release()
        code, answer = await leaving
        assert (code, b"message_stop" in answer.body) == (0, True)
        assert await tunnel.rest() in (b"", b"<reset>")


async def _is_measured(world: World) -> None:
    wire = await world.inside()
    wire.send(world.ask().replace(b"slow", b"fast"))
    assert (await wire.answer()).status == 200
    address = next(line.split()[-1] for line in world.gateway.log if "Metrics at" in line)
    seen = await scrape(address)
    assert seen.by("proxy_mitm_responses_total", "code", "provider") == {("200", "anthropic"): 1}
    assert seen.by("proxy_connect_sessions_open", "type") == {("mitm",): 1, ("tunneled",): 0}
    assert seen.sum("coder_aibridgeproxyd_mitm_requests_total") == 1
