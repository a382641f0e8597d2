"""The official SDKs talk to the real server; what the command line shows is what was sent."""

import json

import anthropic
import openai
import pytest

from coderai.demo.answers import error_answer
from coderai.demo.provider import ScriptedProvider
from coderai.records import Api
from tests.end_to_end.conftest import DONE, LOOKING, PATH
from tests.end_to_end.processes import Gateway, coderai

TOOL = {"name": "read_file", "description": "Read a file", "input_schema": {"type": "object", "properties": {}}}
PROMPT = "fix the flaky login test"


def _anthropic(gateway: Gateway, token: str, **options: object) -> anthropic.AsyncAnthropic:
    return anthropic.AsyncAnthropic(
        base_url=gateway.url + "/api/v2/aibridge/anthropic", auth_token=token, max_retries=0, **options
    )


def _openai(gateway: Gateway, token: str, **options: object) -> openai.AsyncOpenAI:
    return openai.AsyncOpenAI(
        base_url=gateway.url + "/api/v2/aibridge/openai/v1", api_key=token, max_retries=0, **options
    )


async def _sessions(gateway: Gateway, *filters: str) -> list[dict]:
    shown = await coderai("sessions", "list", f"--data-dir={gateway.data_dir}", "-o", "json", *filters)
    assert shown.code == 0, shown.err
    return json.loads(shown.out)["sessions"]


async def _detail(gateway: Gateway, session: dict) -> dict:
    shown = await coderai("sessions", "show", session["id"], f"--data-dir={gateway.data_dir}", "-o", "json")
    assert shown.code == 0, shown.err
    return json.loads(shown.out)


def _check_tool_loop(detail: dict) -> None:
    """One thread of two steps: the tool call with thinking, then the answer; all equal to what was sent."""
    assert len(detail["threads"]) == 1
    thread = detail["threads"][0]
    assert thread["prompt"] == PROMPT
    first, second = thread["steps"]
    assert [json.loads(call["input"]) for call in first["tool_calls"]] == [PATH]
    assert [call["tool"] for call in first["tool_calls"]] == ["read_file"]
    assert [thought["text"] for thought in first["thinking"]] == ["Where is the test?"]
    assert second["tool_calls"] == []
    for step, sent in ((first, LOOKING), (second, DONE)):
        usage = step["token_usage"]
        assert (usage["input_tokens"], usage["output_tokens"]) == (sent.input, sent.output)
        assert usage["cache_read_input_tokens"] == sent.cache_read


@pytest.mark.parametrize("stream", [False, True], ids=["blocking", "streaming"])
async def test_a_tool_loop_over_messages(gateway: Gateway, token: str, stream: bool):
    async with _anthropic(gateway, token) as client:
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
    assert answer.content[-1].text == "All green."
    [session] = await _sessions(gateway)
    _check_tool_loop(await _detail(gateway, session))


@pytest.mark.parametrize("stream", [False, True], ids=["blocking", "streaming"])
async def test_a_tool_loop_over_chat_completions(gateway: Gateway, token: str, stream: bool):
    async with _openai(gateway, token) as client:
        messages: list = [{"role": "user", "content": PROMPT}]
        for _ in range(2):
            asked = {"model": "gpt-4.1", "messages": messages}
            if stream:
                async with client.chat.completions.stream(**asked) as streaming:
                    answer = await streaming.get_final_completion()
            else:
                answer = await client.chat.completions.create(**asked)
            said = answer.choices[0].message
            if said.tool_calls:
                call = said.tool_calls[0]
                function = {"name": call.function.name, "arguments": call.function.arguments}
                calls = [{"id": call.id, "type": "function", "function": function}]
                messages.append({"role": "assistant", "tool_calls": calls})
                messages.append({"role": "tool", "tool_call_id": call.id, "content": "def test_login(): ..."})
    assert said.content == "All green."
    [session] = await _sessions(gateway)
    _check_tool_loop(await _detail(gateway, session))


@pytest.mark.parametrize("stream", [False, True], ids=["blocking", "streaming"])
async def test_a_tool_loop_over_responses(gateway: Gateway, token: str, stream: bool):
    async with _openai(gateway, token) as client:
        items: list = [{"role": "user", "content": PROMPT}]
        for _ in range(2):
            if stream:
                async with client.responses.stream(model="gpt-5.3-codex", input=items) as streaming:
                    answer = await streaming.get_final_response()
            else:
                answer = await client.responses.create(model="gpt-5.3-codex", input=items)
            for item in answer.output:
                if item.type == "function_call":
                    called = {"name": item.name, "arguments": item.arguments, "call_id": item.call_id}
                    items.append({"type": "function_call", **called})
                    items.append({"type": "function_call_output", "call_id": item.call_id, "output": "ok"})
    assert answer.output_text == "All green."
    [session] = await _sessions(gateway)
    _check_tool_loop(await _detail(gateway, session))


async def test_sessions_of_coder_agents_are_found_by_their_client(gateway: Gateway, token: str):
    agents = {"User-Agent": "coder-agents/2.40.0", "X-Coder-Chat-Id": "9f0c4f8e-chat"}
    async with _openai(gateway, token, default_headers=agents) as client:
        for prompt in ("first question", "second question"):
            await client.responses.create(model="gpt-5.3-codex", input=prompt)
    async with _anthropic(
        gateway, token, default_headers={"User-Agent": "claude-cli/2.1.329 (external, cli)"}
    ) as client:
        await client.messages.create(
            model="claude-opus-4-6", max_tokens=10, messages=[{"role": "user", "content": "not for the agents"}]
        )
    [session] = await _sessions(gateway, "--client", "Coder Agents")
    assert (session["id"], session["client"], session["threads"]) == ("9f0c4f8e-chat", "Coder Agents", 2)
    assert session["last_prompt"] == "second question"
    assert [each["client"] for each in await _sessions(gateway, "--client", "Claude Code")] == ["Claude Code"]
    table = await coderai("sessions", "list", f"--data-dir={gateway.data_dir}", "--client", "Coder Agents")
    assert "9f0c4f8e-chat" in table.out
    assert "Claude Code" not in table.out


async def test_errors_reach_the_sdks_as_their_own_exceptions(
    gateway: Gateway, token: str, provider: tuple[ScriptedProvider, str]
):
    scripted, _ = provider
    asked = {"model": "m", "max_tokens": 5, "messages": [{"role": "user", "content": "hi"}]}
    async with _anthropic(gateway, "no-token") as client:
        with pytest.raises(anthropic.AuthenticationError, match="not a gateway token"):
            await client.messages.create(**asked)
    async with _openai(gateway, "no-token") as client:
        with pytest.raises(openai.AuthenticationError, match="not a gateway token"):
            await client.responses.create(model="m", input="hi")
    scripted._decide = None
    scripted.add(error_answer(Api.MESSAGES, 429, "slow down", {"Retry-After": "3"}))
    async with _anthropic(gateway, token) as client:
        with pytest.raises(anthropic.RateLimitError, match="slow down") as caught:
            await client.messages.create(**asked)
        assert caught.value.response.headers["Retry-After"] == "3"
    scripted.add(*[error_answer(Api.CHAT, 500, "broken")] * 3)  # the gateway tries twice more
    async with _openai(gateway, token) as client:
        with pytest.raises(openai.InternalServerError, match="broken"):
            await client.chat.completions.create(model="m", messages=[{"role": "user", "content": "hi"}])
