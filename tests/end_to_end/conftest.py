"""The real server as a process, before a scripted provider that answers like a small agent."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import aiohttp
import pytest

from coderai.demo.answers import Tokens, Tool
from coderai.demo.answers_chat import chat_answer
from coderai.demo.answers_messages import messages_answer
from coderai.demo.answers_responses import responses_answer
from coderai.demo.provider import Reply, ScriptedProvider, Seen
from tests.end_to_end.asking import SlowAgent
from tests.end_to_end.processes import Gateway, coderai

LOOKING = Tokens(input=100, output=20, cache_read=30)
DONE = Tokens(input=150, output=10)
PATH = {"path": "tests/test_login.py"}


def small_agent(seen: Seen) -> Reply:
    """Ask for a file first; once a tool result comes, say that it is done."""
    if b"tool_result" in seen.body or b"function_call_output" in seen.body or b'"tool"' in seen.body:
        text, tools, thinking, usage = "All green.", [], "", DONE
    else:
        call_id = f"call_{abs(hash(seen.body)):x}"
        text, tools, thinking, usage = "", [Tool("read_file", PATH, id=call_id)], "Where is the test?", LOOKING
    if "/messages" in seen.path:
        return messages_answer(text=text, thinking=thinking, tools=tools, usage=usage)
    if "/chat/" in seen.path:
        return chat_answer(text=text, reasoning=thinking, tools=tools, usage=usage)
    return responses_answer(text=text, reasoning=thinking, tools=tools, usage=usage)


@pytest.fixture
async def provider() -> AsyncIterator[tuple[ScriptedProvider, str]]:
    scripted = ScriptedProvider(small_agent)
    async with scripted.serving() as url:
        yield scripted, url


@pytest.fixture
async def agent() -> AsyncIterator[SlowAgent]:
    """The same agent, whose slow answers wait."""
    slow = SlowAgent(small_agent)
    async with slow.scripted.serving() as slow.url:
        yield slow


@pytest.fixture
async def gateway(tmp_path: Path, provider: tuple[ScriptedProvider, str]) -> AsyncIterator[Gateway]:
    server = Gateway(tmp_path / "data", provider[1])
    await server.start()
    yield server
    if server.running:
        await server.kill()


@pytest.fixture
async def token(gateway: Gateway) -> str:
    return await make_token(gateway)


async def make_token(gateway: Gateway, *options: str) -> str:
    """Make a token as the local owner; with options by the command line, else over its socket: a process costs more."""
    if not options:
        return await _token_of_the_owner(gateway)
    made = await coderai("tokens", "create", f"--data-dir={gateway.data_dir}", *options)
    assert made.code == 0, made.err
    return made.out.strip()


async def _token_of_the_owner(gateway: Gateway) -> str:
    known = json.loads((gateway.data_dir / "server.json").read_text())
    async with (
        aiohttp.ClientSession(connector=aiohttp.UnixConnector(known["socket"])) as session,
        session.post("http://localhost/api/v2/users/me/keys/tokens", json={}) as answer,
    ):
        assert answer.status == 201, await answer.text()
        key: str = (await answer.json())["key"]
        return key


Making = Callable[..., Awaitable[str]]
