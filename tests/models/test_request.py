"""From a model and messages to the request: the worked examples, and where every option goes."""

from typing import Any

import pytest

from coderai.models.request import Message, ModelSpec, Tool, build_request
from coderai.records import Api

TALK = [Message("system", "Be brief."), Message("user", "Hi"), Message("assistant", "Hello"), Message("user", "Bye")]
TOOL = Tool("ls", "List files.", {"type": "object", "properties": {"path": {"type": "string"}}})
PARAMETERS = {"type": "object", "properties": {"path": {"type": "string"}}}


def built(provider_type: str, model: str, options: dict[str, Any], *, tools: tuple[Tool, ...] = (), **more: Any) -> Any:
    return build_request(ModelSpec(provider_type, model, options), TALK, tools, **more)


def extra(provider_type: str, model: str, options: dict[str, Any], **more: Any) -> dict[str, Any]:
    """What the options add to the body."""
    plain = built(provider_type, model, {}, **more).body
    body = built(provider_type, model, options, **more).body
    return {name: value for name, value in body.items() if name not in plain or plain[name] != value}


def own(family: str, **options: Any) -> dict[str, Any]:
    return {"provider_options": {family: options}}


def remarks(provider_type: str, model: str, options: dict[str, Any]) -> list[str]:
    return [str(remark) for remark in built(provider_type, model, options).remarks]


def test_worked_example_of_anthropic():
    options = {"max_output_tokens": 16000, "provider_options": {"anthropic": {"effort": "high"}}}
    request = built("anthropic", "claude-opus-4-6", options, tools=(TOOL,))
    assert request.body == {
        "model": "claude-opus-4-6",
        "max_tokens": 16000,
        "thinking": {"type": "adaptive"},
        "output_config": {"effort": "high"},
        "stream": True,
        "system": [{"type": "text", "text": "Be brief."}],
        "messages": [
            {"role": "user", "content": [{"type": "text", "text": "Hi"}]},
            {"role": "assistant", "content": [{"type": "text", "text": "Hello"}]},
            {"role": "user", "content": [{"type": "text", "text": "Bye"}]},
        ],
        "tools": [{"name": "ls", "description": "List files.", "input_schema": PARAMETERS}],
    }
    assert (request.api, request.path, request.headers, request.remarks) == (Api.MESSAGES, "/v1/messages", {}, ())


def test_worked_example_of_openai():
    own_options = {"reasoning_effort": "high", "parallel_tool_calls": True}
    options = {"max_output_tokens": 8000, "provider_options": {"openai": own_options}}
    request = built("openai", "gpt-5.3-codex", options, tools=(TOOL,))
    assert request.body == {
        "model": "gpt-5.3-codex",
        "max_output_tokens": 8000,
        "reasoning": {"effort": "high"},
        "parallel_tool_calls": True,
        "store": True,
        "include": ["reasoning.encrypted_content"],
        "stream": True,
        "instructions": "Be brief.",
        "input": [
            {"role": "user", "content": [{"type": "input_text", "text": "Hi"}]},
            {"role": "assistant", "content": [{"type": "output_text", "text": "Hello"}]},
            {"role": "user", "content": [{"type": "input_text", "text": "Bye"}]},
        ],
        "tools": [
            {"type": "function", "name": "ls", "description": "List files.", "parameters": PARAMETERS, "strict": False}
        ],
    }
    assert (request.api, request.path, request.remarks) == (Api.RESPONSES, "/v1/responses", ())


def test_chat_completions_without_options():
    request = built("openai-compat", "meta/llama-4", {}, tools=(TOOL,), stream=False)
    assert request.body == {
        "model": "meta/llama-4",
        "stream": False,
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "Hi"},
            {"role": "assistant", "content": "Hello"},
            {"role": "user", "content": "Bye"},
        ],
        "tools": [
            {"type": "function", "function": {"name": "ls", "description": "List files.", "parameters": PARAMETERS}}
        ],
    }
    assert (request.api, request.path) == (Api.CHAT, "/v1/chat/completions")


@pytest.mark.parametrize(
    ("provider_type", "model", "forced", "api"),
    [
        ("openai", "gpt-5.3-codex", None, Api.RESPONSES),
        ("openai", "o3-mini", None, Api.RESPONSES),
        ("openai", "gpt-3.5-turbo", None, Api.CHAT),
        ("openai", "my-own-model", None, Api.CHAT),
        ("openai", "my-own-model", True, Api.RESPONSES),
        ("openai", "gpt-5.3-codex", False, Api.CHAT),
        ("azure", "gpt-5.3-codex", True, Api.CHAT),
        ("openai-compat", "gpt-5.3-codex", None, Api.CHAT),
        ("google", "gemini-3-pro", None, Api.CHAT),
        ("openrouter", "openai/gpt-5", None, Api.CHAT),
        ("vercel", "openai/gpt-5", None, Api.CHAT),
        ("anthropic", "claude-opus-4-6", None, Api.MESSAGES),
        ("bedrock", "anthropic.claude-sonnet-4-5-v1:0", None, Api.MESSAGES),
    ],
)
def test_which_api_is_spoken(provider_type, model, forced, api):
    options = {} if forced is None else {"openai_config": {"use_responses_api": forced}}
    assert built(provider_type, model, options).api is api


GENERAL = [
    ("anthropic", "claude-sonnet-4-5", {"max_output_tokens": 9}, {"max_tokens": 9}),
    (
        "anthropic",
        "claude-sonnet-4-5",
        {"temperature": 0, "top_p": 0.5, "top_k": 4},
        {"temperature": 0, "top_p": 0.5, "top_k": 4},
    ),
    ("openai", "gpt-4.1", {"max_output_tokens": 9}, {"max_output_tokens": 9}),
    ("openai", "gpt-4.1", {"temperature": 1.5, "top_p": 0.5}, {"temperature": 1.5, "top_p": 0.5}),
    ("openai", "gpt-3.5-turbo", {"max_output_tokens": 9}, {"max_tokens": 9}),
    ("azure", "gpt-5", {"max_output_tokens": 9}, {"max_completion_tokens": 9}),
    (
        "google",
        "gemini-3-pro",
        {"temperature": 1, "top_p": 0.5, "presence_penalty": -1, "frequency_penalty": 0.25, "max_output_tokens": 9},
        {"temperature": 1, "top_p": 0.5, "presence_penalty": -1, "frequency_penalty": 0.25, "max_tokens": 9},
    ),
    ("openai", "gpt-4.1", {"cost": {"input_price_per_million_tokens": "3"}}, {}),
]


@pytest.mark.parametrize(("provider_type", "model", "options", "added"), GENERAL)
def test_where_general_options_go(provider_type, model, options, added):
    assert extra(provider_type, model, options) == added
    assert remarks(provider_type, model, options) == []


KEPT = {"store": True, "include": ["reasoning.encrypted_content"]}
RESPONSES = [
    ({"reasoning_effort": "xhigh"}, {"reasoning": {"effort": "xhigh"}}),
    ({"reasoning_summary": "auto"}, {"reasoning": {"summary": "auto"}}),
    ({"parallel_tool_calls": False}, {"parallel_tool_calls": False}),
    ({"max_tool_calls": 3}, {"max_tool_calls": 3}),
    ({"text_verbosity": "low"}, {"text": {"verbosity": "low"}}),
    ({"store": False}, {"store": False}),
    ({"service_tier": "flex"}, {"service_tier": "flex"}),
    ({"prompt_cache_key": "k"}, {"prompt_cache_key": "k"}),
    (
        {"web_search_enabled": True, "search_context_size": "low", "allowed_domains": ["a.org"]},
        {"tools": [{"type": "web_search", "search_context_size": "low", "filters": {"allowed_domains": ["a.org"]}}]},
    ),
    (
        {"include": ["file_search_call.results"]},
        {"include": ["reasoning.encrypted_content", "file_search_call.results"]},
    ),
    ({"instructions": "First."}, {"instructions": "First.\n\nBe brief."}),
    (
        {"log_probs": True},
        {"top_logprobs": 20, "include": ["reasoning.encrypted_content", "message.output_text.logprobs"]},
    ),
    (
        {"log_probs": True, "top_log_probs": 3},
        {"top_logprobs": 3, "include": ["reasoning.encrypted_content", "message.output_text.logprobs"]},
    ),
    ({"metadata": {"team": "a"}}, {"metadata": {"team": "a"}}),
    ({"user": "u"}, {"user": "u"}),
    ({"safety_identifier": "s"}, {"safety_identifier": "s"}),
    ({}, {}),
]


@pytest.mark.parametrize(("options", "added"), RESPONSES)
def test_where_options_of_openai_go_on_responses(options, added):
    assert extra("openai", "gpt-5.3-codex", own("openai", **options)) == KEPT | added
    assert remarks("openai", "gpt-5.3-codex", own("openai", **options)) == []


CHAT = [
    ({"reasoning_effort": "low"}, {"reasoning_effort": "low"}),
    ({"max_completion_tokens": 7}, {"max_completion_tokens": 7}),
    ({"parallel_tool_calls": False}, {"parallel_tool_calls": False}),
    ({"text_verbosity": "low"}, {"verbosity": "low"}),
    ({"store": False}, {"store": False}),
    ({"service_tier": "scale"}, {"service_tier": "scale"}),
    ({"prompt_cache_key": "k"}, {"prompt_cache_key": "k"}),
    (
        {"web_search_enabled": True, "search_context_size": "low"},
        {"web_search_options": {"search_context_size": "low"}},
    ),
    ({"log_probs": True}, {"logprobs": True}),
    ({"top_log_probs": 3}, {"logprobs": True, "top_logprobs": 3}),
    ({"logit_bias": {"50256": -100}}, {"logit_bias": {"50256": -100}}),
    ({"prediction": {"type": "content", "content": "x"}}, {"prediction": {"type": "content", "content": "x"}}),
    ({"metadata": {"team": "a"}}, {"metadata": {"team": "a"}}),
    ({"user": "u"}, {"user": "u"}),
    ({"safety_identifier": "s"}, {"safety_identifier": "s"}),
]


@pytest.mark.parametrize(("options", "added"), CHAT)
@pytest.mark.parametrize(("provider_type", "model"), [("openai", "my-own-model"), ("azure", "deployment-1")])
def test_where_options_of_openai_go_on_chat_completions(provider_type, model, options, added):
    assert extra(provider_type, model, own("openai", **options)) == {"store": True} | added
    assert remarks(provider_type, model, own("openai", **options)) == []


def test_strict_tools():
    responses = built("openai", "gpt-5", own("openai", strict_json_schema=True), tools=(TOOL,)).body["tools"][0]
    chat = built("openai", "x", own("openai", structured_outputs=True), tools=(TOOL,)).body["tools"][0]
    assert (responses["strict"], chat["function"]["strict"]) == (True, True)


ANTHROPIC = [
    ("claude-opus-4-6", {"effort": "max"}, {"thinking": {"type": "adaptive"}, "output_config": {"effort": "max"}}),
    (
        "anthropic.claude-opus-5-v1:0",
        {"effort": "low", "thinking_display": "omitted"},
        {"thinking": {"type": "adaptive", "display": "omitted"}, "output_config": {"effort": "low"}},
    ),
    (
        "claude-sonnet-4-5-20250929",
        {"effort": "low"},
        {"max_tokens": 8096, "thinking": {"type": "enabled", "budget_tokens": 4000}},
    ),
    (
        "claude-opus-4-20250514",
        {"effort": "medium"},
        {"max_tokens": 14096, "thinking": {"type": "enabled", "budget_tokens": 10000}},
    ),
    (
        "claude-3-7-sonnet-latest",
        {"effort": "high"},
        {"max_tokens": 24096, "thinking": {"type": "enabled", "budget_tokens": 20000}},
    ),
    (
        "claude-sonnet-4-5",
        {"thinking": {"budget_tokens": 2048}},
        {"max_tokens": 6144, "thinking": {"type": "enabled", "budget_tokens": 2048}},
    ),
    (
        "claude-sonnet-4-5",
        {"web_search_enabled": True, "blocked_domains": ["a.org"]},
        {"tools": [{"type": "web_search_20250305", "name": "web_search", "blocked_domains": ["a.org"]}]},
    ),
]


@pytest.mark.parametrize(("model", "options", "added"), ANTHROPIC)
@pytest.mark.parametrize("provider_type", ["anthropic", "bedrock"])
def test_where_options_of_anthropic_go(provider_type, model, options, added):
    assert extra(provider_type, model, own("anthropic", **options)) == added
    assert remarks(provider_type, model, own("anthropic", **options)) == []


def test_one_tool_at_a_time():
    request = built("anthropic", "claude-opus-4-6", own("anthropic", disable_parallel_tool_use=True), tools=(TOOL,))
    assert request.body["tool_choice"] == {"type": "auto", "disable_parallel_tool_use": True}


def test_a_million_tokens_of_context_are_asked_for_by_a_header():
    request = built("anthropic", "claude-sonnet-4-5", own("anthropic", context_1m_enabled=True))
    assert request.headers == {"anthropic-beta": "context-1m-2025-08-07"}


@pytest.mark.parametrize(
    ("again", "kinds"), [(None, ["thinking", "text"]), (True, ["thinking", "text"]), (False, ["text"])]
)
def test_earlier_thinking_is_sent_again_unless_switched_off(again, kinds):
    block = {"type": "thinking", "thinking": "Hm.", "signature": "s"}
    options = {} if again is None else own("anthropic", send_reasoning=again)
    request = build_request(
        ModelSpec("anthropic", "claude-opus-4-6", options), [Message("assistant", "Hello", thinking=(block,))]
    )
    assert [each["type"] for each in request.body["messages"][0]["content"]] == kinds


def test_a_budget_fits_itself_into_the_cap():
    options = {"max_output_tokens": 3000, **own("anthropic", effort="high")}
    assert built("anthropic", "claude-sonnet-4-5", options).body["thinking"]["budget_tokens"] == 2999
    options["max_output_tokens"] = 1000
    told = "provider_options.anthropic.effort is not sent: max_output_tokens leaves no room to think"
    assert remarks("anthropic", "claude-sonnet-4-5", options) == [told]
    assert "thinking" not in built("anthropic", "claude-sonnet-4-5", options).body


GOOGLE = [
    (
        {"thinking_config": {"thinking_budget": 0, "include_thoughts": True}},
        {"extra_body": {"google": {"thinking_config": {"thinking_budget": 0, "include_thoughts": True}}}},
    ),
    (
        {"thinking_config": {"thinking_level": "low"}, "cached_content": "c"},
        {"extra_body": {"google": {"thinking_config": {"thinking_level": "low"}, "cached_content": "c"}}},
    ),
    (
        {"safety_settings": [{"category": "HARM_CATEGORY_HARASSMENT", "threshold": "OFF"}]},
        {"extra_body": {"google": {"safety_settings": [{"category": "HARM_CATEGORY_HARASSMENT", "threshold": "OFF"}]}}},
    ),
    ({"web_search_enabled": True}, {"web_search_options": {}}),
]


@pytest.mark.parametrize(("options", "added"), GOOGLE)
def test_where_options_of_google_go(options, added):
    assert extra("google", "gemini-3-pro", own("google", **options)) == added


def test_one_threshold_stands_for_every_category():
    settings = extra("google", "gemini-3-pro", own("google", threshold="OFF"))["extra_body"]["google"][
        "safety_settings"
    ]
    assert {each["threshold"] for each in settings} == {"OFF"}
    assert len(settings) == 4


REASONING = {"enabled": True, "exclude": False, "max_tokens": 100, "effort": "low"}
OTHERS = [
    (
        "openai-compat",
        "openaicompat",
        {"user": "u", "reasoning_effort": "low"},
        {"user": "u", "reasoning_effort": "low"},
    ),
    ("openrouter", "openrouter", {"reasoning": REASONING}, {"reasoning": REASONING}),
    ("openrouter", "openrouter", {"provider": {"only": ["x"]}}, {"provider": {"only": ["x"]}}),
    ("openrouter", "openrouter", {"include_usage": True}, {"usage": {"include": True}}),
    ("openrouter", "openrouter", {"extra_body": {"transforms": []}}, {"transforms": []}),
    (
        "openrouter",
        "openrouter",
        {"parallel_tool_calls": True, "logit_bias": {"1": 2}, "log_probs": True, "user": "u"},
        {"parallel_tool_calls": True, "logit_bias": {"1": 2}, "logprobs": True, "user": "u"},
    ),
    ("vercel", "vercel", {"reasoning": REASONING}, {"reasoning": REASONING}),
    ("vercel", "vercel", {"providerOptions": {"order": ["a"]}}, {"providerOptions": {"gateway": {"order": ["a"]}}}),
    (
        "vercel",
        "vercel",
        {"logprobs": True, "top_logprobs": 2, "logit_bias": {"1": 2}, "parallel_tool_calls": False, "user": "u"},
        {"logprobs": True, "top_logprobs": 2, "logit_bias": {"1": 2}, "parallel_tool_calls": False, "user": "u"},
    ),
    ("vercel", "vercel", {"extra_body": {"a": 1}}, {"a": 1}),
]


@pytest.mark.parametrize(("provider_type", "family", "options", "added"), OTHERS)
def test_where_options_of_the_others_go(provider_type, family, options, added):
    assert extra(provider_type, "any/model", own(family, **options)) == added
    assert remarks(provider_type, "any/model", own(family, **options)) == []


LIMITS = {"default": "medium", "max": "xhigh"}
EFFORTS = [
    ("anthropic", "claude-opus-4-6", None, {"thinking": {"type": "adaptive"}, "output_config": {"effort": "medium"}}),
    ("anthropic", "claude-opus-4-6", "max", {"thinking": {"type": "adaptive"}, "output_config": {"effort": "xhigh"}}),
    ("anthropic", "claude-opus-4-6", "minimal", {"thinking": {"type": "adaptive"}, "output_config": {"effort": "low"}}),
    ("anthropic", "claude-opus-4-6", "none", {}),
    ("openai", "gpt-5", "none", {"reasoning": {"effort": "none"}}),
    ("openai", "gpt-5", "nonsense", {"reasoning": {"effort": "medium"}}),
    ("azure", "gpt-5", "xhigh", {"reasoning_effort": "xhigh"}),
    ("openai-compat", "llama", "high", {"reasoning_effort": "high"}),
    ("openai-compat", "gemini-2.5-pro", "none", {"reasoning_effort": "low"}),
    ("openai-compat", "gemini-2.5-flash", "none", {"reasoning_effort": "none"}),
    ("openai-compat", "gemini-2.5-flash", "xhigh", {"reasoning_effort": "high"}),
    ("openrouter", "a/b", "xhigh", {"reasoning": {"effort": "high"}}),
    ("openrouter", "a/b", "none", {"reasoning": {"enabled": False}}),
    ("vercel", "a/b", "xhigh", {"reasoning": {"effort": "xhigh"}}),
    ("google", "gemini-2.5-flash", "minimal", {"reasoning_effort": "low"}),
    *(
        (
            "google",
            model,
            effort,
            {"extra_body": {"google": {"thinking_config": {"thinking_level": level, "include_thoughts": True}}}},
        )
        for model, effort, level in (
            ("gemini-3-pro-preview", "medium", "high"),
            ("gemini-3.1-pro", "medium", "medium"),
            ("gemini-3-flash", "none", "minimal"),
            ("gemini-3-pro-image", "low", "high"),
            ("gemini-3-flash-image", "low", "high"),
            ("gemini-3-unknown", "minimal", "low"),
            ("gemini-3-flash", "xhigh", "high"),
        )
    ),
]


@pytest.mark.parametrize(("provider_type", "model", "choice", "added"), EFFORTS)
def test_one_scale_of_efforts_for_all(provider_type, model, choice, added):
    assert extra(provider_type, model, {"reasoning_effort": LIMITS}, effort=choice) == added


def test_a_choice_does_not_count_where_the_model_has_no_scale():
    assert extra("openai", "gpt-5", {}, effort="high") == {}


REMARKS = [
    ("openai", "gpt-5", {"temperature": 1}, ["temperature is not sent: a reasoning model refuses it"]),
    (
        "anthropic",
        "claude-opus-4-6",
        {"temperature": 1, **own("anthropic", effort="low")},
        ["temperature is not sent: Claude refuses it while it thinks"],
    ),
    ("openai", "gpt-4.1", {"top_k": 1}, ["top_k is not sent: the Responses API does not know it"]),
    (
        "openai",
        "gpt-5",
        own("openai", logit_bias={"1": 1}),
        ["provider_options.openai.logit_bias is not sent: the Responses API does not know it"],
    ),
    (
        "openai",
        "x",
        own("openai", max_tool_calls=1),
        ["provider_options.openai.max_tool_calls is not sent: Chat Completions does not know it"],
    ),
    (
        "google",
        "gemini-3-pro",
        own("openai", user="u"),
        ["provider_options.openai is not sent: this type of provider takes google options"],
    ),
    (
        "azure",
        "x",
        {"openai_config": {"use_responses_api": True}},
        ["openai_config is not sent: Chat Completions does not know it"],
    ),
    (
        "anthropic",
        "claude-opus-4-7",
        own("anthropic", thinking={"budget_tokens": 2000}),
        ["provider_options.anthropic.thinking may be refused: Opus takes an effort since 4.7, and no budget"],
    ),
    (
        "anthropic",
        "claude-sonnet-4-5",
        {"max_output_tokens": 1500, **own("anthropic", thinking={"budget_tokens": 2000})},
        ["provider_options.anthropic.thinking may be refused: the budget must be below max_output_tokens"],
    ),
    (
        "anthropic",
        "claude-sonnet-4-5",
        own("anthropic", thinking_display="omitted", allowed_domains=["a"]),
        [
            "provider_options.anthropic.thinking_display is not sent: this model does not think",
            "provider_options.anthropic.allowed_domains is not sent: web_search_enabled is not set",
        ],
    ),
]


@pytest.mark.parametrize(("provider_type", "model", "options", "said"), REMARKS)
def test_what_has_no_effect_is_told(provider_type, model, options, said):
    assert remarks(provider_type, model, options) == said


def test_an_extra_body_cannot_replace_what_makes_the_request():
    request = built("openrouter", "a/b", own("openrouter", extra_body={"model": "c/d", "stream": False}))
    assert (request.body["model"], request.body["stream"]) == ("a/b", True)
