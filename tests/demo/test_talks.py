"""The demonstration's conversations are loops: every result belongs to a call that the model made before."""

import json

import aiohttp
import pytest

from coderai.demo.provider import ScriptedProvider
from coderai.demo.talks import claude_code, coder_agents, codex
from coderai.demo.usual import small_talk

SESSION = "0b6e3c1a-0000-7000-8000-000000000001"
TALKS = [claude_code(SESSION), codex(SESSION), coder_agents(SESSION, "sub-chat")]


def ids(document, *names):
    """Return the values of all members with these names, wherever they are."""
    if isinstance(document, list):
        return {found for each in document for found in ids(each, *names)}
    if not isinstance(document, dict):
        return set()
    own = {value for name, value in document.items() if name in names and isinstance(value, str)}
    return own | ids(list(document.values()), *names)


@pytest.mark.parametrize("turns", TALKS, ids=["claude_code", "codex", "coder_agents"])
def test_every_result_belongs_to_a_call(turns):
    made, answered = set(), set()
    for turn in turns:
        answered |= ids(turn.body, "tool_use_id", "call_id", "tool_call_id")
        made |= ids(json.loads(turn.reply.whole), "id", "call_id")
    assert answered
    assert answered <= made


def test_a_sub_agent_shares_the_session_of_its_chat():
    turns = list(coder_agents("chat", "sub-chat"))
    assert {turn.headers["X-Coder-Chat-Id"] for turn in turns} == {"chat"}
    assert [turn.headers.get("X-Coder-Subchat-Id") for turn in turns] == [None, "sub-chat", "sub-chat", None]


@pytest.mark.parametrize("path", ["/v1/messages?beta=true", "/v1/chat/completions", "/v1/responses"])
async def test_after_the_demonstration_models_say_the_same_to_everybody(path):
    async with (
        ScriptedProvider(otherwise=small_talk).serving() as url,
        aiohttp.ClientSession(url) as client,
        client.post(path, json={"model": "m"}) as answer,
    ):
        assert "I am a scripted model" in await answer.text()


async def test_model_lists_are_answered_as_usual():
    async with (
        ScriptedProvider(otherwise=small_talk).serving() as url,
        aiohttp.ClientSession(url) as client,
        client.get("/v1/models") as answer,
    ):
        assert answer.status == 200
