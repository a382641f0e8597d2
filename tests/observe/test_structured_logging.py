"""The real server writes the structured log: every record as one line, and no credential in any."""

import json
from pathlib import Path

import aiohttp

from coderai.demo.answers import Tokens, Tool
from coderai.demo.answers_messages import messages_answer
from coderai.demo.provider import ScriptedProvider
from tests.end_to_end.processes import Gateway, coderai

ASK = {"model": "claude-x", "max_tokens": 9, "messages": [{"role": "user", "content": "fix the login test"}]}
TYPES = ("interception_start", "prompt_usage", "model_thought", "token_usage", "tool_usage", "interception_end")
ANSWER = messages_answer(
    text="", thinking="Where is it?", tools=[Tool("read", {"path": "a.py"}, id="toolu_1")], usage=Tokens(100, 20)
)


async def ask(gateway: Gateway, token: str) -> int:
    url = gateway.url + "/api/v2/aibridge/anthropic/v1/messages"
    headers = {"Authorization": f"Bearer {token}"}
    async with aiohttp.ClientSession() as session, session.post(url, json=ASK, headers=headers) as answer:
        await answer.read()
        return answer.status


async def test_one_line_per_record(tmp_path: Path):
    log = tmp_path / "log.json"
    options = ("--aibridge-structured-logging", f"--log-json={log}", "--log-human=", "--log-filter=requests")
    async with ScriptedProvider(lambda seen: ANSWER).serving() as url:
        gateway = Gateway(tmp_path / "data", url, options)
        await gateway.start()
        token = (await coderai("tokens", "create", f"--data-dir={gateway.data_dir}")).out.strip()
        assert await ask(gateway, token) == 200
        assert await gateway.stop() == 0
    lines = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
    records = [line["fields"] for line in lines if line["msg"] == "interception log"]
    types = [one["record_type"] for one in records]
    assert types[:2] == ["interception_start", "prompt_usage"]
    assert sorted(types[2:-1]) == ["model_thought", "token_usage", "tool_usage"]
    assert types[-1] == "interception_end"
    assert len({one["interception_id"] for one in records}) == 1
    start, prompt, thought, usage, call, end = (records[types.index(name)] for name in TYPES)
    assert (start["provider"], start["provider_name"], start["model"]) == ("anthropic", "anthropic", "claude-x")
    assert start["metadata"]["request_user_agent"].startswith("Python/")
    assert (prompt["prompt"], thought["content"]) == ("fix the login test", "Where is it?")
    assert (call["tool"], call["tool_call_id"], json.loads(call["input"])) == ("read", "toolu_1", {"path": "a.py"})
    assert (usage["input_tokens"], usage["output_tokens"]) == (100, 20)
    assert (end["ending"], end["http_status"]) == ("complete", 200)
    assert [line["fields"]["ending"] for line in lines if line["msg"] == "exchange ended"] == ["complete"]
    assert token not in log.read_text()
    assert "sk-ant-central" not in log.read_text() + "".join(gateway.log)
