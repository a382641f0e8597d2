"""The registry on a real server: registered, tested through the gateway, chosen; other traffic is not touched."""

import json
import re
from collections.abc import Awaitable, Callable

import aiohttp
import pytest

from coderai.demo.provider import ScriptedProvider
from tests.end_to_end.conftest import Gateway, make_token
from tests.end_to_end.processes import Finished, coderai

Command = Callable[..., Awaitable[Finished]]


@pytest.fixture
def local(gateway: Gateway) -> Command:
    """Run a command as the local owner of the running server."""

    async def run(*arguments: str) -> Finished:
        return await coderai(*arguments, f"--data-dir={gateway.data_dir}")

    return run


async def add(local: Command, *arguments: str) -> str:
    said = await local("models", "add", *arguments, "-o", "json")
    assert said.code == 0, said.err
    return str(json.loads(said.out)["id"])


OPUS = ("claude-opus-4-6", "--provider=anthropic", "--display-name=Opus", "--context-limit=200k", "-s", "effort=high")
CODEX = ("gpt-5.3-codex", "--provider=openai", "--display-name=Codex", "--context-limit=400000")


async def test_a_registered_model_is_tested_through_the_gateway(gateway: Gateway, provider, local: Command):
    scripted: ScriptedProvider = provider[0]
    opus = await add(local, *OPUS)
    said = await local("models", "test", "Opus", "--prompt=What about the tool_result?")
    assert (said.code, said.err) == (0, "")
    assert re.fullmatch(
        r"Opus \(claude-opus-4-6 via anthropic\): 200 in \d+ ms, 150 in / 10 out: All green.\n", said.out
    )
    sent = json.loads(scripted.seen[-1].body)
    assert sent["thinking"] == {"type": "adaptive"}
    assert sent["output_config"] == {"effort": "high"}
    assert scripted.seen[-1].headers["x-api-key"] == "sk-ant-central-0123456789"
    tokens = json.loads((await local("tokens", "list", "-o", "json")).out)
    assert tokens == []  # the one for two minutes is gone
    assert json.loads((await local("models", "list", "-o", "json")).out)[0]["id"] == opus


async def test_with_a_token_of_ones_own_the_test_is_ones_own_traffic(gateway: Gateway, local: Command):
    await add(local, *CODEX)
    token = await make_token(gateway, "--scope", "ai:use", "--scope", "ai:read")
    said = await coderai("models", "test", "Codex", f"--url={gateway.url}", f"--token={token}", "-o", "json")
    assert json.loads(said.out) | {"ms": 0} == {"ok": True, "status": 200, "ms": 0, "text": "", "cost_micros": None}
    seen = await coderai("models", "seen", f"--url={gateway.url}", f"--token={token}")
    assert seen.out == "gpt-5.3-codex\n"


async def test_overrides_on_the_command_line(gateway: Gateway, local: Command):
    await add(local, *OPUS)
    await add(local, *CODEX)
    assert (await local("overrides", "set", "explore", "Codex")).code == 0
    which = await local("overrides", "which", "explore")
    assert which.out == "Codex (gpt-5.3-codex via openai): the administrator's override\n"
    assert (await local("models", "edit", "Codex", "--disable")).code == 0
    which = await local("overrides", "which", "explore", "--parent", "Opus")
    assert which.out == "Opus (claude-opus-4-6 via anthropic): the model of the chat\n"
    assert "deployment: the administrator's override cannot be used: it is disabled" in which.err
    assert (await local("overrides", "which", "root")).out.startswith(
        "Opus (claude-opus-4-6 via anthropic): the default"
    )


async def test_the_registry_never_touches_other_traffic(gateway: Gateway, provider, local: Command):
    scripted: ScriptedProvider = provider[0]
    await add(local, *OPUS)
    token = await make_token(gateway)
    body = b'{ "model":"claude-opus-4-6",\n "max_tokens": 7, "messages":[{"role":"user","content":"tool_result"}] }'
    async with aiohttp.ClientSession() as client:
        headers = {"X-Api-Key": token, "Content-Type": "application/json"}
        url = f"{gateway.url}/api/v2/aibridge/anthropic/v1/messages"
        async with client.post(url, data=body, headers=headers) as answer:
            assert answer.status == 200
    assert scripted.seen[-1].body == body
    assert "anthropic-beta" not in scripted.seen[-1].headers
