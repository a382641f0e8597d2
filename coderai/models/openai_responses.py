"""The Responses API of OpenAI."""

from collections.abc import Sequence
from typing import Any, Final

from coderai.models.conversation import Message, Tool, system_text
from coderai.models.efforts import OPENAI_EFFORTS, known, reasons
from coderai.models.taking import Taking

_ENCRYPTED: Final = "reasoning.encrypted_content"
_LOG_PROBS: Final = "message.output_text.logprobs"
_INCLUDED: Final = (_ENCRYPTED, "file_search_call.results", _LOG_PROBS)
_MOST_LOG_PROBS: Final = 20
_SAME: Final = {
    name: name
    for name in (
        "parallel_tool_calls",
        "max_tool_calls",
        "store",
        "service_tier",
        "prompt_cache_key",
        "metadata",
        "user",
        "safety_identifier",
    )
}


def body(
    model: str, options: Taking, messages: Sequence[Message], tools: Sequence[Tool], stream: bool, effort: str | None
) -> dict[str, Any]:
    """Return the body."""
    document: dict[str, Any] = {"model": model}
    if cap := options.general("max_output_tokens"):
        document["max_output_tokens"] = cap
    if reasoning := _reasoning(options, effort):
        document["reasoning"] = reasoning
    document |= sampling(model, options, ("temperature", "top_p")) | options.all_of(_SAME)
    if options.given:
        document.setdefault("store", True)
        document |= _include(options)
    if verbosity := options.own("text_verbosity"):
        document["text"] = {"verbosity": verbosity}
    document["stream"] = stream
    if instructions := "\n\n".join(filter(None, (options.own("instructions"), system_text(messages)))):
        document["instructions"] = instructions
    document["input"] = [_turn(message) for message in messages if message.role != "system"]
    listed = _tools(options, tools)
    return document | ({"tools": listed} if listed else {})


def sampling(model: str, options: Taking, names: Sequence[str]) -> dict[str, Any]:
    """Return the sampling options that the model takes: one that reasons takes none."""
    if reasons(model):
        for name in names:
            options.drop(name, "a reasoning model refuses it")
    values = {name: options.general(name) for name in names}
    return {name: value for name, value in values.items() if value is not None}


def _reasoning(options: Taking, effort: str | None) -> dict[str, str]:
    asked = options.own("reasoning_effort")
    reasoning = {
        "effort": known(effort, OPENAI_EFFORTS) if effort else asked,
        "summary": options.own("reasoning_summary"),
    }
    return {name: value for name, value in reasoning.items() if value}


def _include(options: Taking) -> dict[str, Any]:
    asked = options.own("include") or []
    if any(each not in _INCLUDED for each in asked):
        options.remark("include", f"is sent with {', '.join(_INCLUDED)} only")
    top, any_log_probs = options.own("top_log_probs"), options.own("log_probs")
    if top is None and any_log_probs:
        top = _MOST_LOG_PROBS
    wanted = {*asked, _ENCRYPTED, *([_LOG_PROBS] if top is not None else [])}
    include = [each for each in _INCLUDED if each in wanted]
    return {"include": include, **({"top_logprobs": top} if top is not None else {})}


def _turn(message: Message) -> dict[str, Any]:
    kind = "output_text" if message.role == "assistant" else "input_text"
    return {"role": message.role, "content": [{"type": kind, "text": message.text}]}


def _tools(options: Taking, tools: Sequence[Tool]) -> list[dict[str, Any]]:
    strict = bool(options.own("strict_json_schema"))  # the API takes "not said" for strict
    listed: list[dict[str, Any]] = [
        {
            "type": "function",
            "name": tool.name,
            "description": tool.description,
            "parameters": dict(tool.parameters),
            "strict": strict,
        }
        for tool in tools
    ]
    if options.own("web_search_enabled"):
        domains = options.own("allowed_domains")
        search = options.all_of({"search_context_size": "search_context_size"})
        listed.append(
            {"type": "web_search", **search, **({"filters": {"allowed_domains": domains}} if domains else {})}
        )
    for name in ("search_context_size", "allowed_domains"):
        options.drop(name, "web_search_enabled is not set")
    return listed
