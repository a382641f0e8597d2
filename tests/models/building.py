"""Requests for the tests: a short talk, and what options add to it."""

from typing import Any

from coderai.models.request import Message, ModelSpec, Tool, build_request

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
