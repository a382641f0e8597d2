"""Bring your own key: what a caller's credential does, and where it does not go."""

import asyncio
import json
from contextlib import AsyncExitStack

import pytest
from backports import zstd

from coderai.access.callers import Caller
from coderai.demo.answers_messages import messages_answer
from coderai.demo.answers_responses import responses_answer
from coderai.demo.provider import Reply, ScriptedProvider
from coderai.records import Ending
from coderai.settings.provider import ProviderConfig
from tests.gateway.conftest import CENTRAL_KEY, TOKEN, OneToken, Opening
from tests.gateway.test_provider_types import BYOK, OWN, answering, asked, one, sent
from tests.gateway.test_recorded import CHAT, MESSAGES, RESPONSES

SUBSCRIPTION = "sk-ant-oat01-0123456789abcdefghijklmnopqrstuv"
SIGN_IN = "eyJhbGciOiJSUzI1NiJ9.eyJhdWQiOiJjaGF0Z3B0In0.c2lnbmF0dXJl"
CHATGPT = one("openai", "/backend-api/codex")


async def test_a_claude_subscription_works(opened: Opening):
    headers = BYOK | {
        "Authorization": f"Bearer {SUBSCRIPTION}",
        "anthropic-beta": "oauth-2025-04-20,claude-code-20250219,interleaved-thinking-2025-05-14",
        "anthropic-version": "2023-06-01",
        "anthropic-dangerous-direct-browser-access": "true",
        "x-app": "cli",
        "User-Agent": "claude-cli/2.1.329 (external, cli)",
        "X-Claude-Code-Session-Id": "6f0c4f8e-0000-4000-8000-000000000001",
    }
    reply = messages_answer(text="done")
    async with opened(reply) as setting:
        url = setting.url + "/anthropic/v1/messages?beta=true"
        async with setting.client.post(url, json=MESSAGES | {"stream": True}, headers=headers) as answer:
            assert await answer.read() == reply.body
        [seen] = setting.provider.seen
        start, end = setting.notebook.ended[0]
    assert (seen.path, sent(seen)) == ("/v1/messages?beta=true", {"Authorization": f"Bearer {SUBSCRIPTION}"})
    kept = set(headers) - {"X-Coder-AI-Governance-Token"}
    assert {name: seen.headers[name] for name in kept} == {name: headers[name] for name in kept}
    assert (start.client, start.credential_kind, start.credential_hint) == ("Claude Code", "byok", "sk-a...stuv")
    assert (end.ending, end.credential_hint) == (Ending.COMPLETE, None)


async def test_a_chatgpt_sign_in_works(opened: Opening):
    headers = BYOK | {
        "Authorization": f"Bearer {SIGN_IN}",
        "chatgpt-account-id": "acc-1",
        "originator": "codex_exec",
        "session-id": "0199-session",
        "x-codex-routing-hint": "model=gpt-5.3-codex",
        "User-Agent": "codex_exec/0.169.0 (Debian 12.0.0; x86_64)",
        "Content-Type": "application/json",
        "Content-Encoding": "zstd",
    }
    body = zstd.compress(json.dumps(RESPONSES | {"stream": True}).encode())
    reply = responses_answer(text="done")
    async with opened(Reply(chunks=reply.chunks, content_type="text/event-stream"), configured=CHATGPT) as setting:
        async with setting.client.post(setting.url + "/p/v1/responses", data=body, headers=headers) as answer:
            assert await answer.read() == reply.body
        [seen] = setting.provider.seen
        start, end = setting.notebook.ended[0]
    assert (seen.path, seen.body) == ("/backend-api/codex/responses", body)
    assert sent(seen) == {"Authorization": f"Bearer {SIGN_IN}"}
    kept = set(headers) - {"X-Coder-AI-Governance-Token"}
    assert {name: seen.headers[name] for name in kept} == {name: headers[name] for name in kept}
    assert (start.prompt, start.client, start.client_session_id) == ("fix the test", "Codex", "0199-session")
    assert (start.credential_kind, end.ending) == ("byok", Ending.COMPLETE)


async def test_the_model_list_of_a_chatgpt_sign_in_passes(opened: Opening):
    async with opened(Reply(chunks=[b'{"models":[]}']), configured=CHATGPT) as setting:
        url, headers = (
            setting.url + "/p/v1/models?client_version=0.169.0",
            BYOK | {"Authorization": f"Bearer {SIGN_IN}"},
        )
        async with setting.client.get(url, headers=headers) as answer:
            assert await answer.read() == b'{"models":[]}'
        [seen] = setting.provider.seen
    assert (seen.path, sent(seen)) == (
        "/backend-api/codex/models?client_version=0.169.0",
        {"Authorization": f"Bearer {SIGN_IN}"},
    )


async def test_a_chatgpt_instance_asks_for_the_users_own_sign_in(opened: Opening):
    async with opened(configured=CHATGPT) as setting, setting.post("/p/v1/responses", RESPONSES) as answer:
        assert answer.status == 401
        assert "X-Coder-AI-Governance-Token" in (await answer.json())["error"]["message"]


@pytest.mark.parametrize("path", ["/anthropic/v1/messages", "/openai/v1/responses", "/openai/v1/models"])
async def test_switched_off_own_credentials_are_a_403_that_names_the_option(opened: Opening, path):
    async with opened(allow_byok=False) as setting:
        headers = BYOK | {"Authorization": f"Bearer {OWN}"}
        async with setting.client.post(setting.url + path, json=RESPONSES, headers=headers) as answer:
            assert answer.status == 403
            assert "--aibridge-allow-byok=false" in (await answer.json())["error"]["message"]
        assert (setting.provider.seen, setting.notebook.begun) == ([], [])


@pytest.mark.parametrize("byok", [{"Authorization": f"Bearer {TOKEN}"}, BYOK], ids=["central", "own"])
@pytest.mark.parametrize("kind", ["openai", "google", "azure", "anthropic"])
async def test_no_credential_goes_by_in_a_header_that_providers_take_as_well(opened: Opening, kind, byok):
    by = {"X-Goog-Api-Key": OWN, "Ocp-Apim-Subscription-Key": OWN}
    path = "/v1/messages" if kind == "anthropic" else "/v1/responses"
    async with opened(answering, configured=one(kind, "", CENTRAL_KEY)) as setting:
        async with setting.client.post(setting.url + "/p" + path, json=asked(path), headers=byok | by) as answer:
            assert answer.status == 200
        assert not [value for value in setting.provider.seen[0].headers.values() if OWN in value]
        assert setting.notebook.begun[0].credential_kind == "centralized"


async def test_own_credentials_of_many_callers_at_once_reach_their_own_provider_only(opened: Opening):
    async with AsyncExitStack() as stack:
        providers = {name: ScriptedProvider(answering) for name in ("one", "two", "three")}
        urls = {name: await stack.enter_async_context(each.serving()) for name, each in providers.items()}
        configs = [ProviderConfig("openai", name, url + "/v1", (f"sk-central-{name}",)) for name, url in urls.items()]
        setting = await stack.enter_async_context(opened(configured=lambda url: configs))

        async def ask(name: str, number: int) -> None:
            own = {} if number % 3 == 0 else BYOK | {"Authorization": f"Bearer sk-own-{name}-{number}"}
            headers = own or {"Authorization": f"Bearer {TOKEN}"}
            path = ("/v1/chat/completions", "/v1/responses")[number % 2]
            async with setting.client.post(f"{setting.url}/{name}{path}", json=asked(path), headers=headers) as answer:
                assert answer.status == 200

        async with asyncio.TaskGroup() as tasks:
            for number in range(20):
                for name in providers:
                    tasks.create_task(ask(name, number), name=f"{name} {number}")
    for name, provider in providers.items():
        came = sorted(sent(seen)["Authorization"].removeprefix("Bearer ") for seen in provider.seen)
        wanted = [f"sk-central-{name}" if number % 3 == 0 else f"sk-own-{name}-{number}" for number in range(20)]
        assert came == sorted(wanted)


@pytest.mark.parametrize(("known", "kind"), [(True, "centralized"), (False, "byok")])
@pytest.mark.parametrize("header", ["Authorization", "X-Api-Key"])
async def test_another_gateway_token_does_not_leave(opened: Opening, header, known, kind):
    """A tool has one as its key, the proxy's address holds another one. Those of other gateways are keys like any."""
    other = "OtherToken-" + "x" * 22
    async with opened(answering, authority=TwoTokens(other if known else TOKEN)) as setting:
        headers = BYOK | {header: f"Bearer {other}" if header == "Authorization" else other}
        async with setting.client.post(
            setting.url + "/anthropic/v1/messages", json=MESSAGES, headers=headers
        ) as answer:
            assert answer.status == 200
        assert setting.notebook.begun[0].credential_kind == kind
        assert (other in str(setting.provider.seen)) == (not known)


class TwoTokens(OneToken):
    """Somebody has two tokens."""

    def __init__(self, other: str) -> None:
        super().__init__()
        self.other = other

    async def identify(self, token: str) -> Caller:
        return await super().identify(TOKEN if token == self.other else token)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize(("method", "path"), [("POST", "/p/v1/responses"), ("GET", "/p/v1/models")])
async def test_a_redirect_does_not_take_a_credential_to_another_host(opened: Opening, status, method, path):
    elsewhere = ScriptedProvider(answering)
    async with elsewhere.serving() as url:
        redirect = Reply(status=status, headers={"Location": url + "/v1/responses"}, chunks=[b"{}"])
        async with opened(redirect, configured=one("openai", "/v1")) as setting:
            headers = BYOK | {"Authorization": f"Bearer {OWN}"}
            async with setting.client.request(
                method, setting.url + path, json=RESPONSES, headers=headers, allow_redirects=False
            ) as answer:
                assert (answer.status, "Location" in answer.headers) == (status, False)
    assert elsewhere.seen == []


@pytest.mark.parametrize("host", ["elsewhere.example.com", "127.0.0.1:9"])
async def test_no_header_of_the_callers_chooses_the_host(opened: Opening, host):
    headers = BYOK | {
        "Authorization": f"Bearer {OWN}",
        "Host": host,
        "X-Forwarded-Host": host,
        "Forwarded": f"host={host}",
    }
    async with opened(answering, configured=one("openai", "/v1")) as setting:
        async with setting.client.post(setting.url + "/p/v1/responses", json=RESPONSES, headers=headers) as answer:
            assert answer.status == 200
        assert host not in setting.provider.seen[0].headers.values()


async def test_an_own_key_is_in_no_record_but_as_a_hint(opened: Opening):
    async with opened(answering, configured=one("openai-compat", "/v1", CENTRAL_KEY)) as setting:
        headers = BYOK | {"Authorization": f"Bearer {OWN}"}
        async with setting.client.post(setting.url + "/p/v1/chat/completions", json=CHAT, headers=headers) as answer:
            assert answer.status == 200
        assert OWN not in repr(setting.notebook.ended)
        assert "sk-o...cdef" in repr(setting.notebook.ended)
