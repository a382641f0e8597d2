"""Where the options of Anthropic, Google and the others go."""

import pytest

from coderai.models.request import Message, ModelSpec, build_request
from tests.models.building import TOOL, built, extra, own, remarks

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
