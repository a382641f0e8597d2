"""Responses over WebSocket on the real server: the official SDK, leaving, and ``kill -9``."""

import asyncio
import json
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import aiohttp
import openai
import pytest

from coderai.demo.provider import ScriptedProvider
from tests.end_to_end.asking import SlowAgent
from tests.end_to_end.conftest import DONE, LOOKING, make_token
from tests.end_to_end.outside import outside
from tests.end_to_end.processes import Gateway, coderai
from tests.end_to_end.records import endings

PROMPT = "fix the flaky login test"
PATH = "/api/v2/aibridge/openai/v1/responses"
KILLS = 6
CLIENTS = 6


@asynccontextmanager
async def connected(gateway: Gateway, token: str) -> AsyncIterator[aiohttp.ClientWebSocketResponse]:
    headers = {"Authorization": f"Bearer {token}"}
    async with (
        aiohttp.ClientSession(headers=headers) as session,
        session.ws_connect(gateway.url + PATH, compress=15) as socket,
    ):
        yield socket


async def say(socket: aiohttp.ClientWebSocketResponse, prompt: str) -> None:
    await socket.send_json({"type": "response.create", "model": "m", "input": prompt})


async def answer(socket: aiohttp.ClientWebSocketResponse) -> list[str]:
    """The types of the events up to the end, or to where it broke off."""
    types: list[str] = []
    async for message in socket:
        types.append(message.json()["type"])
        if types[-1] in ("response.completed", "error"):
            break
    return types


async def test_the_official_sdk(gateway: Gateway, token: str, provider: tuple[ScriptedProvider, str]):
    client = openai.AsyncOpenAI(base_url=gateway.url + "/api/v2/aibridge/openai/v1", api_key=token, max_retries=0)
    async with client, client.beta.responses.connect() as connection:
        await connection.response.create(model="gpt-5.3-codex", input=PROMPT)
        first = await _completed(connection)
        call = next(item for item in first.output if item.type == "function_call")
        output: Any = {"type": "function_call_output", "call_id": call.call_id, "output": "ok"}
        await connection.response.create(model="gpt-5.3-codex", input=[output], previous_response_id=first.id)
        last = await _completed(connection)
        await connection.response.create(model="gpt-5.3-codex", input="and now?", previous_response_id=last.id)
        await _completed(connection)
    assert last.output[-1].content[0].text == "All green."
    shown = await coderai("sessions", "list", f"--data-dir={gateway.data_dir}", "-o", "json")
    (session,) = json.loads(shown.out)["sessions"]
    shown = await coderai("sessions", "show", session["id"], f"--data-dir={gateway.data_dir}", "-o", "json")
    loop, follow_up = json.loads(shown.out)["threads"]
    assert (loop["prompt"], follow_up["prompt"]) == (PROMPT, "and now?")
    first_step, second_step = loop["steps"]
    assert [each["tool"] for each in first_step["tool_calls"]] == ["read_file"]
    assert [step["token_usage"]["output_tokens"] for step in (first_step, second_step)] == [LOOKING.output, DONE.output]
    assert len(provider[0].sockets) == 1


async def _completed(connection: Any) -> Any:
    async for event in connection:
        assert event.type != "error", event
        if event.type == "response.completed":
            return event.response
    raise AssertionError("the connection was closed")


@pytest.mark.parametrize(
    ("host", "base_url", "path", "header", "value"),
    [
        ("api.openai.com", "", "/v1/responses", "Authorization", "Bearer sk-openai-central-0123456789"),
        (
            "contoso.openai.azure.com",
            "https://contoso.openai.azure.com/",
            "/openai/v1/responses",
            "api-key",
            "sk-openai-central-0123456789",
        ),
    ],
)
async def test_over_tls_through_the_outbound_proxy(
    tmp_path, provider: tuple[ScriptedProvider, str], host, base_url, path, header, value
):
    async with outside({host: provider[1]}, tmp_path) as around:
        environment = around.environment | {"CODER_AIBRIDGE_PROVIDER_1_BASE_URL": base_url}
        gateway = Gateway(tmp_path / "data", provider[1], environment=environment)
        await gateway.start()
        async with connected(gateway, await make_token(gateway)) as socket:
            await say(socket, PROMPT)
            assert (await answer(socket))[-1] == "response.completed"
        assert await gateway.stop() == 0
        assert around.asked == [f"{host}:443"]
    attempt = provider[0].attempts[0]
    assert (attempt.path, attempt.headers[header], attempt.headers["Host"]) == (path, value, host)


async def test_a_provider_whose_certificate_is_not_trusted_is_a_426(tmp_path, provider: tuple[ScriptedProvider, str]):
    async with outside({"api.openai.com": provider[1]}, tmp_path) as around:
        environment = around.environment | {"CODER_AIBRIDGE_PROVIDER_1_BASE_URL": "", "SSL_CERT_FILE": ""}
        gateway = Gateway(tmp_path / "data", provider[1], environment=environment)
        await gateway.start()
        with pytest.raises(aiohttp.WSServerHandshakeError) as refusal:
            async with connected(gateway, await make_token(gateway)):
                pass
        assert refusal.value.status == 426
        await gateway.stop()
        assert "ClientConnectorCertificateError" in "".join(gateway.log)


async def test_a_stopping_server_closes_idle_sockets_and_leaves_at_once(gateway: Gateway, token: str):
    async with connected(gateway, token) as socket, asyncio.timeout(5):
        await say(socket, PROMPT)
        assert (await answer(socket))[-1] == "response.completed"
        leaving = asyncio.get_running_loop().create_task(gateway.stop())
        assert (await socket.receive()).type is aiohttp.WSMsgType.CLOSE
        assert socket.close_code == 1001
        assert await leaving == 0


@pytest.mark.parametrize("in_time", [True, False])
async def test_an_answer_has_the_grace_period(tmp_path, agent: SlowAgent, database_url: str, in_time):
    grace = "--shutdown-grace=30s" if in_time else "--shutdown-grace=200ms"
    gateway = Gateway(tmp_path / "data", agent.url, (f"--database-url={database_url}", grace))
    await gateway.start()
    async with connected(gateway, await make_token(gateway, f"--database-url={database_url}")) as socket:
        await say(socket, "slow one")
        await agent.stalled(1)
        leaving = asyncio.get_running_loop().create_task(gateway.stop())
        await gateway.said("Stopping")
        if in_time:
            agent.release()
        assert (await answer(socket))[-1] == ("response.completed" if in_time else "error")
        assert (await socket.receive()).type is aiohttp.WSMsgType.CLOSE
        assert socket.close_code == 1001
        assert await leaving == 0
    expected = ("complete", LOOKING.output) if in_time else ("cancelled", None)
    assert await endings(database_url) == {"slow one": expected}


async def _client(gateway: Gateway, token: str, number: int, seen: list[str]) -> None:
    async with connected(gateway, token) as socket:
        for turn in range(100_000):
            prompt = f"prompt {number} {turn} {random.random()}"
            await say(socket, prompt)
            if "response.completed" not in await answer(socket):
                return
            seen.append(prompt)


@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_nothing_that_a_client_saw_end_is_missing_after_a_kill(
    tmp_path, provider: tuple[object, str], database_url: str
):
    gateway = Gateway(tmp_path / "data", provider[1], options=(f"--database-url={database_url}",))
    chance = random.Random(20261121)
    seen: list[str] = []
    token = ""
    for _ in range(KILLS):
        await gateway.start()
        token = token or await make_token(gateway, f"--database-url={database_url}")
        loop = asyncio.get_running_loop()
        clients = [loop.create_task(_client(gateway, token, number, seen)) for number in range(CLIENTS)]
        enough = len(seen) + chance.randint(CLIENTS + 1, 4 * CLIENTS)
        async with asyncio.timeout(60):
            while len(seen) < enough:
                await asyncio.sleep(chance.uniform(0.001, 0.02))
        await gateway.kill()
        for client in clients:
            with suppress(aiohttp.ClientError, ConnectionError):
                await client
    stored = await endings(database_url)
    assert [prompt for prompt in seen if stored.get(prompt) != ("complete", LOOKING.output)] == []
