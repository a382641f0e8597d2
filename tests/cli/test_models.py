"""Models on the command line: what is sent, what is shown, what is asked for."""

import json

import pytest

from coderai.cli.errors import WrongUse
from coderai.cli.model_options import Flags, merged, whole

PATH = "/api/experimental/chats/model-configs"
PROVIDERS = "/api/v2/ai/providers"
OPUS = {
    "id": "0190-a",
    "provider": "anthropic",
    "provider_name": "corp",
    "model": "claude-opus-4-6",
    "display_name": "Opus",
    "is_default": True,
    "context_limit": 200_000,
    "compression_threshold": 70,
    "model_config": {"provider_options": {"anthropic": {"effort": "high"}}},
}
CODEX = {
    "id": "0190-b",
    "provider": "openai",
    "provider_name": "azure-like",
    "model": "gpt-5.3-codex",
    "display_name": "Codex",
    "enabled": False,
    "usable": False,
    "unusable_reason": "it is disabled",
    "context_limit": 400_000,
    "compression_threshold": 100,
}
KEYLESS = {**CODEX, "id": "0190-c", "enabled": True, "display_name": "", "unusable_reason": "its provider has no key"}
CORP = {"id": "p-1", "type": "anthropic", "name": "corp"}
OTHER = {"id": "p-2", "type": "openai", "name": "azure-like"}


def test_list(api, coderai):
    api.put(f"GET {PATH}", [OPUS, CODEX, KEYLESS])
    assert coderai("models", "list").out.splitlines() == [
        "ID      NAME           MODEL            PROVIDER    CONTEXT  DEFAULT  STATE",
        "0190-a  Opus           claude-opus-4-6  corp        200000   yes      enabled",
        "0190-b  Codex          gpt-5.3-codex    azure-like  400000            disabled",
        "0190-c  gpt-5.3-codex  gpt-5.3-codex    azure-like  400000            its provider has no key",
    ]
    assert coderai("models", "list", "-o", "json").json == [OPUS, CODEX, KEYLESS]


def test_no_models_say_how_to_register_one(api, coderai):
    api.put(f"GET {PATH}", [])
    assert "coderai models add MODEL" in coderai("models", "list").err


def test_show(api, coderai):
    api.put(f"GET {PATH}", [CODEX])
    api.put(f"GET {PATH}/0190-b", CODEX)
    assert coderai("models", "show", "Codex").out.splitlines() == [
        "id             0190-b",
        "name           Codex",
        "model          gpt-5.3-codex",
        "provider       azure-like (openai)",
        "context limit  400000",
        "compression    off",
        "default        no",
        "state          disabled",
        "options        none: the provider's defaults",
    ]


def test_add_sends_what_was_said(api, coderai):
    api.put(f"GET {PROVIDERS}", [CORP, OTHER])
    api.put(f"POST {PATH}", {**OPUS, "model_config_warnings": ["top_k is not sent"]}, 201)
    said = coderai(
        *("models", "add", "claude-opus-4-6", "--provider", "corp", "-n", "Opus", "--context-limit", "200k"),
        *("--compression-threshold", "55%", "--max-output-tokens", "16k", "--top-k", "5", "--input-price", "3.00"),
        *("--option", "effort=high", "-s", "thinking.budget_tokens=4000", "-s", "allowed_domains=a.org,b.org"),
        *("-s", "web_search_enabled=true", "-s", "reasoning_effort.default=low", "--default"),
    )
    assert (said.code, said.out) == (0, "Model Opus registered (id 0190-a).\n")
    assert said.err == "note: top_k is not sent\nTry it with: coderai models test 0190-a\n"
    assert api.last.document == {
        "ai_provider_id": "p-1",
        "model": "claude-opus-4-6",
        "display_name": "Opus",
        "context_limit": 200_000,
        "compression_threshold": 55,
        "enabled": True,
        "is_default": True,
        "model_config": {
            "max_output_tokens": 16_000,
            "top_k": 5,
            "cost": {"input_price_per_million_tokens": "3.00"},
            "reasoning_effort": {"default": "low"},
            "provider_options": {
                "anthropic": {
                    "effort": "high",
                    "thinking": {"budget_tokens": 4000},
                    "allowed_domains": ["a.org", "b.org"],
                    "web_search_enabled": True,
                }
            },
        },
    }


def test_the_only_provider_need_not_be_named(api, coderai):
    api.put(f"GET {PROVIDERS}", [CORP, {"id": "p-3", "type": "copilot", "name": "hub"}])
    api.put(f"POST {PATH}", OPUS, 201)
    assert coderai("models", "add", "m", "-n", "M", "--context-limit", "1", "-o", "json").json == OPUS
    assert api.last.document["ai_provider_id"] == "p-1"
    assert "model_config" not in api.last.document


@pytest.mark.parametrize(
    ("providers", "arguments", "text", "code"),
    [
        ([CORP], [], "Model (what the provider calls it) is missing", 2),
        ([CORP], ["m"], "the display name is missing: say --display-name", 2),
        ([CORP], ["m", "-n", "M"], "--context-limit", 2),
        ([CORP], ["m", "-n", "M", "--context-limit", "many"], "'many' is no whole number; for example 200000", 2),
        ([CORP, OTHER], ["m"], "--provider with one of: corp, azure-like", 2),
        ([CORP, OTHER], ["m", "--provider", "x"], "there are: corp, azure-like", 4),
        ([], ["m"], "coderai providers add", 1),
        ([CORP], ["m", "-n", "M", "--context-limit", "1", "-s", "efort=high"], "there are: thinking, effort", 2),
        ([CORP], ["m", "-n", "M", "--context-limit", "1", "-s", "effort"], "must look like NAME=VALUE", 2),
    ],
)
def test_what_is_missing_or_wrong_is_said_before_anything_is_sent(api, coderai, providers, arguments, text, code):
    api.put(f"GET {PROVIDERS}", providers)
    said = coderai("models", "add", *arguments)
    assert said.code == code
    assert text in said.err
    assert api.last.method == "GET"


def test_options_from_a_file(api, coderai, tmp_path):
    (tmp_path / "options.json").write_text('{"temperature": 0.5, "provider_options": {"anthropic": {"effort": "low"}}}')
    api.put(f"GET {PROVIDERS}", [CORP])
    api.put(f"POST {PATH}", OPUS, 201)
    file = f"--options-file={tmp_path / 'options.json'}"
    coderai("models", "add", "m", "-n", "M", "--context-limit", "1", file, "-s", "effort=high")
    assert api.last.document["model_config"] == {
        "temperature": 0.5,
        "provider_options": {"anthropic": {"effort": "high"}},
    }


@pytest.mark.parametrize(("content", "text"), [("{", "cannot read the options"), ("[]", "must be a JSON object")])
def test_a_file_that_holds_no_options(api, coderai, tmp_path, content, text):
    (tmp_path / "o").write_text(content)
    api.put(f"GET {PROVIDERS}", [CORP])
    said = coderai("models", "add", "m", "-n", "M", "--context-limit", "1", f"--options-file={tmp_path / 'o'}")
    assert said.code == 1
    assert text in said.err


def test_edit_keeps_the_options_it_does_not_name(api, coderai):
    api.put(f"GET {PATH}", [OPUS, CODEX])
    api.put(f"PATCH {PATH}/0190-a", OPUS)
    said = coderai("models", "edit", "Opus", "--temperature", "0.5", "--disable", "--model", "claude-opus-5")
    assert (said.code, said.err) == (0, "Model Opus changed; it is the default.\n")
    assert api.last.document == {
        "model": "claude-opus-5",
        "enabled": False,
        "model_config": {"provider_options": {"anthropic": {"effort": "high"}}, "temperature": 0.5},
    }


def test_edit_unsets_an_option(api, coderai):
    api.put(f"GET {PATH}", [OPUS])
    api.put(f"PATCH {PATH}/0190-a", OPUS)
    coderai("models", "edit", "0190-a", "--option", "effort=", "--temperature=")
    assert api.last.document == {"model_config": {"provider_options": {"anthropic": {}}}}


def test_a_mistake_is_told_once(api, coderai):
    api.put(f"GET {PATH}", [OPUS])
    wrong = {"field": "model_config.temperature", "detail": "must be a number from 0 to 2"}
    body = {"message": "Invalid model config.", "detail": "temperature must be a number from 0 to 2"}
    api.put(f"PATCH {PATH}/0190-a", {**body, "validations": [wrong]}, 400)
    said = coderai("models", "edit", "Opus", "--temperature", "3")
    assert said.err == "error: Invalid model config.\ntemperature must be a number from 0 to 2\n"


def test_edit_of_nothing(api, coderai):
    said = coderai("models", "edit", "Opus")
    assert (said.code, api.asked) == (2, [])


def test_set_default(api, coderai):
    api.put(f"GET {PATH}", [OPUS, CODEX])
    api.put(f"PATCH {PATH}/0190-b", {**CODEX, "is_default": True})
    assert coderai("models", "set-default", "gpt-5.3-codex").err == "Model Codex changed; it is the default.\n"
    assert api.last.document == {"is_default": True}


def test_remove_asks_first(api, coderai):
    api.put(f"GET {PATH}", [OPUS])
    api.put(f"DELETE {PATH}/0190-a", b"", 204)
    said = coderai("models", "remove", "Opus")
    assert (said.code, api.last.method) == (2, "GET")
    assert "say --yes" in said.err
    assert coderai("models", "remove", "Opus", "-y").err == "Model Opus removed.\n"
    assert api.last.method == "DELETE"


@pytest.mark.parametrize("wanted", ["01a1fed7-02d3-743f-9e58-fee832c32428", "01a1fed7…", "01a1fed7", "…32c32428"])
def test_an_id_as_a_table_shows_it(api, coderai, wanted):
    model_id = "01a1fed7-02d3-743f-9e58-fee832c32428"
    api.put(f"GET {PATH}", [OPUS, {**CODEX, "id": model_id}])
    api.put(f"PATCH {PATH}/{model_id}", CODEX)
    assert coderai("models", "set-default", wanted).code == 0


def test_unknown_and_ambiguous_models(api, coderai):
    api.put(f"GET {PATH}", [CODEX, KEYLESS])
    assert coderai("models", "set-default", "nothing").code == 4
    said = coderai("models", "set-default", "gpt-5.3-codex")
    assert said.code == 5
    assert "0190-b (azure-like), 0190-c (azure-like)" in said.err


CALL = {
    "api": "chat",
    "path": "/api/v2/aibridge/corp/v1/chat/completions",
    "headers": {"x-extra": "1"},
    "body": {"model": "m"},
    "warnings": ["top_k is not sent"],
}


def test_test_calls_the_gateway_as_a_tool_would(api, coderai):
    api.put(f"GET {PATH}", [OPUS])
    api.put(f"POST {PATH}/0190-a/request", CALL)
    api.put(f"POST {CALL['path']}", {"choices": [{"message": {"content": "pong\x1b[2J"}}]})
    said = coderai("models", "test", "Opus", "--prompt", "ping")
    assert said.code == 0
    assert said.out.startswith("Opus (claude-opus-4-6 via corp): 200 in ")
    assert said.out.endswith(" ms: pong\\x1b[2J\n")
    assert said.err == "note: top_k is not sent\n"
    assert api.asked[-2].document == {"prompt": "ping"}
    assert (api.last.document, api.last.headers["x-extra"]) == ({"model": "m"}, "1")
    assert api.last.headers["Authorization"] == "Bearer the-token"
    assert "Coder-Session-Token" not in api.last.headers


def test_test_tells_tokens_and_price(api, coderai):
    costly = {
        **OPUS,
        "model_config": {"cost": {"input_price_per_million_tokens": "3", "output_price_per_million_tokens": "15"}},
    }
    api.put(f"GET {PATH}", [costly])
    api.put(f"POST {PATH}/0190-a/request", CALL | {"warnings": []})
    usage = {"prompt_tokens": 10, "completion_tokens": 2}
    api.put(f"POST {CALL['path']}", {"id": "c", "choices": [{"message": {"content": "pong"}}], "usage": usage})
    assert coderai("models", "test", "Opus").out.endswith(" ms, 10 in / 2 out, $0.000060: pong\n")
    told = coderai("models", "test", "Opus", "-o", "json").json
    assert told | {"ms": 0} == {"ok": True, "status": 200, "ms": 0, "text": "pong", "cost_micros": 60}


@pytest.mark.parametrize(
    ("status", "body", "text"),
    [
        (404, {"error": {"message": "no such model"}}, "404 no such model"),
        (502, b"<html>", "502 <html>"),
        (200, b"{}", "200 this is no answer of that API"),
    ],
)
def test_test_shows_the_error_in_one_line(api, coderai, status, body, text):
    api.put(f"GET {PATH}", [OPUS])
    api.put(f"POST {PATH}/0190-a/request", CALL | {"warnings": []})
    api.put(f"POST {CALL['path']}", body, status)
    said = coderai("models", "test", "Opus")
    assert (said.code, said.out, said.err) == (1, "", f"error: Opus (claude-opus-4-6 via corp): {text}\n")


def test_a_dry_run_prints_the_request(api, coderai):
    api.put(f"GET {PATH}", [OPUS])
    api.put(f"POST {PATH}/0190-a/request", CALL)
    assert coderai("models", "test", "Opus", "--dry-run").json == CALL
    assert api.last.path == f"{PATH}/0190-a/request"


def test_seen_is_the_traffic(api, coderai):
    api.put("GET /api/v2/aibridge/models", ["claude-opus-4-6", "gpt-5"])
    assert coderai("models", "seen").out == "claude-opus-4-6\ngpt-5\n"
    api.put("GET /api/v2/aibridge/models", [])
    assert coderai("models", "seen").err == "no model has been called yet\n"


def test_options_of_a_type(coderai):
    rows = {row["name"]: row["values"] for row in coderai("models", "options", "google", "-o", "json").json}
    assert rows["thinking_config.thinking_level"] == "minimal, low, medium, high"
    assert rows["temperature"] == "0 to 2"
    said = coderai("models", "options", "copilot")
    assert said.code == 2
    assert "there are: anthropic, azure" in said.err


@pytest.mark.parametrize(("text", "number"), [("200000", 200_000), ("200k", 200_000), ("1M", 1_000_000), ("0", 0)])
def test_whole_numbers(text, number):
    assert whole(text, "--x") == number


@pytest.mark.parametrize("text", ["", "k", "1.5", "-1", "²", "1e3"])
def test_what_is_no_whole_number(text):
    with pytest.raises(WrongUse):
        whole(text, "--x")


@pytest.mark.parametrize(
    ("option", "document"),
    [
        ("logit_bias.50256=-100", {"provider_options": {"openai": {"logit_bias": {"50256": -100}}}}),
        ("metadata.team=a", {"provider_options": {"openai": {"metadata": {"team": "a"}}}}),
        ('include=["x"]', {"provider_options": {"openai": {"include": ["x"]}}}),
        ("reasoning_effort=low", {"provider_options": {"openai": {"reasoning_effort": "low"}}}),
        ("reasoning_effort.max=high", {"reasoning_effort": {"max": "high"}}),
        ("openai_config.use_responses_api=false", {"openai_config": {"use_responses_api": False}}),
        ("user=12", {"provider_options": {"openai": {"user": "12"}}}),
        ("top_k=many", {"top_k": "many"}),
    ],
)
def test_options_go_where_they_belong(option, document):
    assert merged({}, Flags(), [option], "openai") == document


def test_merging_does_not_change_what_was_there():
    before = {"provider_options": {"openai": {"user": "a"}}}
    kept = json.dumps(before)
    merged(before, Flags(temperature="1"), ["user=b"], "openai")
    assert json.dumps(before) == kept
