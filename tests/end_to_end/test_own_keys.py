"""Bring your own key with the official SDKs: what the provider gets, and what the records show."""

import json

import anthropic
import openai
import pytest

from coderai.demo.provider import ScriptedProvider
from tests.end_to_end.processes import Gateway, coderai

KEY = "sk-ant-api03-mine-0123456789"
SUBSCRIPTION = "sk-ant-oat01-mine-0123456789"
ASKED = {"model": "claude-opus-4-6", "max_tokens": 99, "messages": [{"role": "user", "content": "what is there?"}]}


def _anthropic(gateway: Gateway, token: str, **options: object) -> anthropic.AsyncAnthropic:
    headers = {"X-Coder-AI-Governance-Token": token}
    url = gateway.url + "/api/v2/aibridge/anthropic"
    return anthropic.AsyncAnthropic(base_url=url, max_retries=0, default_headers=headers, **options)


async def _recorded(gateway: Gateway) -> list[tuple[str, str]]:
    where = (f"--data-dir={gateway.data_dir}", "-o", "json")
    listed = await coderai("sessions", "list", *where)
    [session] = json.loads(listed.out)["sessions"]
    shown = await coderai("sessions", "show", session["id"], *where)
    assert KEY not in listed.out + shown.out
    return [(each["credential_kind"], each["credential_hint"]) for each in json.loads(shown.out)["threads"]]


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ({"api_key": KEY}, f"Bearer {KEY}"),  # so this SDK sends a plain key since version 2
        ({"auth_token": KEY}, f"Bearer {KEY}"),
        ({"auth_token": SUBSCRIPTION}, f"Bearer {SUBSCRIPTION}"),
    ],
    ids=["api_key", "auth_token", "subscription"],
)
@pytest.mark.parametrize("stream", [False, True], ids=["blocking", "streaming"])
async def test_the_anthropic_sdk_brings_a_key(
    gateway: Gateway, token: str, provider: tuple[ScriptedProvider, str], option, value, stream
):
    async with _anthropic(gateway, token, **option) as client:
        if stream:
            async with client.messages.stream(**ASKED) as streaming:
                answer = await streaming.get_final_message()
        else:
            answer = await client.messages.create(**ASKED)
    assert answer.stop_reason == "tool_use"
    [seen] = provider[0].seen
    sent = {name: seen.headers[name] for name in ("X-Api-Key", "Authorization") if name in seen.headers}
    assert sent == {"Authorization": value}
    assert not [each for each in seen.headers.values() if token in each]
    assert await _recorded(gateway) == [("byok", "sk-a...6789")]


async def test_the_openai_sdk_brings_a_key(gateway: Gateway, token: str, provider: tuple[ScriptedProvider, str]):
    headers = {"X-Coder-AI-Governance-Token": token}
    url = gateway.url + "/api/v2/aibridge/openai/v1"
    async with openai.AsyncOpenAI(base_url=url, api_key=KEY, max_retries=0, default_headers=headers) as client:
        await client.responses.create(model="gpt-5.3-codex", input="what is there?")
        await client.models.list()
    assert [seen.headers["Authorization"] for seen in provider[0].seen] == [f"Bearer {KEY}"] * 2
    assert await _recorded(gateway) == [("byok", "sk-a...6789")]


async def test_where_it_is_off_the_sdk_says_so(gateway: Gateway, token: str, provider: tuple[ScriptedProvider, str]):
    await gateway.stop()
    gateway.options = ("--aibridge-allow-byok=false",)
    await gateway.start()
    async with _anthropic(gateway, token, api_key=KEY) as client:
        with pytest.raises(anthropic.PermissionDeniedError, match="--aibridge-allow-byok=false"):
            await client.messages.create(**ASKED)
    assert provider[0].seen == []
