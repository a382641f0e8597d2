"""The Messages API, for Anthropic and for Claude on Bedrock."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from coderai.models.conversation import Message, Tool
from coderai.models.efforts import ANTHROPIC_EFFORTS, BUDGETS, known, refuses_budgets, thinks_adaptively
from coderai.models.taking import Taking

_ANSWER: Final = 4096
"""``max_tokens`` is required there; every Claude can answer that much."""
_LEAST_BUDGET: Final = 1024
_LONG_CONTEXT: Final = {"anthropic-beta": "context-1m-2025-08-07"}
_DOMAINS: Final = {"allowed_domains": "allowed_domains", "blocked_domains": "blocked_domains"}
_BESIDE_THINKING: Final = "Claude refuses it while it thinks"


def messages_body(
    model: str,
    options: Taking,
    messages: Sequence[Message],
    tools: Sequence[Tool],
    stream: bool,
    effort: str | None,
) -> tuple[dict[str, Any], Mapping[str, str]]:
    """Return the body and the headers it needs besides."""
    cap = options.general("max_output_tokens")
    thinking = _thinking(model, options, cap, effort)
    budget = thinking.get("thinking", {}).get("budget_tokens", 0)
    body: dict[str, Any] = {"model": model, "max_tokens": cap or _ANSWER + budget, **thinking}
    if "thinking" not in body:
        options.drop("thinking_display", "this model does not think")
    elif display := options.own("thinking_display"):
        body["thinking"]["display"] = display
    body |= _sampling(options, thinks="thinking" in body) | {"stream": stream}
    if system := [_text(message.text) for message in messages if message.role == "system"]:
        body["system"] = system
    again = options.own("send_reasoning") is not False
    body["messages"] = [_turn(message, again=again) for message in messages if message.role != "system"]
    body |= _tools(options, tools)
    return body, _LONG_CONTEXT if options.own("context_1m_enabled") else {}


def _thinking(model: str, options: Taking, cap: int | None, effort: str | None) -> dict[str, Any]:
    asked = options.own("effort")
    asked = known(effort, ANTHROPIC_EFFORTS) if effort else asked
    if effort == "none":
        options.drop("thinking", "the effort is none")
        return {}
    if asked and thinks_adaptively(model):
        options.drop("thinking", "this Claude takes an effort instead of a budget")
        return {"thinking": {"type": "adaptive"}, "output_config": {"effort": asked}}
    fixed = (options.own("thinking") or {}).get("budget_tokens")
    budget = fixed or BUDGETS.get(asked or "")
    if not budget:
        return {}
    if not fixed and cap is not None:  # an effort fits itself into the cap, a number somebody wrote is sent
        budget = min(budget, cap - 1)
        if budget < _LEAST_BUDGET:
            options.remark("effort", "is not sent: max_output_tokens leaves no room to think")
            return {}
    if fixed and refuses_budgets(model):
        options.remark("thinking", "may be refused: Opus takes an effort since 4.7, and no budget")
    if fixed and cap is not None and fixed >= cap:
        options.remark("thinking", "may be refused: the budget must be below max_output_tokens")
    return {"thinking": {"type": "enabled", "budget_tokens": budget}}


def _sampling(options: Taking, *, thinks: bool) -> dict[str, Any]:
    if thinks:
        options.drop("temperature", _BESIDE_THINKING)
        options.drop("top_k", _BESIDE_THINKING)
        options.drop("top_p", _BESIDE_THINKING)
    values = {name: options.general(name) for name in ("temperature", "top_p", "top_k")}
    return {name: value for name, value in values.items() if value is not None}


def _turn(message: Message, *, again: bool) -> dict[str, Any]:
    thinking = [dict(block) for block in message.thinking] if again else []
    return {"role": message.role, "content": [*thinking, _text(message.text)]}


def _text(text: str) -> dict[str, str]:
    return {"type": "text", "text": text}


def _tools(options: Taking, tools: Sequence[Tool]) -> dict[str, Any]:
    listed: list[dict[str, Any]] = [
        {"name": tool.name, "description": tool.description, "input_schema": dict(tool.parameters)} for tool in tools
    ]
    if options.own("web_search_enabled"):
        listed.append({"type": "web_search_20250305", "name": "web_search", **options.all_of(_DOMAINS)})
    for name in _DOMAINS:
        options.drop(name, "web_search_enabled is not set")
    one_at_a_time = options.own("disable_parallel_tool_use")
    if not listed:
        return {}
    choice = {"type": "auto", "disable_parallel_tool_use": True}
    return {"tools": listed, **({"tool_choice": choice} if one_at_a_time else {})}
