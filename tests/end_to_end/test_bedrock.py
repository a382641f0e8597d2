"""A real server with nothing but a region and static AWS keys, before a scripted Amazon that checks every signature."""

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import anthropic
import pytest

from coderai.demo.bedrock import Account, bedrock, model_of
from coderai.demo.provider import ScriptedProvider
from tests.end_to_end.conftest import DONE, LOOKING, PATH, make_token, small_agent
from tests.end_to_end.processes import Gateway, coderai

KEY_ID = "AKIAIOSFODNN7EXAMPLE"
SECRET = "canary-wJalrXUtnFEMI/K7MDENG/bPxRfiCY"
MODEL = "us.anthropic.claude-sonnet-4-5-20250929-v1:0"
SMALL = "global.anthropic.claude-haiku-4-5-20251001-v1:0"
PROMPT = "fix the flaky login test"
TOOL = {"name": "read_file", "description": "Read a file", "input_schema": {"type": "object", "properties": {}}}


@pytest.fixture
async def amazon() -> AsyncIterator[tuple[ScriptedProvider, str]]:
    account = Account({KEY_ID: SECRET}, region="us-west-2")

    def agent(seen):
        return small_agent(replace(seen, path="/v1/messages"))

    scripted = ScriptedProvider(bedrock(agent, account))
    async with scripted.serving() as url:
        yield scripted, url


@pytest.fixture
async def server(tmp_path: Path, amazon: tuple[ScriptedProvider, str]) -> AsyncIterator[Gateway]:
    environment = {
        "CODER_AIBRIDGE_PROVIDER_2_TYPE": "anthropic",
        "CODER_AIBRIDGE_PROVIDER_2_NAME": "anthropic-bedrock",
        "CODER_AIBRIDGE_PROVIDER_2_BEDROCK_REGION": "us-west-2",
        "CODER_AIBRIDGE_PROVIDER_2_BEDROCK_BASE_URL": amazon[1],
        "CODER_AIBRIDGE_PROVIDER_2_BEDROCK_ACCESS_KEY": KEY_ID,
        "CODER_AIBRIDGE_PROVIDER_2_BEDROCK_ACCESS_KEY_SECRET": SECRET,
        "CODER_AIBRIDGE_PROVIDER_2_BEDROCK_MODEL": MODEL,
    }
    gateway = Gateway(tmp_path / "data", amazon[1], environment=environment)
    await gateway.start()
    yield gateway
    if gateway.running:
        await gateway.kill()


@pytest.mark.parametrize("stream", [False, True], ids=["blocking", "streaming"])
async def test_a_tool_loop_over_bedrock(server: Gateway, amazon: tuple[ScriptedProvider, str], stream: bool):
    token = await make_token(server)
    base_url = server.url + "/api/v2/aibridge/anthropic-bedrock"
    headers = {"User-Agent": "claude-cli/2.1.329 (external, cli)", "X-Claude-Code-Session-Id": "bedrock-session"}
    async with anthropic.AsyncAnthropic(
        base_url=base_url, auth_token=token, max_retries=0, default_headers=headers
    ) as client:
        messages: list = [{"role": "user", "content": PROMPT}]
        for _ in range(2):
            asked = {"model": "claude-opus-4-6", "max_tokens": 500, "tools": [TOOL], "messages": messages}
            if stream:
                async with client.messages.stream(**asked) as streaming:
                    answer = await streaming.get_final_message()
            else:
                answer = await client.messages.create(**asked)
            messages.append({"role": "assistant", "content": answer.to_dict()["content"]})
            if answer.stop_reason == "tool_use":
                call = answer.content[-1]
                result = {"type": "tool_result", "tool_use_id": call.id, "content": "def test_login(): ..."}
                messages.append({"role": "user", "content": [result]})
        title = [{"role": "user", "content": "a title, please"}]
        await client.messages.create(model="claude-haiku-4-5", max_tokens=10, messages=title)
    assert answer.content[-1].text == "All green."
    assert [model_of(seen) for seen in amazon[0].seen] == [MODEL, MODEL, SMALL]

    shown = await coderai("sessions", "show", "bedrock-session", f"--data-dir={server.data_dir}", "-o", "json")
    assert shown.code == 0, shown.err
    detail = json.loads(shown.out)
    assert sorted(detail["models"]) == sorted([MODEL, SMALL])
    loop = next(thread for thread in detail["threads"] if thread["prompt"] == PROMPT)
    assert loop["model"] == MODEL
    first, second = loop["steps"]
    assert [(call["tool"], json.loads(call["input"])) for call in first["tool_calls"]] == [("read_file", PATH)]
    assert [thought["text"] for thought in first["thinking"]] == ["Where is the test?"]
    for step, sent in ((first, LOOKING), (second, DONE)):
        usage = step["token_usage"]
        assert (usage["input_tokens"], usage["output_tokens"]) == (sent.input, sent.output)

    assert await server.stop() == 0
    log = "".join(server.log)
    assert "anthropic-bedrock" in log
    assert SECRET not in log
    assert SECRET not in shown.out
