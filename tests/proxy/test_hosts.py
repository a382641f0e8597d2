"""Which hosts are intercepted, and which of their paths is which route of the gateway."""

from dataclasses import replace

import pytest

from coderai.providers.anthropic import ANTHROPIC
from coderai.providers.copilot import COPILOT
from coderai.providers.openai import OPENAI
from coderai.providers.registry import Instance, Registry
from coderai.proxy.hosts import Hosts, routing

OPEN = Instance("openai", "openai", "https://api.openai.com/v1", OPENAI)
CLAUDE = Instance("anthropic", "anthropic", "https://api.anthropic.com", ANTHROPIC)
CHATGPT = Instance("chatgpt", "openai", "https://chatgpt.com/backend-api/codex", OPENAI)
CORP = Instance("corp", "anthropic", "https://llm.corp.example:8443/anthropic", ANTHROPIC)
PILOT = Instance("copilot", "copilot", "https://api.individual.githubcopilot.com", COPILOT)


def route(instance: Instance, host: str, path: str, port: int = 443) -> str | None:
    found = routing([instance])[0][host, port].find(path)
    return found.route(path) if found else None


@pytest.mark.parametrize(
    ("instance", "host", "path", "expected"),
    [
        (OPEN, "api.openai.com", "/v1/responses", "openai/v1/responses"),
        (OPEN, "api.openai.com", "/v1/models/a%2Fb", "openai/v1/models/a%2Fb"),
        (OPEN, "api.openai.com", "/v1", None),
        (OPEN, "api.openai.com", "/v10/responses", None),
        (OPEN, "api.openai.com", "/dashboard", None),
        (CLAUDE, "api.anthropic.com", "/v1/messages", "anthropic/v1/messages"),
        (CLAUDE, "api.anthropic.com", "/", "anthropic/"),
        (CHATGPT, "chatgpt.com", "/backend-api/codex/responses", "chatgpt/v1/responses"),
        (CHATGPT, "chatgpt.com", "/backend-api/me", None),
        (PILOT, "api.individual.githubcopilot.com", "/chat/completions", "copilot/chat/completions"),
    ],
)
def test_a_path_below_the_base_url_is_a_route(instance, host, path, expected):
    assert route(instance, host, path) == expected


def test_a_port_of_its_own_is_intercepted_and_no_other():
    hosts, _ = routing([CORP])
    assert hosts.keys() == {("llm.corp.example", 8443)}
    assert route(CORP, "llm.corp.example", "/anthropic/v1/messages", 8443) == "corp/v1/messages"


def test_port_80_of_a_provider_is_the_provider():
    hosts, _ = routing([OPEN])
    assert hosts["api.openai.com", 80] == hosts["api.openai.com", 443]


@pytest.mark.parametrize(
    ("url", "key"),
    [
        ("https://API.OpenAI.com./v1", ("api.openai.com", 443)),
        ("https://[2606:4700::1]/v1", ("2606:4700::1", 443)),
        ("https://bücher.example/v1", ("xn--bcher-kva.example", 443)),
        ("http://10.0.0.5:11434/v1", ("10.0.0.5", 11434)),
        ("http://plain.example/v1", ("plain.example", 80)),
    ],
)
def test_hosts_are_compared_in_one_form(url, key):
    hosts, _ = routing([replace(OPEN, base_url=url)])
    assert key in hosts
    assert hosts[key].tls == url.startswith("https")


def test_providers_share_a_host_below_base_paths_of_their_own():
    one = replace(CORP, name="all", base_url="https://llm.corp.example:8443")
    two = replace(OPEN, name="gpt", base_url="https://llm.corp.example:8443/openai/v1")
    hosts, excluded = routing([one, CORP, two])
    host = hosts["llm.corp.example", 8443]
    found = [host.find(path) for path in ("/anthropic/v1/messages", "/openai/v1/responses", "/v1/messages")]
    assert [place.name for place in found if place] == ["corp", "gpt", "all"]
    assert excluded == {}


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/v1/messages", "claude"),
        ("/v1/messages/count_tokens", "claude"),
        ("/v1/responses", "gpt"),
        ("/v1/chat/completions", "gpt"),
        ("/v1/models", "gpt"),
        ("/v1/nothing", "gpt"),
        ("/nothing", "claude"),
    ],
)
def test_where_base_paths_overlap_the_one_that_knows_the_path_counts(path, name):
    two = [
        replace(CLAUDE, name="claude", base_url="https://llm.corp.example"),
        replace(OPEN, name="gpt", base_url="https://llm.corp.example/v1"),
    ]
    found = routing(two)[0]["llm.corp.example", 443].find(path)
    assert found is not None
    assert found.name == name


def test_of_two_with_the_same_base_url_the_first_by_name_is_reached():
    hosts, excluded = routing([replace(OPEN, name="z-openai"), replace(OPEN, name="b-openai")])
    assert hosts["api.openai.com", 443].places[0].name == "b-openai"
    assert excluded == {"z-openai": "b-openai"}


def test_an_enabled_one_comes_before_a_disabled_one():
    hosts, excluded = routing([replace(OPEN, name="a", state="disabled"), replace(OPEN, name="b")])
    assert [place.name for place in hosts["api.openai.com", 443].places] == ["b"]
    assert excluded == {}


def test_a_disabled_provider_keeps_its_host():
    hosts, _ = routing([replace(OPEN, state="disabled"), replace(CLAUDE, state="error", family=None)])
    assert not hosts["api.openai.com", 443].enabled
    assert not hosts["api.anthropic.com", 443].enabled


def test_changes_are_seen_at_once():
    registry = Registry([OPEN])
    hosts = Hosts(registry)
    assert hosts.find("api.openai.com", 443)
    registry.replace([CLAUDE])
    assert hosts.find("api.openai.com", 443) is None
    assert hosts.find("api.anthropic.com", 443)


@pytest.mark.parametrize(
    "path",
    [
        *("/v1/responses", "/V1/responses", "/%76%31/responses", "/%2576%2531/responses", "/x/../v1/responses"),
        *("//v1/responses", "/./v1/responses", "/v1;x/responses", "/x/%2e%2e/v1/responses", "/\\v1/responses"),
    ],
)
def test_what_a_server_might_take_for_a_path_of_the_base_url_is_known(path):
    [place] = routing([OPEN])[0]["api.openai.com", 443].places
    assert place.may_hold(path)


@pytest.mark.parametrize("path", ["/dashboard", "/backend-api/me", "/files/a%20b"])
def test_other_paths_are_others(path):
    [place] = routing([OPEN])[0]["api.openai.com", 443].places
    assert not place.may_hold(path)
