"""Planted secrets are searched for in everything the server writes or says: logs, dumps, database, errors."""

import json
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from dataclasses import replace
from itertools import product
from pathlib import Path

import aiohttp
import pytest

from coderai.demo.answers import Tool, error_answer, error_event
from coderai.demo.answers_chat import chat_answer
from coderai.demo.answers_messages import messages_answer
from coderai.demo.answers_responses import responses_answer
from coderai.demo.provider import BreakOff, Reply, ScriptedProvider, Seen
from coderai.records import Api
from tests.end_to_end.asking import APIS, PATHS
from tests.end_to_end.conftest import make_token
from tests.end_to_end.processes import Gateway, coderai

CENTRAL = "sk-canary-central-7Qm2xV9pLr4T"
SECOND = "sk-canary-second-3Hk8wZ1nBc6Y"
OWN = "sk-canary-own-5Jd0sF7gQe2U"
ANSWERS = {Api.MESSAGES: messages_answer, Api.CHAT: chat_answer, Api.RESPONSES: responses_answer}
MISHAPS = ("refused", "limited", "failed", "midway", "dropped", "told", "redirected")


def leaky(seen: Seen) -> Reply:
    """Repeat the credential that came, wherever a provider can say anything."""
    key = (seen.headers.get("X-Api-Key") or seen.headers.get("Authorization", "")).removeprefix("Bearer ")
    api = Api.MESSAGES if "/messages" in seen.path else Api.CHAT if "/chat/" in seen.path else Api.RESPONSES
    told = ANSWERS[api](text=f"your key is {key}", tools=[Tool("run", {"key": key})])
    loud = {"WWW-Authenticate": f'Bearer error="{key}"', "Retry-After": "0"}
    match seen.headers.get("X-Mishap", "told"):
        case "refused":
            return error_answer(api, 401, f"Incorrect API key provided: {key}", loud)
        case "limited":
            return error_answer(api, 429, f"key {key} is over its limit", loud)
        case "failed":
            return error_answer(api, 400, f"bad request with key {key}", loud)
        case "redirected":
            return Reply(status=307, headers={"Location": f"https://elsewhere.example.com/?key={key}"}, chunks=[b"{}"])
        case "midway":
            return replace(told.cut(3, error_event(api, f"key {key} was revoked")), whole=error_answer(api).body)
        case "dropped":
            return told.cut(3, f"event: {key}".encode(), BreakOff())
        case _:
            return told


@pytest.fixture
async def watched(tmp_path: Path) -> AsyncIterator[Gateway]:
    """A server that writes everything it can: both logs with debug lines, structured records, dumps."""
    async with ScriptedProvider(leaky).serving() as url:
        server = Gateway(
            tmp_path / "data",
            url,
            options=(
                f"--log-json={tmp_path / 'log.json'}",
                "--log-filter=.*",
                "--aibridge-structured-logging",
                f"--ai-gateway-dump-dir={tmp_path / 'dumps'}",
                "--aibridge-max-retries=0",
            ),
            environment={
                "CODER_AIBRIDGE_PROVIDER_0_KEY": "",
                "CODER_AIBRIDGE_PROVIDER_0_KEYS": f"{CENTRAL},{SECOND}",
                "CODER_AIBRIDGE_PROVIDER_1_KEY": "",
                "CODER_AIBRIDGE_PROVIDER_1_KEYS": f"{CENTRAL},{SECOND}",
            },
        )
        await server.start()
        yield server
        if server.running:
            await server.kill()


def _body(api: str, secrets: list[str], *, stream: bool) -> bytes:
    """A question whose words, tool results and unknown members hold the secrets."""
    prompt = "is this my key? " + " ".join(secrets)
    messages = [{"role": "user", "content": prompt}]
    asked = {"messages": {"max_tokens": 9, "messages": messages}, "chat": {"messages": messages}}
    return json.dumps({"model": secrets[0], "stream": stream, **asked.get(api, {"input": prompt})}).encode()


async def _everything(session: aiohttp.ClientSession, root: str, token: str) -> list[str]:
    """Ask in every way; return what only errors said: status 300 and above, headers included."""
    errors = []
    central = {"Authorization": f"Bearer {token}"}
    own = {"X-Coder-AI-Governance-Token": token, "Authorization": f"Bearer {OWN}", "X-Claude-Code-Session-Id": OWN}
    wrong = {"Authorization": f"Bearer {token}x", "X-Api-Key": OWN}
    queried = f"?beta=true&key={token}"
    for api, stream, mishap, headers in product(APIS, (False, True), MISHAPS, (central, own, wrong)):
        asked = headers | {"X-Mishap": mishap, "User-Agent": f"claude-cli/{token}", "Content-Type": "application/json"}
        asked |= {"X-Claude-Code-Agent-Id": token, "Cookie": f"key={OWN}"}
        secrets = [token, CENTRAL, *([OWN] if headers is own else [])]  # of this call
        url = root + PATHS[api] + queried
        try:
            async with session.post(
                url, data=_body(api, secrets, stream=stream), headers=asked, allow_redirects=False
            ) as answer:
                said = await answer.text()
                if answer.status >= 300:
                    errors.append(f"{answer.status} {dict(answer.headers)} {said}")
                elif mishap == "midway":
                    errors.append(said[said.index('"error"') :])
        except aiohttp.ClientPayloadError:
            errors.append("broken off")
    for path, mishap in product(("/anthropic/v1/models", "/openai/v1/models", f"/openai/v1/{token}"), MISHAPS[:3]):
        async with session.get(root + path + queried, headers=own | {"X-Mishap": mishap}) as answer:
            errors.append(f"{answer.status} {dict(answer.headers)} {await answer.text()}")
    return errors


def _found(where: str, data: bytes | str, secrets: list[str]) -> list[str]:
    raw = data.encode() if isinstance(data, str) else data
    return [f"{secret[:12]}... in {where}" for secret in secrets if secret.encode() in raw]


async def test_no_secret_turns_up_anywhere(watched: Gateway, tmp_path: Path):
    token = await make_token(watched)
    async with aiohttp.ClientSession() as session:
        errors = await _everything(session, watched.url + "/api/v2/aibridge", token)
    shown = await coderai("sessions", "list", f"--data-dir={watched.data_dir}", "-o", "json")
    assert await watched.stop() == 0
    secrets = [token, token.partition("-")[2], CENTRAL, SECOND, OWN]

    leaks = [leak for error in errors for leak in _found(f"an error: {error[:60]}", error, secrets)]
    leaks += _found("the log", "".join(watched.log), secrets)
    leaks += _found("sessions list", shown.out + shown.err, secrets)
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    for path in files:
        leaks += _found(path.name, path.read_bytes(), secrets)
        leaks += _found(f"the name of {path}", str(path), secrets)
    assert not leaks, "\n".join(leaks)

    # the search looked at something
    assert len(errors) > 100
    assert sum(path.suffix == ".txt" for path in files) > 100, "no dumps"
    assert "interception log" in (tmp_path / "log.json").read_text()
    with closing(sqlite3.connect(watched.data_dir / "coderai.db")) as database:
        prompts = database.execute("SELECT prompt FROM aibridge_user_prompts").fetchall()
    assert len(prompts) > 50
    assert all("sk-c...Qe2U" in prompt or "sk-c...Lr4T" in prompt for (prompt,) in prompts)
