"""One scale of efforts for all, and what is told about options without effect."""

import pytest

from tests.models.building import built, extra, own, remarks

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
