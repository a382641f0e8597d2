"""Providers on the command line: secrets come from files and variables, and never go out again."""

import re

import pytest

from tests.cli.conftest import Said

CORP = {
    "id": "0190-p",
    "type": "anthropic",
    "name": "corp",
    "base_url": "https://llm.example.com/anthropic",
    "api_keys": [{"id": "0190-k", "masked": "sk-a...ijkl", "created_at": "2026-05-04T09:12:33Z"}],
    "enabled": True,
    "status": "enabled",
    "source": "api",
}
EU = {
    "id": "2",
    "type": "bedrock",
    "name": "eu",
    "settings": {"_type": "bedrock", "_version": 1, "region": "eu-west-1"},
}
BROKEN = {
    "id": "3",
    "type": "openai",
    "name": "x",
    "base_url": "https://x",
    "status": "error",
    "status_reason": "no key",
}
PATH = "/api/v2/ai/providers"


def test_list_shows_states_and_sources_but_no_key(api, coderai):
    api.put(f"GET {PATH}", [CORP, EU | {"status": "enabled", "source": "config"}, BROKEN | {"source": "api"}])
    said = coderai("providers", "list")
    assert said.out.splitlines() == [
        "NAME  TYPE       BASE URL                           KEYS             STATE          SOURCE",
        "corp  anthropic  https://llm.example.com/anthropic  set (1)          enabled        api",
        "eu    bedrock    (eu-west-1)                        AWS credentials  enabled        config",
        "x     openai     https://x                          no key           error: no key  api",
    ]
    assert "sk-a" not in said.out


def test_no_providers_says_how_to_add_one(api, coderai):
    api.put(f"GET {PATH}", [])
    assert "coderai providers add TYPE" in coderai("providers", "list").err


def test_add_takes_keys_from_files_and_variables(api, coderai, tmp_path, monkeypatch):
    (tmp_path / "corp.key").write_text("sk-from-file\n")
    monkeypatch.setenv("CORP_KEY", "sk-from-variable")
    api.put(f"POST {PATH}", CORP, 201)
    said = coderai(
        *("providers", "add", "anthropic", "--name", "corp", "--base-url", "https://llm.example.com/anthropic"),
        *("--key-file", str(tmp_path / "corp.key"), "--key-env", "CORP_KEY"),
    )
    assert said.out == "Provider corp added (id 0190-p).\n"
    assert "Route: /api/v2/aibridge/corp/" in said.err
    assert "sk-" not in said.out + said.err
    assert api.last.document == {
        "type": "anthropic",
        "name": "corp",
        "enabled": True,
        "base_url": "https://llm.example.com/anthropic",
        "api_keys": ["sk-from-file", "sk-from-variable"],
    }


def test_add_knows_the_usual_address_and_name(api, coderai):
    api.put(f"POST {PATH}", CORP, 201)
    coderai("providers", "add", "anthropic", "--disabled")
    assert api.last.document == {
        "type": "anthropic",
        "name": "anthropic",
        "enabled": False,
        "base_url": "https://api.anthropic.com/",
    }


def test_who_adds_a_provider_without_a_key_is_told_what_that_means(api, coderai):
    api.put(f"POST {PATH}", CORP | {"api_keys": []}, 201)
    assert "coderai providers keys add corp" in coderai("providers", "add", "anthropic", "--name", "corp").err


def test_add_bedrock(api, coderai, tmp_path):
    (tmp_path / "aws").write_text("AKIA\nshh\n")
    api.put(f"POST {PATH}", EU, 201)
    coderai(
        "providers",
        "add",
        "bedrock",
        "--name",
        "eu",
        "--region",
        "eu-west-1",
        "--access-key-file",
        str(tmp_path / "aws"),
    )
    assert api.last.document["settings"] == {
        "_type": "bedrock",
        "_version": 1,
        "region": "eu-west-1",
        "access_key": "AKIA",
        "access_key_secret": "shh",
    }


def test_a_key_on_the_command_line_is_warned_about(api, coderai):
    api.put(f"POST {PATH}", CORP, 201)
    assert "can be seen by others" in coderai("providers", "add", "anthropic", "--key", "sk-1").err


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["add"], "say the type"),
        (["add", "azure"], "say --base-url"),
        (["add", "openai", "--key-env", "NOT_SET_ANYWHERE"], "the variable NOT_SET_ANYWHERE is not set"),
        (["edit", "corp"], "nothing to change"),
        (["keys", "add", "corp"], "no key was given"),
    ],
)
def test_what_is_missing_is_named(api, coderai, arguments, text):
    said = coderai("providers", *arguments)
    assert (said.code, text in said.err) == (2, True), said.err
    assert api.asked == []


def test_a_file_that_is_not_there_is_named(api, coderai):
    assert "/nowhere/key: No such file" in coderai("providers", "add", "openai", "--key-file", "/nowhere/key").err


def test_edit_of_bedrock_settings_keeps_the_others(api, coderai):
    api.put(f"GET {PATH}/eu", EU)
    api.put(f"PATCH {PATH}/eu", EU | {"status": "enabled"})
    assert coderai("providers", "edit", "eu", "--model", "m").out == "Provider eu: enabled, AWS credentials.\n"
    assert api.last.document == {"settings": EU["settings"] | {"model": "m"}}


@pytest.mark.parametrize(("verb", "enabled"), [("enable", True), ("disable", False)])
def test_switching(api, coderai, verb, enabled):
    api.put(f"PATCH {PATH}/corp", CORP)
    coderai("providers", verb, "corp")
    assert api.last.document == {"enabled": enabled}


def test_keys_are_added_behind_the_others_and_removed_by_id(api, coderai, monkeypatch):
    monkeypatch.setenv("NEW_KEY", "sk-new")
    api.put(f"GET {PATH}/corp", CORP)
    api.put(f"PATCH {PATH}/corp", CORP)
    coderai("providers", "keys", "add", "corp", "--key-env", "NEW_KEY")
    assert api.last.document == {"api_keys": [{"id": "0190-k"}, {"api_key": "sk-new"}]}
    assert coderai("providers", "keys", "list", "corp").out.splitlines()[1].startswith("0190-k  2026-05-04")
    coderai("providers", "keys", "remove", "corp", "0190-k", "-y")
    assert api.last.document == {"api_keys": []}
    assert "has no key 77" in coderai("providers", "keys", "remove", "corp", "77", "-y").err


def test_remove_asks(api, coderai):
    api.put(f"GET {PATH}/corp", CORP)
    api.put(f"DELETE {PATH}/0190-p", {}, 204)
    assert "say --yes" in coderai("providers", "remove", "corp").err
    assert "Provider corp removed" in coderai("providers", "remove", "corp", "-y").err
    assert api.last.method == "DELETE"


@pytest.mark.parametrize(("ok", "code", "word"), [(True, 0, "ok"), (False, 1, "failed")])
def test_a_test_call_decides_the_exit_code(api, coderai, ok, code, word):
    api.put(f"POST {PATH}/corp/test", {"ok": ok, "status": 200, "message": "said", "ms": 12})
    assert coderai("providers", "test", "corp") == Said(code, f"corp  {word}  12 ms  said\n", "")


def test_an_unknown_provider_is_named(api, coderai):
    assert "no provider 'nope'" in coderai("providers", "show", "nope").err


def test_how_the_providers_do(api, coderai):
    corp = {
        "name": "corp",
        "state": "enabled",
        "reason": "",
        "requests": 3,
        "errors": 1,
        "first_byte_ms": {"p50": 200, "p95": 900},
        "keys": [{"number": 1, "state": "refused", "until": None}, {"number": 2, "state": "ok", "until": None}],
        "circuits": [{"route": "/v1/responses", "model": "gpt-5", "state": "open"}],
        "last_error": {"at": "2026-11-20T12:00:00Z", "ending": "upstream_error", "http_status": 529, "message": "busy"},
    }
    api.put("GET /api/v2/ai/provider-health", {"capped": False, "providers": [corp, {"name": "eu"}]})
    head, one, other = coderai("providers", "health").out.splitlines()
    assert head.split("  ")[0] == "NAME"
    assert re.split(r"  +", one) == [
        *("corp", "enabled; circuit of gpt-5 open", "3", "1", "200 ms", "900 ms", "1 refused, 2 ok"),
        "2026-11-20T12:00:00Z upstream_error (529): busy",
    ]
    assert re.split(r"  +", other.strip()) == ["eu", "0", "0", "-", "-", "none", "none"]
