"""From a client's path below an instance to the provider's address: the whole table, for every type of provider."""

import pytest

from coderai.kinds import KINDS
from coderai.providers.registry import Instance, build
from coderai.records import Api
from coderai.settings.provider import ProviderConfig


def built(kind: str, base_url: str = "", keys: tuple[str, ...] = ("sk-1",), *, allow_byok: bool = True) -> Instance:
    base_url = base_url or KINDS[kind].default_base_url or KINDS[kind].example_base_url
    config = ProviderConfig(kind, "p", base_url, keys if KINDS[kind].takes_keys else ())
    return build(config, allow_byok=allow_byok)


def address(instance: Instance, target: str) -> str | None:
    path, _, query = target.partition("?")
    assert instance.family is not None
    route = instance.family.route(path)
    return None if route is None else instance.url(route.path, query)


OPENAI = "https://api.openai.com/v1/"
ANTHROPIC = "https://api.anthropic.com/"
AZURE = "https://n.openai.azure.com"
DEPLOYMENT = AZURE + "/openai/deployments/gpt"
VERSIONED = DEPLOYMENT + "?api-version=1"
GOOGLE = "https://generativelanguage.googleapis.com/v1beta/openai"
CHATGPT = "https://chatgpt.com/backend-api/codex"


@pytest.mark.parametrize(
    ("kind", "base_url", "target", "url"),
    [
        # the rows of the specification
        ("openai", OPENAI, "/v1/chat/completions", "https://api.openai.com/v1/chat/completions"),
        ("openai", "http://h", "/v1/chat/completions", "http://h/chat/completions"),
        ("openai", "http://h/api", "/v1/models", "http://h/api/models"),
        ("anthropic", ANTHROPIC, "/v1/messages", "https://api.anthropic.com/v1/messages"),
        ("anthropic", "http://h/api", "/v1/messages", "http://h/api/v1/messages"),
        ("anthropic", "http://h/v1", "/v1/models", "http://h/v1/v1/models"),
        ("copilot", "http://h/v1", "/models", "http://h/v1/models"),
        # exactly one slash
        ("openai", "http://h/v1///", "/v1/responses", "http://h/v1/responses"),
        ("anthropic", "http://h", "/v1/messages", "http://h/v1/messages"),
        ("copilot", "http://h/", "/chat/completions", "http://h/chat/completions"),
        # a query stays as it was written
        ("anthropic", ANTHROPIC, "/v1/messages?beta=true", "https://api.anthropic.com/v1/messages?beta=true"),
        ("openai", "http://h/v1", "/v1/models?a=%2F&b", "http://h/v1/models?a=%2F&b"),
        # what is passed through
        ("openai", OPENAI, "/v1/responses/compact", "https://api.openai.com/v1/responses/compact"),
        ("openai", OPENAI, "/v1/responses/input_tokens", "https://api.openai.com/v1/responses/input_tokens"),
        ("openai", OPENAI, "/v1/responses/resp_1?stream=true", OPENAI + "responses/resp_1?stream=true"),
        ("openai", OPENAI, "/v1/conversations/c/items", "https://api.openai.com/v1/conversations/c/items"),
        ("anthropic", ANTHROPIC, "/v1/messages/count_tokens", ANTHROPIC + "v1/messages/count_tokens"),
        ("anthropic", ANTHROPIC, "/api/event_logging/batch", ANTHROPIC + "api/event_logging/batch"),
        ("anthropic", ANTHROPIC, "/v1/models/claude-x", ANTHROPIC + "v1/models/claude-x"),
        ("copilot", "https://c", "/models/session", "https://c/models/session"),
        ("copilot", "https://c", "/_ping", "https://c/_ping"),
        ("copilot", "https://c", "/mcp/readonly", "https://c/mcp/readonly"),
        ("copilot", "https://c", "/agents/swe/internal/memory/v0/enabled", "https://c/agents/swe/internal/memory/v0/enabled"),
        ("copilot", "https://c", "/.well-known/oauth-protected-resource", "https://c/.well-known/oauth-protected-resource"),
        ("copilot", "https://c", "/v1/messages/count_tokens", "https://c/v1/messages/count_tokens"),
        # tools with another idea of where the /v1 belongs
        ("openai", OPENAI, "/chat/completions", "https://api.openai.com/v1/chat/completions"),
        ("openai", OPENAI, "/responses", "https://api.openai.com/v1/responses"),
        ("openai", OPENAI, "/responses/compact", "https://api.openai.com/v1/responses/compact"),
        ("openai", OPENAI, "/models?x=1", "https://api.openai.com/v1/models?x=1"),
        ("openai", OPENAI, "/models/gpt", "https://api.openai.com/v1/models/gpt"),
        ("anthropic", ANTHROPIC, "/messages", "https://api.anthropic.com/v1/messages"),
        ("anthropic", ANTHROPIC, "/messages/count_tokens", ANTHROPIC + "v1/messages/count_tokens"),
        ("anthropic", ANTHROPIC, "/models", "https://api.anthropic.com/v1/models"),
        ("anthropic", ANTHROPIC, "/models/claude-x", "https://api.anthropic.com/v1/models/claude-x"),
        # ChatGPT
        ("openai", CHATGPT, "/v1/responses", CHATGPT + "/responses"),
        ("openai", CHATGPT, "/v1/models?client_version=0.169.0", CHATGPT + "/models?client_version=0.169.0"),
        # the others that speak OpenAI's language
        ("google", GOOGLE + "/", "/v1/chat/completions", GOOGLE + "/chat/completions"),
        ("openrouter", "https://openrouter.ai/api/v1", "/v1/chat/completions", "https://openrouter.ai/api/v1/chat/completions"),
        ("vercel", "https://ai-gateway.vercel.sh/v1", "/v1/models", "https://ai-gateway.vercel.sh/v1/models"),
        ("openai-compat", "http://10.0.0.5:8000/v1", "/v1/chat/completions", "http://10.0.0.5:8000/v1/chat/completions"),
        # Azure: a resource alone means its OpenAI-style endpoint, whatever the type
        ("openai", AZURE, "/v1/responses", AZURE + "/openai/v1/responses"),
        ("openai", AZURE + "/", "/v1/chat/completions", AZURE + "/openai/v1/chat/completions"),
        ("azure", AZURE + "/", "/v1/chat/completions", AZURE + "/openai/v1/chat/completions"),
        ("openai-compat", AZURE + ":443/", "/v1/models", AZURE + ":443/openai/v1/models"),
        ("azure", "https://N.OpenAI.Azure.com/", "/v1/responses", "https://N.OpenAI.Azure.com/openai/v1/responses"),
        ("azure", "https://n.cognitiveservices.azure.com", "/v1/responses", "https://n.cognitiveservices.azure.com/openai/v1/responses"),
        ("azure", "https://n.services.ai.azure.com", "/v1/responses", "https://n.services.ai.azure.com/openai/v1/responses"),
        ("azure", AZURE + "/openai/v1/", "/v1/responses", AZURE + "/openai/v1/responses"),
        ("azure", "https://apim.example.com", "/v1/responses", "https://apim.example.com/responses"),
        ("openai", "https://openai.azure.com", "/v1/responses", "https://openai.azure.com/responses"),
        ("openai", "https://n.openai.azure.com.example.com", "/v1/models", "https://n.openai.azure.com.example.com/models"),
        ("anthropic", "https://n.services.ai.azure.com/anthropic", "/v1/messages", "https://n.services.ai.azure.com/anthropic/v1/messages"),
    ],
)  # fmt: skip
def test_a_path_is_joined_with_the_base_url(kind, base_url, target, url):
    assert address(built(kind, base_url), target) == url


@pytest.mark.parametrize(
    ("base_url", "target", "url"),
    [
        (VERSIONED, "/v1/chat/completions", DEPLOYMENT + "/chat/completions?api-version=1"),
        (DEPLOYMENT + "/?api-version=1", "/v1/responses", DEPLOYMENT + "/responses?api-version=1"),
        (VERSIONED, "/v1/models?a=b", DEPLOYMENT + "/models?a=b&api-version=1"),
        (VERSIONED, "/v1/models?api-version=2", DEPLOYMENT + "/models?api-version=2"),
        (VERSIONED, "/v1/models?a&api-version", DEPLOYMENT + "/models?a&api-version"),
        (VERSIONED, "/v1/models?x-api-version=2", DEPLOYMENT + "/models?x-api-version=2&api-version=1"),
        (AZURE + "?api-version=preview", "/v1/responses", AZURE + "/openai/v1/responses?api-version=preview"),
    ],
)
def test_a_version_in_the_base_url_is_added_to_calls_that_name_none(base_url, target, url):
    assert address(built("azure", base_url), target) == url


@pytest.mark.parametrize(
    ("kind", "path"),
    [
        (kind, path)
        for kind, paths in (
            ("openai", "/v1/embeddings /v1/completions /embeddings /v1 / /v1/ /v1/v1/models /v2/models /v1models"),
            ("openai", "/V1/models /v1/messages /chat/completions/ /responses/ /v1/chat/completions/x"),
            ("anthropic", "/v1/messages/ /messages/ /v1/messages/batches /v1/complete /v1/v1/messages /api/oauth"),
            ("anthropic", "/event_logging/x /v1/api/event_logging/x"),
            ("copilot", "/v1/chat/completions /v1/responses /messages /v1/models /agents /v1/messages/"),
            ("copilot", "/responses/x /mcp/../user /.well-known/%2e%2e/user"),
            ("google", "/v1beta/models/g:generateContent /v1/files"),
        )
        for path in paths.split()
    ],
)
def test_everything_else_has_no_route(kind, path):
    assert address(built(kind), path) is None


@pytest.mark.parametrize(
    "tail",
    [
        "#x",
        ";",
        ";x",
        "%3bx",
        "%20",
        "%09",
        "%23x",
        "%00",
        "x%0a",
        "%2f",
        "x\\y",
        "%5c",
        "..;x",
        "%252e%252e",
        "%25252e./x",
    ],
)
@pytest.mark.parametrize("path", ["/v1/responses/", "/v1/models/", "/models/", "/conversations/c/"])
def test_what_another_server_may_read_as_another_path_has_no_route(path, tail):
    assert address(built("openai"), path + tail) is None


@pytest.mark.parametrize(
    "path", ["/v1/models/a%2fb", "/v1/models/ft:gpt%3Aorg::x", "/v1/models/a%20b", "/v1/models/%C3%A9", "/v1/models/"]
)
def test_names_may_hold_what_has_to_be_encoded(path):
    assert address(built("openai"), path) is not None


@pytest.mark.parametrize(
    ("kind", "path", "api", "pattern"),
    [
        ("openai", "/v1/chat/completions", Api.CHAT, "/v1/chat/completions"),
        ("openai", "/chat/completions", Api.CHAT, "/v1/chat/completions"),
        ("openai", "/responses", Api.RESPONSES, "/v1/responses"),
        ("openai", "/responses/resp_1", None, "/v1/responses/*"),
        ("openai", "/models/gpt", None, "/v1/models/*"),
        ("anthropic", "/v1/messages", Api.MESSAGES, "/v1/messages"),
        ("anthropic", "/messages", Api.MESSAGES, "/v1/messages"),
        ("anthropic", "/messages/count_tokens", None, "/v1/messages/count_tokens"),
        ("copilot", "/chat/completions", Api.CHAT, "/chat/completions"),
        ("copilot", "/responses", Api.RESPONSES, "/responses"),
        ("copilot", "/v1/messages", Api.MESSAGES, "/v1/messages"),
        ("copilot", "/v1/messages/count_tokens", None, "/v1/messages/count_tokens"),
        ("copilot", "/mcp/readonly", None, "/mcp/*"),
    ],
)
def test_a_route_knows_its_api_and_has_one_name_however_it_was_written(kind, path, api, pattern):
    family = built(kind).family
    assert family is not None
    route = family.route(path)
    assert route is not None
    assert (route.api, route.pattern) == (api, pattern)
