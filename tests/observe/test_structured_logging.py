"""The real server writes the structured log: every record as one line, and no credential in any."""

import asyncio
import json
import signal
from pathlib import Path

import aiohttp

from coderai.access.credentials import mask
from coderai.demo.answers import Tokens, Tool
from coderai.demo.answers_messages import messages_answer
from coderai.demo.provider import Reply, ScriptedProvider, Seen
from coderai.demo.usual import usual_answer
from tests.end_to_end.processes import Gateway, coderai

ASK = {"model": "claude-x", "max_tokens": 9, "messages": [{"role": "user", "content": "fix the login test"}]}
TYPES = ("interception_start", "prompt_usage", "model_thought", "token_usage", "tool_usage", "interception_end")
ANSWER = messages_answer(
    text="", thinking="Where is it?", tools=[Tool("read", {"path": "a.py"}, id="toolu_1")], usage=Tokens(100, 20)
)


def answering(seen: Seen) -> Reply:
    return ANSWER if "/messages" in seen.path else usual_answer(seen)


async def ask(gateway: Gateway, token: str) -> int:
    url = gateway.url + "/api/v2/aibridge/anthropic/v1/messages"
    headers = {"Authorization": f"Bearer {token}"}
    async with aiohttp.ClientSession() as session, session.post(url, json=ASK, headers=headers) as answer:
        await answer.read()
        return answer.status


async def look(gateway: Gateway, token: str) -> int:
    url = gateway.url + "/api/v2/aibridge/openai/v1/models"
    async with (
        aiohttp.ClientSession() as session,
        session.get(url, headers={"Authorization": f"Bearer {token}"}) as answer,
    ):
        await answer.read()
        return answer.status


async def test_one_line_per_record(tmp_path: Path):
    log = tmp_path / "log.json"
    options = ("--aibridge-structured-logging", f"--log-json={log}", "--log-human=", "--log-filter=requests")
    async with ScriptedProvider(answering).serving() as url:
        gateway = Gateway(tmp_path / "data", url, options)
        await gateway.start()
        token = (await coderai("tokens", "create", f"--data-dir={gateway.data_dir}")).out.strip()
        assert await ask(gateway, token) == 200
        assert await look(gateway, token) == 200
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
    assert (end["credential_kind"], end["credential_hint"]) == ("centralized", mask("sk-ant-central-0123456789"))
    assert end["duration_ms"] >= end["first_byte_ms"] >= 0
    (request,) = (line["fields"] for line in lines if line["msg"] == "exchange ended")
    ids = ("interception_id", "initiator_id", "api_key_id")
    assert [request[name] for name in ids] == [start[name] for name in ids]
    (passed,) = (line["fields"] for line in lines if line["msg"] == "request passed through")
    assert (passed["initiator_id"], passed["provider_name"]) == (start["initiator_id"], "openai")
    assert (passed["method"], passed["route"], passed["http_status"]) == ("GET", "/v1/models", 200)
    assert token not in log.read_text()
    assert "sk-ant-central" not in log.read_text() + "".join(gateway.log)


async def test_after_sighup_lines_go_to_the_file_that_now_has_the_name(tmp_path: Path):
    log = tmp_path / "log.json"
    async with ScriptedProvider(answering).serving() as url:
        gateway = Gateway(tmp_path / "data", url, ("--aibridge-structured-logging", f"--log-json={log}"))
        await gateway.start()
        token = (await coderai("tokens", "create", f"--data-dir={gateway.data_dir}")).out.strip()
        assert await ask(gateway, token) == 200
        log.rename(tmp_path / "log.1")
        gateway.signal(signal.SIGHUP)
        async with asyncio.timeout(10):
            while not log.exists():
                await ask(gateway, token)
        assert await ask(gateway, token) == 200
        assert await gateway.stop() == 0
    for path in (log, tmp_path / "log.1"):
        assert "interception_end" in path.read_text(encoding="utf-8")
