"""Every type of provider, answered by one that checks path, query and credential."""

import pytest

from coderai.demo.answers_chat import chat_answer
from coderai.demo.answers_messages import messages_answer
from coderai.demo.answers_responses import responses_answer
from coderai.demo.provider import Reply, Seen
from coderai.records import Ending
from coderai.settings.provider import ProviderConfig
from tests.gateway.conftest import CENTRAL_KEY, TOKEN, Opening
from tests.gateway.test_recorded import CHAT, MESSAGES, RESPONSES

OWN = "sk-own-0123456789abcdef"
ENTRA = "eyJ0eXAi.eyJhdWQi.c2lnbmF0dXJlMDEyMzQ1"
BYOK = {"X-Coder-AI-Governance-Token": TOKEN}
CREDENTIALS = ("Authorization", "X-Api-Key", "api-key")
BODIES = {"/messages": MESSAGES, "/completions": CHAT, "/responses": RESPONSES}

TYPES = pytest.mark.parametrize(
    ("kind", "below", "path", "target"),
    [
        ("openai", "/v1/", "/v1/chat/completions", "/v1/chat/completions"),
        ("openai", "/v1", "/responses?a=1", "/v1/responses?a=1"),
        ("openai", "/backend-api/codex", "/v1/responses", "/backend-api/codex/responses"),
        ("anthropic", "/", "/v1/messages?beta=true", "/v1/messages?beta=true"),
        ("anthropic", "", "/messages", "/v1/messages"),
        ("google", "/v1beta/openai/", "/v1/chat/completions", "/v1beta/openai/chat/completions"),
        ("openrouter", "/api/v1", "/v1/chat/completions", "/api/v1/chat/completions"),
        ("openrouter", "/api/v1", "/v1/responses", "/api/v1/responses"),
        ("vercel", "/v1", "/v1/chat/completions", "/v1/chat/completions"),
        ("openai-compat", "/llm/v1", "/v1/chat/completions", "/llm/v1/chat/completions"),
        ("azure", "/openai/v1", "/v1/responses", "/openai/v1/responses"),
        ("azure", "/d/gpt?api-version=1", "/v1/chat/completions", "/d/gpt/chat/completions?api-version=1"),
        ("azure", "/d?api-version=1", "/v1/responses?api-version=2&a=b", "/d/responses?api-version=2&a=b"),
    ],
)


def answering(seen: Seen) -> Reply:
    """Answer in the language of the route."""
    path = seen.path.partition("?")[0]
    for ending, answer in (("/messages", messages_answer), ("/completions", chat_answer)):
        if path.endswith(ending):
            return answer(text="hi")
    return responses_answer(text="hi")


def one(kind: str, below: str, *keys: str):
    """Return the configuration of one provider "p" at the scripted one."""
    return lambda url: [ProviderConfig(kind, "p", url + below, keys)]


def asked(path: str) -> object:
    """Return a request body for the route."""
    return next(body for ending, body in BODIES.items() if path.partition("?")[0].endswith(ending))


def sent(seen: Seen) -> dict[str, str]:
    """Return the credentials that arrived; nothing else may hold the gateway token."""
    assert not [value for value in seen.headers.values() if TOKEN in value]
    return {name: seen.headers[name] for name in CREDENTIALS if name in seen.headers}


def central(kind: str) -> dict[str, str]:
    """Return the credential of a central call to a provider of that type."""
    special = {"anthropic": {"X-Api-Key": CENTRAL_KEY}, "azure": {"api-key": CENTRAL_KEY}}
    return special.get(kind, {"Authorization": f"Bearer {CENTRAL_KEY}"})


@TYPES
async def test_a_central_key_goes_with_the_call_as_its_type_wants_it(opened: Opening, kind, below, path, target):
    async with opened(answering, configured=one(kind, below, CENTRAL_KEY)) as setting:
        async with setting.post("/p" + path, asked(path)) as answer:
            assert answer.status == 200
        assert [(seen.path, sent(seen)) for seen in setting.provider.seen] == [(target, central(kind))]
        start, end = setting.notebook.ended[0]
    assert (start.provider_name, start.credential_kind, end.ending) == ("p", "centralized", Ending.COMPLETE)
    assert end.credential_hint == "sk-c...cdef"


@TYPES
@pytest.mark.parametrize(("header", "value"), [("Authorization", f"Bearer {OWN}"), ("X-Api-Key", OWN)])
async def test_an_own_key_goes_in_the_header_in_which_it_came(
    opened: Opening, kind, below, path, target, header, value
):
    async with opened(answering, configured=one(kind, below, CENTRAL_KEY)) as setting:
        url, headers = setting.url + "/p" + path, BYOK | {header: value}
        async with setting.client.post(url, json=asked(path), headers=headers) as answer:
            assert answer.status == 200
        assert [(seen.path, sent(seen)) for seen in setting.provider.seen] == [(target, {header: value})]
        start = setting.notebook.begun[0]
    assert (start.credential_kind, start.credential_hint) == ("byok", "sk-o...cdef")


@TYPES
async def test_only_azure_knows_the_header_api_key(opened: Opening, kind, below, path, target):
    async with opened(answering, configured=one(kind, below, CENTRAL_KEY)) as setting:
        url, headers = setting.url + "/p" + path, BYOK | {"api-key": OWN}
        async with setting.client.post(url, json=asked(path), headers=headers) as answer:
            assert answer.status == 200
        assert sent(setting.provider.seen[0]) == ({"api-key": OWN} if kind == "azure" else central(kind))


@pytest.mark.parametrize(
    ("kind", "below", "path"),
    [
        ("openai", "/v1/", "/v1/models?limit=1000"),
        ("anthropic", "", "/v1/models?limit=1000"),
        ("google", "/v1beta/openai", "/v1beta/openai/models?limit=1000"),
        ("openrouter", "/api/v1", "/api/v1/models?limit=1000"),
        ("vercel", "/v1", "/v1/models?limit=1000"),
        ("openai-compat", "", "/models?limit=1000"),
        ("azure", "/openai/v1?api-version=1", "/openai/v1/models?limit=1000&api-version=1"),
    ],
)
async def test_the_model_list_is_passed_through_with_the_same_credential(opened: Opening, kind, below, path):
    async with opened(configured=one(kind, below, CENTRAL_KEY)) as setting:
        headers = {"Authorization": f"Bearer {TOKEN}"}
        async with setting.client.get(setting.url + "/p/v1/models?limit=1000", headers=headers) as answer:
            assert answer.status == 200
        assert [(seen.path, sent(seen)) for seen in setting.provider.seen] == [(path, central(kind))]
        assert setting.notebook.begun == []


@pytest.mark.parametrize("header", ["Authorization", "X-Api-Key", "api-key"])
async def test_a_gateway_token_is_found_in_every_header_in_which_tools_send_keys(opened: Opening, header):
    async with opened(answering, configured=one("azure", "/openai/v1", CENTRAL_KEY)) as setting:
        headers = {header: f"Bearer {TOKEN}" if header == "Authorization" else TOKEN}
        async with setting.client.post(setting.url + "/p/v1/responses", json=RESPONSES, headers=headers) as answer:
            assert answer.status == 200
        assert sent(setting.provider.seen[0]) == {"api-key": CENTRAL_KEY}


async def test_an_entra_token_goes_to_azure_as_a_bearer_token(opened: Opening):
    async with opened(answering, configured=one("azure", "/openai/v1", ENTRA)) as setting:
        async with setting.post("/p/v1/responses", RESPONSES) as answer:
            assert answer.status == 200
        assert sent(setting.provider.seen[0]) == {"Authorization": f"Bearer {ENTRA}"}


@pytest.mark.parametrize(
    ("headers", "arrived"),
    [
        ({"api-key": OWN, "Authorization": f"Bearer {TOKEN}"}, {"api-key": OWN}),
        ({"api-key": OWN, "Authorization": f"Bearer {ENTRA}", "X-Api-Key": "k"}, {"api-key": OWN}),
        ({"api-key": TOKEN, "Authorization": f"Bearer {ENTRA}"}, {"Authorization": f"Bearer {ENTRA}"}),
        ({"X-Api-Key": OWN, "Authorization": f"Bearer {ENTRA}"}, {"Authorization": f"Bearer {ENTRA}"}),
    ],
)
async def test_of_several_own_credentials_azure_gets_the_one_it_knows_best(opened: Opening, headers, arrived):
    async with opened(answering, configured=one("azure", "/openai/v1", CENTRAL_KEY)) as setting:
        url = setting.url + "/p/v1/responses"
        async with setting.client.post(url, json=RESPONSES, headers=BYOK | headers) as answer:
            assert answer.status == 200
        assert sent(setting.provider.seen[0]) == arrived


async def test_what_only_one_provider_knows_passes_byte_for_byte(opened: Opening):
    odd = (
        b'{"model": "models/gemini-3-pro", "messages":[{"role":"user","content":"hi"},{"role":"assistant","tool_calls":'
        b'[{"id":"c","type":"function","function":{"name":"f","arguments":"{}"}}]}],\n "extra_body" : {"google": '
        b'{"thinking_config": {"include_thoughts": true, "thinking_budget": 1.0}}}}'
    )
    async with opened(answering, configured=one("google", "/v1beta/openai", CENTRAL_KEY)) as setting:
        url, headers = setting.url + "/p/v1/chat/completions", {"X-Api-Key": TOKEN}
        async with setting.client.post(url, data=odd, headers=headers) as answer:
            assert answer.status == 200
        assert setting.provider.seen[0].body == odd


async def test_a_model_name_with_a_slash_is_sent_and_recorded_as_it_is(opened: Opening):
    async with opened(answering, configured=one("openrouter", "/api/v1", CENTRAL_KEY)) as setting:
        async with setting.post("/p/v1/chat/completions", CHAT | {"model": "anthropic/claude-opus-4.6"}) as answer:
            assert answer.status == 200
        assert setting.provider.seen[0].json["model"] == "anthropic/claude-opus-4.6"
        assert setting.notebook.begun[0].model == "anthropic/claude-opus-4.6"


@pytest.mark.parametrize(
    ("kind", "below", "path", "ending"),
    [
        ("openai", "/v1", "/p/v2/chat/completions", "/p/v1"),
        ("azure", "/openai/v1", "/p/openai/deployments/gpt/chat/completions", "/p/v1"),
        ("anthropic", "", "/p/v1/v1/messages", "/p"),
        ("copilot", "", "/p/v1/chat/completions", "/p"),
    ],
)
async def test_a_wrong_path_is_told_the_base_url(opened: Opening, kind, below, path, ending):
    async with opened(configured=one(kind, below)) as setting:
        async with setting.post(path, CHAT) as answer:
            assert answer.status == 404
            text = (await answer.json())["error"]["message"]
        assert text == f"route not supported: POST {path}; the base URL for this provider ends in {ending}"
        assert setting.provider.seen == []


async def test_a_provider_that_cannot_work_says_why_and_the_others_do(opened: Opening):
    def configured(url: str) -> list[ProviderConfig]:
        return [ProviderConfig("azure", "p", url), ProviderConfig("google", "q", url, (CENTRAL_KEY,))]

    async with opened(answering, configured=configured, allow_byok=False) as setting:
        async with setting.post("/p/v1/chat/completions", CHAT) as answer:
            assert answer.status == 404
            assert "provider p cannot be used: no key, and users may not" in (await answer.json())["error"]["message"]
        async with setting.post("/q/v1/chat/completions", CHAT) as answer:
            assert answer.status == 200
