"""Chat Completions: of OpenAI itself, and of everybody who speaks like it."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from coderai.models import google
from coderai.models.conversation import Message, Tool
from coderai.models.efforts import OPENAI_EFFORTS, gemini_version, known, old_gemini_effort, reasons
from coderai.models.openai_responses import sampling
from coderai.models.options import EFFORTS
from coderai.models.taking import Taking

_SAMPLING: Final = ("temperature", "top_p", "presence_penalty", "frequency_penalty")
_OPENAI: Final = {
    "parallel_tool_calls": "parallel_tool_calls",
    "text_verbosity": "verbosity",
    "store": "store",
    "service_tier": "service_tier",
    "prompt_cache_key": "prompt_cache_key",
    "log_probs": "logprobs",
    "top_log_probs": "top_logprobs",
    "logit_bias": "logit_bias",
    "prediction": "prediction",
    "metadata": "metadata",
    "user": "user",
    "safety_identifier": "safety_identifier",
}
_OPENROUTER: Final = {
    "provider": "provider",
    "parallel_tool_calls": "parallel_tool_calls",
    "logit_bias": "logit_bias",
    "log_probs": "logprobs",
    "user": "user",
}
_VERCEL: Final = {name: name for name in ("logprobs", "top_logprobs", "logit_bias", "parallel_tool_calls", "user")}
_CORE: Final = frozenset({"model", "messages", "stream", "tools"})


def body(
    model: str,
    family: str,
    options: Taking,
    messages: Sequence[Message],
    tools: Sequence[Tool],
    stream: bool,
    effort: str | None,
) -> dict[str, Any]:
    """Return the body; *family* is the kind of options that the provider takes."""
    document: dict[str, Any] = {"model": model}
    cap = options.general("max_output_tokens")
    own_cap = options.own("max_completion_tokens")
    if own_cap or (cap and family == "openai" and reasons(model)):
        document["max_completion_tokens"] = own_cap or cap
    elif cap:
        document["max_tokens"] = cap
    document |= sampling(model, options, _SAMPLING) if family == "openai" else _all_sampling(options)
    document |= _OWN[family](model, options, effort)
    strict = options.own("structured_outputs")
    document["stream"] = stream
    document["messages"] = [{"role": message.role, "content": message.text} for message in messages]
    if tools:
        document["tools"] = [_tool(tool, strict) for tool in tools]
    extra = options.own("extra_body") or {}
    return document | {name: value for name, value in extra.items() if name not in _CORE}


def _all_sampling(options: Taking) -> dict[str, Any]:
    values = {name: options.general(name) for name in _SAMPLING}
    return {name: value for name, value in values.items() if value is not None}


def _openai(_model: str, options: Taking, effort: str | None) -> dict[str, Any]:
    document = _effort(options, effort) | options.all_of(_OPENAI)
    if options.given:
        document.setdefault("store", True)
    if "top_logprobs" in document:
        document["logprobs"] = True  # it is refused without
    if options.own("web_search_enabled"):
        document["web_search_options"] = options.all_of({"search_context_size": "search_context_size"})
    else:
        options.drop("search_context_size", "web_search_enabled is not set")
    return document


def _openai_compat(model: str, options: Taking, effort: str | None) -> dict[str, Any]:
    document = _effort(options, effort) | options.all_of({"user": "user"})
    version, asked = gemini_version(model), document.get("reasoning_effort")
    if version is not None and version < (3, 0) and asked:
        document["reasoning_effort"] = old_gemini_effort(model, asked)
    return document


def _openrouter(_model: str, options: Taking, effort: str | None) -> dict[str, Any]:
    document = _reasoning(options, effort, ("low", "medium", "high")) | options.all_of(_OPENROUTER)
    usage = options.own("include_usage")
    return document | ({"usage": {"include": usage}} if usage is not None else {})


def _vercel(_model: str, options: Taking, effort: str | None) -> dict[str, Any]:
    document = _reasoning(options, effort, EFFORTS[:-1]) | options.all_of(_VERCEL)
    gateway = options.own("providerOptions")
    return document | ({"providerOptions": {"gateway": gateway}} if gateway else {})


def _effort(options: Taking, effort: str | None) -> dict[str, Any]:
    asked = options.own("reasoning_effort")
    asked = known(effort, OPENAI_EFFORTS) if effort else asked
    return {"reasoning_effort": asked} if asked else {}


def _reasoning(options: Taking, effort: str | None, efforts: Sequence[str]) -> dict[str, Any]:
    reasoning = dict(options.own("reasoning") or {})
    if effort and (asked := known(effort, efforts)):
        reasoning["effort"] = asked
    elif effort:  # "none", where the scale has no such word
        reasoning["enabled"] = False
    return {"reasoning": reasoning} if reasoning else {}


def _tool(tool: Tool, strict: bool | None) -> dict[str, Any]:
    function: dict[str, Any] = {
        "name": tool.name,
        "description": tool.description,
        "parameters": dict(tool.parameters),
    }
    return {"type": "function", "function": function | ({} if strict is None else {"strict": strict})}


_OWN: Final[Mapping[str, Callable[[str, Taking, str | None], dict[str, Any]]]] = {
    "openai": _openai,
    "openaicompat": _openai_compat,
    "google": google.members,
    "openrouter": _openrouter,
    "vercel": _vercel,
}
