"""GitHub Copilot: two languages on one host, and only ever the caller's own credential."""

import pytest

from coderai.demo.answers import error_answer
from coderai.demo.answers_messages import messages_answer
from coderai.demo.provider import Reply
from coderai.records import Api, Ending
from coderai.settings.provider import ProviderConfig
from tests.gateway.conftest import TOKEN, Opening
from tests.gateway.test_provider_types import BYOK, answering, sent
from tests.gateway.test_recorded import CHAT, MESSAGES, RESPONSES

COPILOT = "gho_0123456789abcdefghijklmnopqrstuvwxyz01"
OWN = BYOK | {"Authorization": f"Bearer {COPILOT}"}

RECORDED = pytest.mark.parametrize(
    ("path", "body", "api"),
    [
        ("/chat/completions", CHAT, Api.CHAT),
        ("/responses", RESPONSES, Api.RESPONSES),
        ("/v1/messages", MESSAGES, Api.MESSAGES),
    ],
    ids=["chat", "responses", "messages"],
)


def copilot(url: str) -> list[ProviderConfig]:
    return [ProviderConfig("copilot", "copilot", url), ProviderConfig("copilot", "anthropic-seats", url)]


@RECORDED
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
async def test_three_routes_are_recorded_as_the_callers_own(opened: Opening, path, body, api, stream):
    async with opened(answering, configured=copilot) as setting:
        url = setting.url + "/copilot" + path
        async with setting.client.post(url, json=body | {"stream": stream}, headers=OWN) as answer:
            assert answer.status == 200
            await answer.read()
        assert sent(setting.provider.seen[0]) == {"Authorization": f"Bearer {COPILOT}"}
        start, end = setting.notebook.ended[0]
    assert (start.provider, start.provider_name, start.api) == ("copilot", "copilot", api)
    assert (start.credential_kind, start.credential_hint) == ("byok", "gho_...yz01")
    assert (start.prompt, end.ending) == ("fix the test", Ending.COMPLETE)


async def test_the_headers_of_the_editor_pass_and_none_is_added(opened: Opening):
    editor = {
        "Editor-Version": "vscode/1.107",
        "Copilot-Integration-Id": "vscode-chat",
        "X-Initiator": "user",
        "User-Agent": "GitHubCopilotChat/0.36",
        "Content-Type": "application/json",
    }
    async with opened(answering, configured=copilot) as setting:
        async with setting.client.post(setting.url + "/copilot/v1/messages", json=MESSAGES, headers=OWN | editor):
            pass
        headers = setting.provider.seen[0].headers
    transport = {"Host", "Accept", "Accept-Encoding", "Content-Length", "Authorization"}
    assert {name: value for name, value in headers.items() if name not in transport} == editor


@RECORDED
@pytest.mark.parametrize(
    "headers",
    [
        {"Authorization": f"Bearer {TOKEN}"},
        BYOK,
        BYOK | {"Authorization": f"Bearer {TOKEN}"},
        BYOK | {"Authorization": "Bearer"},
        BYOK | {"Authorization": f"token {COPILOT}"},
        BYOK | {"Authorization": COPILOT},
        BYOK | {"X-Api-Key": COPILOT},
    ],
    ids=["central", "none", "gateway token", "empty", "other scheme", "no scheme", "other header"],
)
async def test_without_a_bearer_token_of_their_own_nobody_gets_through(opened: Opening, path, body, api, headers):
    async with opened(configured=copilot) as setting:
        async with setting.client.post(setting.url + "/copilot" + path, json=body, headers=headers) as answer:
            assert (answer.status, answer.headers["x-should-retry"]) == (401, "false")
            document = await answer.json()
        assert document["error"]["message"].startswith("missing authorization for provider copilot, which takes only")
        assert ("type" in document) == (api is Api.MESSAGES)
        assert (setting.provider.seen, setting.notebook.begun) == ([], [])


@pytest.mark.parametrize("name", ["copilot", "anthropic-seats"])
@pytest.mark.parametrize(
    ("path", "anthropic"),
    [("/v1/messages", True), ("/v1/messages/count_tokens", True), ("/responses", False), ("/v1/nothing", False)],
)
async def test_the_form_of_a_refusal_is_that_of_the_route(opened: Opening, name, path, anthropic):
    async with opened(configured=copilot) as setting:
        answer = await setting.client.post(f"{setting.url}/{name}{path}", json=MESSAGES)
        assert answer.status == 401
        assert ("type" in await answer.json()) == anthropic


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/models?limit=5"),
        ("POST", "/models/session"),
        ("GET", "/agents/swe/internal/memory/v0/enabled"),
        ("POST", "/mcp/readonly"),
        ("GET", "/.well-known/oauth-protected-resource"),
        ("POST", "/v1/messages/count_tokens?beta=true"),
    ],
)
@pytest.mark.parametrize(
    ("headers", "arrived"),
    [
        (OWN, {"Authorization": f"Bearer {COPILOT}"}),
        (BYOK | {"Authorization": f"GitHub-Bearer {COPILOT}"}, {"Authorization": f"GitHub-Bearer {COPILOT}"}),
        (BYOK, {}),
        ({"Authorization": f"Bearer {TOKEN}"}, {}),
    ],
    ids=["own", "other scheme", "none", "central"],
)
async def test_the_rest_passes_with_what_the_caller_sent_and_nothing_more(
    opened: Opening, method, path, headers, arrived
):
    async with opened(Reply(chunks=[b"{}"]), configured=copilot) as setting:
        url = setting.url + "/copilot" + path
        async with setting.client.request(method, url, headers=headers) as answer:
            assert (answer.status, await answer.read()) == (200, b"{}")
        [seen] = setting.provider.seen
        assert (seen.method, seen.path, sent(seen)) == (method, path, arrived)
        assert "anthropic-version" not in seen.headers
        assert setting.notebook.begun == []


async def test_an_error_of_copilots_is_classified_by_the_language_of_its_route(opened: Opening):
    overloaded = error_answer(Api.MESSAGES, 529, "Overloaded")
    async with opened(overloaded, configured=copilot) as setting:
        url = setting.url + "/copilot/v1/messages"
        async with setting.client.post(url, json=MESSAGES, headers=OWN) as answer:
            assert (answer.status, await answer.read()) == (529, overloaded.body)
        assert setting.notebook.only_end.error_message == "Overloaded"


async def test_a_stream_of_claude_through_copilot_arrives_byte_for_byte(opened: Opening):
    reply = messages_answer(text="done", thinking="hm")
    async with opened(reply, configured=copilot) as setting:
        url = setting.url + "/copilot/v1/messages"
        async with setting.client.post(url, json=MESSAGES | {"stream": True}, headers=OWN) as answer:
            assert await answer.read() == reply.body


@pytest.mark.parametrize(
    ("headers", "status"), [(OWN, 403), ({"Authorization": f"Bearer {TOKEN}"}, 404)], ids=["own", "central"]
)
async def test_where_own_credentials_are_off_copilot_cannot_be_used_and_says_why(opened: Opening, headers, status):
    async with opened(configured=copilot, allow_byok=False) as setting:
        url = setting.url + "/copilot/responses"
        async with setting.client.post(url, json=RESPONSES, headers=headers) as answer:
            assert answer.status == status
            assert "--aibridge-allow-byok=false" in (await answer.json())["error"]["message"]
        assert setting.provider.seen == []
