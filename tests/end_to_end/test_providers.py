"""The real server with providers at their official hosts: real TLS, the hosts answered by scripted ones."""

import json
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import aiohttp
import anthropic
import openai
import pytest

from coderai.demo.bedrock import Account, bedrock
from coderai.demo.provider import Reply, ScriptedProvider, Seen
from tests.end_to_end.conftest import make_token, small_agent
from tests.end_to_end.outside import Outside, outside
from tests.end_to_end.processes import Gateway, coderai

CORP = "llm-proxy.corp.example"
DIRECT = "api.anthropic.com"
AZURE = "contoso.openai.azure.com"
KEYS = {
    CORP: "sk-ant-corp-0123456789abcdef",
    DIRECT: "sk-ant-api03-0123456789abcdef",
    AZURE: "az0123456789abcdef0123456789abcd",
}
AMAZON = "bedrock-runtime.us-west-2.amazonaws.com"
ACCOUNT = Account({"AKIA0123456789ABCDEF": "secret/0123456789abcdef"}, region="us-west-2")
PROVIDERS = (
    {"TYPE": "anthropic", "NAME": "anthropic-corp", "KEY": KEYS[CORP], "BASE_URL": f"https://{CORP}/anthropic"},
    {"TYPE": "anthropic", "NAME": "anthropic-direct", "KEY": KEYS[DIRECT], "BASE_URL": ""},
    {"TYPE": "openai", "NAME": "azure-openai", "KEY": KEYS[AZURE], "BASE_URL": f"https://{AZURE}/"},
    {
        "TYPE": "anthropic",
        "NAME": "anthropic-bedrock",
        "BEDROCK_REGION": ACCOUNT.region,
        "BEDROCK_ACCESS_KEY": "AKIA0123456789ABCDEF",
        "BEDROCK_ACCESS_KEY_SECRET": ACCOUNT.secrets["AKIA0123456789ABCDEF"],
    },
)
ASKED = {"model": "m", "max_tokens": 99, "messages": [{"role": "user", "content": "what is there?"}]}


@dataclass
class World:
    """The server, what is around it, and a token."""

    gateway: Gateway
    outside: Outside
    hosts: dict[str, ScriptedProvider]
    token: str

    def anthropic(self, name: str) -> anthropic.AsyncAnthropic:
        url = f"{self.gateway.url}/api/v2/aibridge/{name}"
        return anthropic.AsyncAnthropic(base_url=url, auth_token=self.token, max_retries=0)

    def openai(self, name: str) -> openai.AsyncOpenAI:
        url = f"{self.gateway.url}/api/v2/aibridge/{name}/v1"
        return openai.AsyncOpenAI(base_url=url, api_key=self.token, max_retries=0)

    def seen(self, host: str) -> Seen:
        """The only request that came to *host* since one looked, addressed to it and without the gateway token."""
        [seen] = self.hosts[host].seen
        self.hosts[host].seen.clear()
        assert seen.headers["Host"] == host
        assert not [value for value in seen.headers.values() if self.token in value]
        return seen


def _claude(seen: Seen) -> Reply:
    return small_agent(replace(seen, path="/v1/messages"))


@asynccontextmanager
async def _world(
    directory: Path, providers: Sequence[dict[str, str]], hosts: dict[str, ScriptedProvider]
) -> AsyncIterator[World]:
    async with AsyncExitStack() as stack:
        urls = {host: await stack.enter_async_context(each.serving()) for host, each in hosts.items()}
        around = await stack.enter_async_context(outside(urls, directory))
        variables = {
            f"CODER_AIBRIDGE_PROVIDER_{number}_{key}": value
            for number, provider in enumerate(providers)
            for key, value in provider.items()
        }
        gateway = Gateway(directory / "data", "", environment=around.environment | variables)
        stack.push_async_callback(gateway.kill)
        await gateway.start()
        yield World(gateway, around, hosts, await make_token(gateway))


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    hosts = {host: ScriptedProvider(small_agent) for host in (CORP, DIRECT, AZURE)}
    hosts[AMAZON] = ScriptedProvider(bedrock(_claude, ACCOUNT))
    async with _world(tmp_path, PROVIDERS, hosts) as world:
        yield world


async def asked(client: anthropic.AsyncAnthropic, *, stream: bool) -> anthropic.types.Message:
    """One whole answer."""
    if not stream:
        return await client.messages.create(**ASKED)
    async with client.messages.stream(**ASKED) as streaming:
        return await streaming.get_final_message()


async def test_anthropic_providers_answer_from_their_own_hosts(world: World):
    places = (("anthropic-corp", CORP, "/anthropic/v1/messages"), ("anthropic-direct", DIRECT, "/v1/messages"))
    for name, host, path in places:
        async with world.anthropic(name) as client:
            for stream in (False, True):
                assert (await asked(client, stream=stream)).stop_reason == "tool_use"
                seen = world.seen(host)
                assert (seen.path, seen.headers["X-Api-Key"]) == (path, KEYS[host])
                assert "Authorization" not in seen.headers
    assert set(world.outside.asked) == {f"{CORP}:443", f"{DIRECT}:443"}


async def test_azure_answers_at_its_openai_style_endpoint_with_its_own_key_header(world: World):
    async with world.openai("azure-openai") as client:
        answer = await client.responses.create(model="gpt-5.3-codex", input="what is there?")
    assert answer.output[-1].type == "function_call"
    seen = world.seen(AZURE)
    assert (seen.path, seen.headers["api-key"]) == ("/openai/v1/responses", KEYS[AZURE])
    assert "Authorization" not in seen.headers
    assert world.outside.asked == [f"{AZURE}:443"]

    # The Azure client of the SDK works too, with a gateway token for its key.
    url = f"{world.gateway.url}/api/v2/aibridge/azure-openai/v1"
    async with openai.AsyncAzureOpenAI(base_url=url, api_key=world.token, api_version="preview") as client:
        answer = await client.responses.create(model="gpt-5.3-codex", input="what is there?")
    assert answer.output[-1].type == "function_call"
    seen = world.seen(AZURE)
    assert (seen.path, seen.headers["api-key"]) == ("/openai/v1/responses?api-version=preview", KEYS[AZURE])


async def test_bedrock_answers_with_a_region_and_static_keys_only(world: World):
    model = "global.anthropic.claude-sonnet-4-5-20250929-v1%3A0"
    async with world.anthropic("anthropic-bedrock") as client:
        for stream, action in ((False, "invoke"), (True, "invoke-with-response-stream")):
            assert (await asked(client, stream=stream)).stop_reason == "tool_use"
            assert world.seen(AMAZON).path == f"/model/{model}/{action}"  # and its signature was good
    assert set(world.outside.asked) == {f"{AMAZON}:443"}


async def test_the_server_shows_a_route_for_each_and_the_records_name_the_instance_and_its_family(world: World):
    shown = "".join(world.gateway.log)
    assert f"/anthropic-corp     anthropic  https://{CORP}/anthropic" in shown
    assert f"/anthropic-direct   anthropic  https://{DIRECT}" in shown
    assert f"/azure-openai/v1    openai     https://{AZURE}/openai/v1" in shown
    assert f"/anthropic-bedrock  anthropic  https://{AMAZON}" in shown
    assert shown.count("  enabled\n") == 4

    async with world.anthropic("anthropic-corp") as corp, world.anthropic("anthropic-direct") as direct:
        await corp.messages.create(**ASKED)
        await direct.messages.create(**ASKED)
    async with world.anthropic("anthropic-bedrock") as amazon:
        await amazon.messages.create(**ASKED)
    async with world.openai("azure-openai") as azure:
        await azure.chat.completions.create(model="gpt-4.1", messages=[{"role": "user", "content": "hi"}])
    listed = await coderai("interceptions", "list", f"--data-dir={world.gateway.data_dir}", "-o", "json")
    found = [(row["provider"], row["provider_name"]) for row in json.loads(listed.out)]
    assert sorted(found) == [
        ("anthropic", "anthropic-bedrock"),
        ("anthropic", "anthropic-corp"),
        ("anthropic", "anthropic-direct"),
        ("openai", "azure-openai"),
    ]


GOOGLE = "generativelanguage.googleapis.com"
COPILOT = "api.individual.githubcopilot.com"
OWN = "Bearer own-0123456789abcdef"
OTHERS = (
    {"TYPE": "google", "KEY": "AIza-0123456789", "BASE_URL": f"https://{GOOGLE}/v1beta/openai"},
    {"TYPE": "openrouter", "KEY": "sk-or-0123456789", "BASE_URL": "https://openrouter.ai/api/v1"},
    {"TYPE": "vercel", "KEY": "vck-0123456789", "BASE_URL": "https://ai-gateway.vercel.sh/v1"},
    {"TYPE": "openai", "KEY": "sk-proj-0123456789", "BASE_URL": ""},
    {"TYPE": "openai", "NAME": "chatgpt", "BASE_URL": "https://chatgpt.com/backend-api/codex"},
    {"TYPE": "copilot", "BASE_URL": ""},
)
ANSWERED = (
    ("google/v1/chat/completions", GOOGLE, "/v1beta/openai/chat/completions", "Bearer AIza-0123456789"),
    ("openrouter/v1/chat/completions", "openrouter.ai", "/api/v1/chat/completions", "Bearer sk-or-0123456789"),
    ("vercel/v1/chat/completions", "ai-gateway.vercel.sh", "/v1/chat/completions", "Bearer vck-0123456789"),
    ("openai/v1/responses", "api.openai.com", "/v1/responses", "Bearer sk-proj-0123456789"),
    ("chatgpt/v1/responses", "chatgpt.com", "/backend-api/codex/responses", OWN),
    ("copilot/responses", COPILOT, "/responses", OWN),
)


async def test_the_others_answer_from_their_official_hosts(tmp_path: Path):
    hosts = {host: ScriptedProvider(small_agent) for _, host, _, _ in ANSWERED}
    async with _world(tmp_path, OTHERS, hosts) as world, aiohttp.ClientSession() as client:
        central = {"Authorization": f"Bearer {world.token}"}
        own = {"Authorization": OWN, "X-Coder-AI-Governance-Token": world.token}
        for path, _, _, credential in ANSWERED:
            url, headers = f"{world.gateway.url}/api/v2/aibridge/{path}", own if credential == OWN else central
            async with client.post(url, json={"model": "vendor/m", "messages": []}, headers=headers) as answer:
                assert answer.status == 200
        seen = [world.seen(host) for _, host, _, _ in ANSWERED]
    assert [(each.path, each.headers["Authorization"]) for each in seen] == [row[2:] for row in ANSWERED]
