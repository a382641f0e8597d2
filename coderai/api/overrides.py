"""Which model is meant: ``/api/experimental/chats/config/...``."""

from typing import Annotated, Any, Final

from aiohttp import web
from pydantic import Field

from coderai.api.answers import answer, no_content
from coderai.api.bodies import Body, Text, read
from coderai.api.model_documents import DeploymentOverride, Gate, OwnOverrides, Resolved, Threshold, Thresholds
from coderai.api.models import CHATS
from coderai.api.parameters import clean, part
from coderai.api.routes import About, Ask, Parameter, Route, Signed
from coderai.control.overrides import Answer, Override
from coderai.models.choosing import EXPLORE, GENERAL, PERSONAL_CONTEXTS

_MOST: Final = 2**31


class DeploymentBody(Body):
    """PUT /model-override/{context}; an empty text chooses none."""

    model_config_id: Text


class GateBody(Body):
    """PUT /personal-model-overrides."""

    allow_users: bool


class PersonalBody(Body):
    """PUT /user-personal-model-overrides/{context}."""

    mode: Text
    model_config_id: Text | None = None


class ThresholdBody(Body):
    """PUT /user-compaction-thresholds/{model}."""

    threshold_percent: Annotated[int, Field(ge=-_MOST, le=_MOST)]


def _deployment_shape(override: Override) -> dict[str, Any]:
    """``is_malformed`` is the original's: ours are ids of models that exist or did."""
    return {
        "context": override.context,
        "model_config_id": override.model_id,
        "is_malformed": False,
        "is_set": override.is_set,
        "usable": override.is_set and not override.trouble,
        "unusable_reason": override.trouble,
    }


def _personal_shape(override: Override) -> dict[str, Any]:
    return {**_deployment_shape(override), "mode": override.mode.value, "usable": not override.trouble}


def _answer_shape(found: Answer) -> dict[str, Any]:
    choice = found.choice
    model = found.model
    return {
        "context": found.context,
        "model_config_id": choice.model_id,
        "model": model.model if model else "",
        "display_name": model.shown if model else "",
        "provider_name": model.provider.name if model else "",
        "compression_threshold": found.compression_threshold,
        "layer": choice.layer.value if choice.layer else "",
        "reason": choice.reason,
        "steps": [
            {"layer": step.layer.value, "model_config_id": step.model_id, "outcome": step.outcome}
            for step in choice.steps
        ],
    }


async def _deployment(ask: Ask) -> web.Response:
    return answer(_deployment_shape(await ask.services.overrides.deployment(ask.caller, part(ask.request, "context"))))


async def _set_deployment(ask: Ask) -> web.Response:
    body = await read(ask.request, DeploymentBody)
    await ask.services.overrides.set_deployment(ask.caller, part(ask.request, "context"), body.model_config_id)
    return no_content()


async def _gate(ask: Ask) -> web.Response:
    return answer({"allow_users": await ask.services.overrides.personal_allowed(ask.caller)})


async def _set_gate(ask: Ask) -> web.Response:
    body = await read(ask.request, GateBody)
    await ask.services.overrides.allow_personal(ask.caller, body.allow_users)
    return no_content()


async def _own(ask: Ask) -> web.Response:
    own = await ask.services.overrides.own(ask.caller)
    return answer(
        {
            "enabled": own.allowed,
            **{context: _personal_shape(own.personal[context]) for context in PERSONAL_CONTEXTS},
            "deployment_defaults": {
                context: _deployment_shape(own.deployment[context]) for context in (GENERAL, EXPLORE)
            },
        }
    )


async def _set_own(ask: Ask) -> web.Response:
    body = await read(ask.request, PersonalBody)
    context = part(ask.request, "context")
    await ask.services.overrides.set_own(ask.caller, context, body.mode, body.model_config_id or "")
    return no_content()


async def _forget_own(ask: Ask) -> web.Response:
    await ask.services.overrides.forget_own(ask.caller, part(ask.request, "context"))
    return no_content()


async def _resolved(ask: Ask) -> web.Response:
    query = ask.request.query
    found = await ask.services.overrides.resolve(
        ask.caller,
        part(ask.request, "context"),
        user=clean(query, "user") or "me",
        explicit=clean(query, "model_config_id"),
        parent=clean(query, "parent_model_config_id"),
    )
    return answer(_answer_shape(found))


async def _thresholds(ask: Ask) -> web.Response:
    found = await ask.services.overrides.thresholds(ask.caller)
    return answer({"thresholds": [_threshold_shape(model_id, percent) for model_id, percent in found.items()]})


async def _set_threshold(ask: Ask) -> web.Response:
    body = await read(ask.request, ThresholdBody)
    model_id = part(ask.request, "model")
    await ask.services.overrides.set_threshold(ask.caller, model_id, body.threshold_percent)
    return answer(_threshold_shape(model_id.lower(), body.threshold_percent))


async def _forget_threshold(ask: Ask) -> web.Response:
    await ask.services.overrides.set_threshold(ask.caller, part(ask.request, "model"), None)
    return no_content()


def _threshold_shape(model_id: str, percent: int) -> dict[str, Any]:
    return {"model_config_id": model_id, "threshold_percent": percent}


_CONFIG: Final = f"{CHATS}/config"
_THRESHOLDS: Final = f"{_CONFIG}/user-compaction-thresholds"
_PERSONAL: Final = f"{_CONFIG}/user-personal-model-overrides"
ROUTES: Final = (
    Route(
        "GET",
        f"{_CONFIG}/model-override/{{context}}",
        Signed(_deployment),
        About("Show which model everybody is given in a context", DeploymentOverride, refusals=(400,)),
    ),
    Route(
        "PUT",
        f"{_CONFIG}/model-override/{{context}}",
        Signed(_set_deployment),
        About("Choose a model for everybody in a context", None, 204, DeploymentBody),
    ),
    Route(
        "GET",
        f"{_CONFIG}/personal-model-overrides",
        Signed(_gate),
        About("Show whether what persons choose counts", Gate),
    ),
    Route(
        "PUT",
        f"{_CONFIG}/personal-model-overrides",
        Signed(_set_gate),
        About("Let what persons choose count, or not", None, 204, GateBody),
    ),
    Route("GET", _PERSONAL, Signed(_own), About("Show which models the caller has chosen", OwnOverrides)),
    Route(
        "PUT",
        f"{_PERSONAL}/{{context}}",
        Signed(_set_own),
        About("Choose a model for oneself in a context", None, 204, PersonalBody),
    ),
    Route(
        "DELETE",
        f"{_PERSONAL}/{{context}}",
        Signed(_forget_own),
        About("Forget what was chosen in a context", None, 204, refusals=(400,)),
    ),
    Route(
        "GET",
        _THRESHOLDS,
        Signed(_thresholds),
        About("Show when the caller wants chats summed up, by model", Thresholds),
    ),
    Route(
        "PUT",
        f"{_THRESHOLDS}/{{model}}",
        Signed(_set_threshold),
        About("Choose when the caller's chats with a model are summed up", Threshold, body=ThresholdBody),
    ),
    Route(
        "DELETE",
        f"{_THRESHOLDS}/{{model}}",
        Signed(_forget_threshold),
        About("Sum chats up when the model says", None, 204, refusals=(400,)),
    ),
    Route(
        "GET",
        f"{_CONFIG}/resolved-model/{{context}}",
        Signed(_resolved),
        About(
            "Say which model is meant for a user in a context, and why",
            Resolved,
            query=(
                Parameter("user", "An id or a username; the caller when it is missing."),
                Parameter("model_config_id", "The model that the request itself names."),
                Parameter("parent_model_config_id", "The model of the chat it is for."),
            ),
        ),
    ),
)
