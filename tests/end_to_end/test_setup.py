"""``clients setup`` beside the real server: what it prints leads there."""

import json
import re

import aiohttp

from tests.end_to_end.conftest import make_token
from tests.end_to_end.processes import Gateway, coderai

ASK = {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "hello"}]}


def exported(text: str) -> dict[str, str]:
    return dict(re.findall(r'^export (\w+)="([^"]*)"$', text, re.MULTILINE))


async def test_beside_a_running_server_the_printed_address_takes_the_token(gateway: Gateway, token: str) -> None:
    said = await coderai("clients", "setup", "claude-code", f"--data-dir={gateway.data_dir}")
    variables = exported(said.out)
    assert variables["ANTHROPIC_BASE_URL"] == f"{gateway.url}/api/v2/aibridge/anthropic"
    headers = {"Authorization": variables["ANTHROPIC_AUTH_TOKEN"].replace("$CODER_TOKEN", f"Bearer {token}")}
    async with (
        aiohttp.ClientSession(headers=headers) as tool,
        tool.post(variables["ANTHROPIC_BASE_URL"] + "/v1/messages", json=ASK) as answer,
    ):
        assert answer.status == 200
        await answer.read()


async def test_from_elsewhere_a_token_that_may_only_call_models_is_enough(gateway: Gateway) -> None:
    made = await coderai("users", "create", "-u", "mia", "-e", "mia@example.com", f"--data-dir={gateway.data_dir}")
    assert made.code == 0, made.err
    token = await make_token(gateway, "--user=mia", "--scope=ai:use")
    said = await coderai("clients", "setup", "opencode", "-p", "openai", CODERAI_URL=gateway.url, CODERAI_TOKEN=token)
    options = json.loads(said.out)["provider"]["openai"]["options"]
    assert options == {"baseURL": f"{gateway.url}/api/v2/aibridge/openai/v1", "apiKey": "{env:CODER_TOKEN}"}
    assert token not in said.out + said.err


async def test_without_a_server_nothing_is_printed(tmp_path) -> None:
    said = await coderai("clients", "setup", "codex", f"--data-dir={tmp_path / 'none'}")
    assert (said.code, said.out) == (1, "")
    assert "no server is running here" in said.err
