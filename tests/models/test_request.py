"""From a model and messages to the request: the worked examples, and where the options of OpenAI go."""

import pytest

from coderai.records import Api
from tests.models.building import PARAMETERS, TOOL, built, extra, own, remarks


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
