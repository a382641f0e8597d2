"""``coderai clients``: what is chosen, what is printed where, and what is said when it cannot be."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Coderai, FakeApi, Said

DOOR = "GET /api/v2/aibridge/clients/setup"


def provider(name: str, family: str, state: str = "enabled", central_key: bool = True) -> dict[str, Any]:
    return {"name": name, "type": family, "family": family, "state": state, "central_key": central_key}


ANTHROPIC, OPENAI = provider("anthropic", "anthropic"), provider("openai", "openai")


def put(api: FakeApi, *providers: dict[str, Any], **members: Any) -> None:
    api.put(DOOR, {"access_url": "", "enabled": True, "byok": True, "providers": providers, **members})


def test_the_snippet_alone_is_on_stdout(coderai: Coderai, api: FakeApi) -> None:
    put(api, ANTHROPIC, OPENAI)
    said = coderai("clients", "setup", "claude-code")
    assert said.code == 0
    assert said.out == (
        ': "${CODER_TOKEN:?is not set; make a token with: coderai tokens create}"\n'
        "unset ANTHROPIC_API_KEY\n"
        f'export ANTHROPIC_BASE_URL="{api.url}/api/v2/aibridge/anthropic"\n'
        'export ANTHROPIC_AUTH_TOKEN="$CODER_TOKEN"\n'
        'export CLAUDE_CODE_ENABLE_GATEWAY_MODEL_DISCOVERY="1"\n'
        'export CLAUDE_CODE_GATEWAY_HINT_HEADERS="1"\n'
    )
    assert "export CODER_TOKEN=$(coderai tokens create)" in said.err


def test_a_file_says_where_it_belongs_and_what_to_replace(coderai: Coderai, api: FakeApi) -> None:
    put(api, provider("anthropic-corp", "anthropic"))
    said = coderai("clients", "setup", "factory", "--byok", "--model", "claude-opus-4-5")
    model = json.loads(said.out)["customModels"][0]
    assert (model["model"], model["apiKey"]) == ("claude-opus-4-5", "$PROVIDER_KEY")
    assert model["baseUrl"] == f"{api.url}/api/v2/aibridge/anthropic-corp"
    assert "~/.factory/settings.json" in said.err
    assert "$CODER_TOKEN and $PROVIDER_KEY" in said.err


def test_no_token_is_ever_printed(coderai: Coderai, api: FakeApi) -> None:
    put(api, ANTHROPIC)
    said = coderai("clients", "setup", "claude-code", "--byok")
    assert "the-token" not in said.out + said.err


def test_the_configured_address_of_the_server_counts_most(coderai: Coderai, api: FakeApi) -> None:
    put(api, OPENAI, access_url="https://ai.example.com/")
    said = coderai("clients", "setup", "codex")
    assert 'base_url = "https://ai.example.com/api/v2/aibridge/openai/v1"' in said.out
    assert api.url in said.err


def test_as_json_it_is_one_document(coderai: Coderai, api: FakeApi) -> None:
    put(api, OPENAI)
    document = coderai("clients", "setup", "codex", "-o", "json").json
    assert (document["tool"], document["provider"], document["form"]) == ("codex", "openai", "toml")
    assert 'env_key = "CODER_TOKEN"' in document["text"]
    assert document["notes"]


def test_the_family_the_tool_prefers_is_taken(coderai: Coderai, api: FakeApi) -> None:
    put(api, OPENAI, ANTHROPIC)
    assert "/aibridge/anthropic/v1" in coderai("clients", "setup", "opencode").out


@pytest.mark.parametrize("tool", ["opencode", "codex"])
def test_a_provider_that_cannot_be_used_is_passed_over(coderai: Coderai, api: FakeApi, tool: str) -> None:
    put(api, provider("a", "anthropic", "error"), provider("b", "anthropic", "disabled"), provider("c", "openai"))
    assert "/aibridge/c/v1" in coderai("clients", "setup", tool).out


def test_the_customary_name_is_taken_where_there_is_one(coderai: Coderai, api: FakeApi) -> None:
    put(api, OPENAI, provider("chatgpt", "openai", central_key=False))
    said = coderai("clients", "setup", "codex-chatgpt")
    assert "/aibridge/chatgpt/v1" in said.out
    assert 'env_http_headers = { "X-Coder-AI-Governance-Token" = "CODER_TOKEN" }' in said.out


def test_a_sign_in_goes_to_the_provider_that_is_named(coderai: Coderai, api: FakeApi) -> None:
    put(api, OPENAI, provider("codex-plus", "openai", central_key=False))
    assert "/aibridge/codex-plus/v1" in coderai("clients", "setup", "codex-chatgpt", "-p", "codex-plus").out


CORP, DIRECT = provider("corp", "anthropic"), provider("direct", "anthropic", central_key=False)


@pytest.mark.parametrize(
    ("arguments", "members", "code", "reason"),
    [
        (["claude-code"], {"providers": [ANTHROPIC, CORP]}, 2, "anthropic, corp; name one with --provider"),
        (["claude-code"], {"providers": [OPENAI]}, 1, "needs one of type anthropic"),
        (["claude-code"], {"providers": []}, 1, "needs one of type anthropic"),
        (["codex-chatgpt"], {"providers": []}, 1, "no provider 'chatgpt'"),
        (["codex-chatgpt"], {"providers": [OPENAI]}, 1, "no provider 'chatgpt'"),
        (["claude-code"], {"providers": [DIRECT]}, 1, "with your own key (--byok): direct"),
        (["claude-code", "-p", "direct"], {"providers": [DIRECT]}, 1, "direct has no central key: say --byok"),
        (["claude-code", "-p", "nope"], {"providers": [CORP, DIRECT]}, 4, "There are: corp, direct"),
        (["claude-code", "-p", "openai"], {"providers": [OPENAI]}, 1, "family anthropic; openai is openai"),
        (["claude-code", "-p", "x"], {"providers": [provider("x", "anthropic", "error")]}, 1, "its state is error"),
        (["claude-code", "--byok"], {"providers": [CORP], "byok": False}, 1, "--aibridge-allow-byok=false"),
        (["aider", "--byok"], {"providers": [CORP]}, 2, "leave --byok out"),
        (["claude-code"], {"enabled": False}, 1, "--aibridge-enabled"),
        (["claude-code"], {"providers": [provider('x";touch y', "anthropic")]}, 1, "needs one of type anthropic"),
        (["claude-code"], {"providers": [CORP], "access_url": "ftp://x"}, 2, "is no address of a server"),
    ],
)
def test_what_cannot_be_is_said(
    coderai: Coderai, api: FakeApi, arguments: list[str], members: dict[str, Any], code: int, reason: str
) -> None:
    put(api, **{"providers": [], **members})
    said = coderai("clients", "setup", *arguments)
    assert (said.code, said.out) == (code, "")
    assert reason in said.err


def test_an_unknown_tool_is_a_usage_error_that_helps(coderai: Coderai) -> None:
    said = coderai("clients", "setup", "claud-code")
    assert said.code == 2
    assert "did you mean claude-code?" in said.err
    assert "opencode" in said.err


def test_a_tool_that_cannot_be_pointed_anywhere_says_why(coderai: Coderai) -> None:
    said = coderai("clients", "setup", "windsurf")
    assert (said.code, said.out) == (1, "")
    assert "no setting for the address" in said.err


def test_without_a_tool_all_are_listed(coderai: Coderai, api: FakeApi) -> None:
    said = coderai("clients", "setup")
    assert {"coder-agents", "mux", "claude-code", "codex", "zed"} <= {line.split()[0] for line in said.out.splitlines()}
    assert coderai("clients", "setup", "-o", "json").json[0]["tool"] == "coder-agents"
    assert api.asked == []


def test_without_a_server_it_says_so(coderai: Coderai, api: FakeApi, alone) -> None:
    from coderai.cli.main import run

    assert run(["clients", "setup", "claude-code"]) == 1


def test_the_tools_that_were_seen_are_listed(coderai: Coderai, api: FakeApi) -> None:
    api.put("GET /api/v2/aibridge/clients", ["Claude Code", "Codex\x1b[2J"])
    said = coderai("clients", "list")
    assert said.out.splitlines() == ["Claude Code", "Codex\\x1b[2J"]
    assert coderai("clients", "ls", "-o", "json").json == ["Claude Code", "Codex\x1b[2J"]


COPILOT = provider("copilot", "copilot", central_key=False)


@pytest.fixture
def proxied(coderai: Coderai, api: FakeApi, tmp_path: Path) -> Callable[..., Said]:
    """Ask for a tool at a server with a proxy; its CA's certificate ends up where the text says."""
    api.put("GET /api/v2/aibridge/proxy/ca-cert.pem", b"the certificate")

    def call(*arguments: str, tls: bool = False, **members: Any) -> Said:
        proxy = {"host": "", "port": 8888, "tls": tls}
        put(api, COPILOT, **{"access_url": "https://ai.example.com", "proxy": proxy, **members})
        return coderai("clients", "setup", *arguments)

    return call


def test_a_tool_goes_through_the_proxy(proxied: Callable[..., Said], tmp_path: Path) -> None:
    said = proxied("copilot", tls=True)
    assert said.out == (
        ': "${CODER_TOKEN:?is not set; make a token with: coderai tokens create}"\n'
        'export HTTPS_PROXY="https://coder:$CODER_TOKEN@ai.example.com:8888"\n'
        f'export NODE_EXTRA_CA_CERTS="{tmp_path}/config/proxy-ca.pem"\n'
    )
    assert (tmp_path / "config" / "proxy-ca.pem").read_bytes() == b"the certificate"
    assert "https://ai.example.com/api/v2/aibridge/proxy/ca-cert.pem" in said.err


@pytest.mark.parametrize("tool", ["vscode-copilot", "jetbrains-copilot"])
def test_an_editor_goes_through_the_proxy(proxied: Callable[..., Said], tool: str) -> None:
    said = proxied(tool)
    assert all(part in said.out for part in ("ai.example.com", "8888", "$CODER_TOKEN"))
    assert "Put the real value for $CODER_TOKEN." in said.err
    assert "which GitHub Copilot in" not in said.err
    assert "which GitHub Copilot in" in proxied(tool, tls=True).err


def test_as_json_it_looks_like_the_others(proxied: Callable[..., Said]) -> None:
    document = proxied("vscode-copilot", "-o", "json").json
    assert json.loads(document["text"])["http.proxy"] == "http://coder:$CODER_TOKEN@ai.example.com:8888"
    assert set(document) == {"tool", "provider", "form", "file", "text", "notes"}


@pytest.mark.parametrize(
    ("members", "reason"),
    [
        ({"proxy": None}, "start it with --aibridge-proxy-enabled"),
        ({"providers": [OPENAI]}, "the gateway needs one of type copilot"),
        ({"byok": False}, "--aibridge-allow-byok=false"),
    ],
)
def test_where_the_proxy_is_of_no_use(proxied: Callable[..., Said], members: dict[str, Any], reason: str) -> None:
    said = proxied("copilot", **members)
    assert (said.code, said.out) == (1, "")
    assert reason in said.err


def test_tools_of_the_proxy_are_listed_too(coderai: Coderai) -> None:
    assert "copilot (proxy)" in coderai("clients", "setup").out
    assert coderai("clients", "setup", "-o", "json").json[-1]["tool"] == "jetbrains-copilot"
    assert "did you mean vscode-copilot?" in coderai("clients", "setup", "vscode-copilo").err
