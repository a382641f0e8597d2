"""From a model and messages to the request its provider wants. Pure: nothing is sent here, and nothing can fail."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from coderai.models import openai_chat, openai_responses
from coderai.models.anthropic import messages_body
from coderai.models.conversation import Message, Tool
from coderai.models.efforts import knows_responses, wanted
from coderai.models.families import SPEECHES
from coderai.models.taking import Remark, Taking
from coderai.records import Api

__all__ = ["Message", "ModelSpec", "Request", "Tool", "build_request"]


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """What of a registered model a request depends on."""

    provider_type: str
    """One of ``families.SPEECHES``."""
    model: str
    """Sent as it is."""
    options: Mapping[str, Any] = field(default_factory=dict)
    """Tidied, and without violations."""


@dataclass(frozen=True, slots=True)
class Request:
    """One call, as it is made below a provider's route of the gateway."""

    api: Api
    path: str
    headers: Mapping[str, str]
    body: Mapping[str, Any]
    remarks: tuple[Remark, ...] = ()
    """Options without effect, and such that the provider may refuse."""


def build_request(
    model: ModelSpec,
    messages: Sequence[Message],
    tools: Sequence[Tool] = (),
    *,
    stream: bool = True,
    effort: str | None = None,
) -> Request:
    """Return the call that asks *model* to go on with *messages*; *effort* is the person's choice for this turn."""
    options = Taking(model.options, SPEECHES[model.provider_type].options)
    limits = options.general("reasoning_effort")
    effort = wanted((limits["default"], limits["max"]) if limits else None, effort)
    match _api(model, options):
        case Api.MESSAGES as api:
            body, headers = messages_body(model.model, options, messages, tools, stream, effort)
            return Request(api, "/v1/messages", headers, body, options.remarks("the Messages API"))
        case Api.RESPONSES as api:
            body = openai_responses.body(model.model, options, messages, tools, stream, effort)
            return Request(api, "/v1/responses", {}, body, options.remarks("the Responses API"))
        case api:
            family = SPEECHES[model.provider_type].options
            body = openai_chat.body(model.model, family, options, messages, tools, stream, effort)
            return Request(api, "/v1/chat/completions", {}, body, options.remarks("Chat Completions"))


def _api(model: ModelSpec, options: Taking) -> Api:
    if SPEECHES[model.provider_type].options == "anthropic":
        return Api.MESSAGES
    if model.provider_type != "openai":
        return Api.CHAT  # the others have no Responses API, or not everywhere
    forced = (options.general("openai_config") or {}).get("use_responses_api")
    responses = knows_responses(model.model) if forced is None else forced
    return Api.RESPONSES if responses else Api.CHAT
