"""The registry of models: ``/api/experimental/chats/models`` and ``/api/experimental/chats/model-configs``."""

from typing import Annotated, Any, Final

from aiohttp import web
from pydantic import Field

from coderai.api.answers import answer, moment, no_content
from coderai.api.bodies import Body, Text, read
from coderai.api.model_documents import Call, Catalogued, Listing, Registered
from coderai.api.parameters import clean, part
from coderai.api.routes import About, Ask, Parameter, Route, Signed
from coderai.api.users import ORGANIZATION
from coderai.control.availability import Usable, trouble_with
from coderai.control.catalogue import Catalogue, Group
from coderai.control.models import Seen, Wanted, spec_warnings
from coderai.errors import Invalid, NotFound
from coderai.models.efforts import offered
from coderai.models.families import SPEECHES, UNSUPPORTED
from coderai.models.options import EFFORTS
from coderai.models.schema import schema
from coderai.store.models import Model
from coderai.store.providers import Provider

CHATS: Final = "/api/experimental/chats"
_DATA_PLANE: Final = "/api/v2/aibridge"
_MOST: Final = 2**63 - 1
_PROMPT: Final = "Reply with the single word: pong"

Whole = Annotated[int, Field(ge=-_MOST, le=_MOST)]


class ModelBody(Body):
    """POST and PATCH of /model-configs. What is missing gets its default, or stays as it is."""

    ai_provider_id: Text | None = None
    model: Text | None = None
    display_name: Text | None = None
    enabled: bool | None = None
    is_default: bool | None = None
    context_limit: Whole | None = None
    compression_threshold: Whole | None = None
    options: dict[str, Any] | None = Field(default=None, alias="model_config")

    def wanted(self) -> Wanted:
        """Return the same for the control plane."""
        return Wanted(
            self.ai_provider_id,
            self.model or "",
            self.display_name or "",
            self.context_limit,
            self.compression_threshold,
            self.enabled,
            self.is_default,
            self.options,
        )


class RequestBody(Body):
    """POST /model-configs/{id}/request."""

    prompt: Annotated[str, Field(max_length=65_536)] | None = None
    stream: bool | None = None
    reasoning_effort: Text | None = None


def model_shape(seen: Seen) -> dict[str, Any]:
    """Return a model as the API shows it to one person. Options are absent when there are none."""
    model = seen.model
    limits = model.options.get("reasoning_effort")
    efforts = offered((limits["default"], limits["max"]) if limits else None)
    warnings = spec_warnings(model)
    return {
        "id": model.id,
        "ai_provider_id": model.provider.id,
        "provider": model.provider.type,
        "provider_name": model.provider.name,
        "model": model.model,
        "display_name": model.display_name,
        "enabled": model.enabled,
        "is_default": model.is_default,
        "context_limit": model.context_limit,
        "compression_threshold": model.compression_threshold,
        **({"model_config": model.options} if model.options else {}),
        **({"model_config_warnings": warnings} if warnings else {}),
        **({"reasoning_efforts": list(efforts)} if efforts else {}),
        "usable": not seen.trouble,
        "unusable_reason": seen.trouble,
        "created_at": moment(model.created_at),
        "updated_at": moment(model.updated_at),
    }


async def _groups(ask: Ask) -> web.Response:
    catalogue = await ask.services.models.catalogue(ask.caller)
    return answer(
        {
            "providers": [_group_shape(group) for group in catalogue.groups()],
            "unsupported_providers": _unsupported_shape(catalogue),
        }
    )


def _group_shape(group: Group) -> dict[str, Any]:
    return {
        "provider": group.type,
        "display_name": SPEECHES[group.type].label,
        "available": group.available,
        **({"unavailable_reason": group.reason} if group.reason else {}),
        "models": [_listed_shape(model, usable) for model, usable in group.models],
    }


def _listed_shape(model: Model, usable: Usable) -> dict[str, Any]:
    """``id`` is the original's; what a chat is started with is ``model_config_id``."""
    return {
        "id": f"{model.provider.type}:{model.model}",
        "provider": model.provider.type,
        "model": model.model,
        "display_name": model.shown,
        "model_config_id": model.id,
        "ai_provider_id": model.provider.id,
        "provider_name": model.provider.name,
        "is_default": model.is_default,
        "context_limit": model.context_limit,
        "available": usable.available,
        **({"unavailable_reason": usable.reason, "unavailable_detail": usable.trouble} if usable.reason else {}),
    }


async def _catalogue(ask: Ask) -> web.Response:
    """The later form of the list: one id per model, and providers told apart. There is one organization."""
    if part(ask.request, "organization") not in (ORGANIZATION, "default"):
        raise NotFound("organization", ask.request.match_info["organization"])
    catalogue = await ask.services.models.catalogue(ask.caller)
    offered = [Seen(model, trouble_with(model, {model.provider.id: usable})) for model, usable in catalogue.offered()]
    return answer(
        {
            "models": [{**model_shape(seen), "organization_id": ORGANIZATION} for seen in offered],
            "providers": [_provider_shape(provider, usable) for provider, usable in catalogue.supported()],
            "unsupported_providers": _unsupported_shape(catalogue),
        }
    )


def _provider_shape(provider: Provider, usable: Usable) -> dict[str, Any]:
    """Neither a key nor an address; for whoever may ask a model."""
    return {
        "id": provider.id,
        "type": provider.type,
        "name": provider.name,
        "display_name": provider.display_name or "",
        "icon": "",
        "enabled": provider.enabled,
        "has_api_key": usable.central,
        "has_user_api_key": usable.personal,
        "has_effective_api_key": usable.central or usable.personal,
        "allow_user_api_key": usable.takes_own,
        "available": usable.available,
    }


def _unsupported_shape(catalogue: Catalogue) -> list[dict[str, str]]:
    return [{"provider": type_, "display_name": UNSUPPORTED[type_]} for type_ in catalogue.unsupported()]


async def _list(ask: Ask) -> web.Response:
    return answer([model_shape(seen) for seen in await ask.services.models.list(ask.caller)])


async def _add(ask: Ask) -> web.Response:
    body = await read(ask.request, ModelBody)
    return answer(model_shape(await ask.services.models.add(ask.caller, body.wanted())), 201)


async def _get(ask: Ask) -> web.Response:
    return answer(model_shape(await ask.services.models.get(ask.caller, part(ask.request, "model"))))


async def _change(ask: Ask) -> web.Response:
    body = await read(ask.request, ModelBody)
    return answer(model_shape(await ask.services.models.change(ask.caller, part(ask.request, "model"), body.wanted())))


async def _remove(ask: Ask) -> web.Response:
    await ask.services.models.remove(ask.caller, part(ask.request, "model"))
    return no_content()


async def _request(ask: Ask) -> web.Response:
    """The call that asks this model, to be looked at or sent; nothing is sent here."""
    body = await read(ask.request, RequestBody)
    effort = body.reasoning_effort
    if effort is not None and effort not in EFFORTS:
        raise Invalid("This effort is not known.", [("reasoning_effort", f"must be one of {', '.join(EFFORTS)}")])
    model, request = await ask.services.models.request(
        ask.caller,
        part(ask.request, "model"),
        _PROMPT if body.prompt is None else body.prompt,
        stream=bool(body.stream),
        effort=effort,
    )
    return answer(
        {
            "api": request.api.value,
            "method": "POST",
            "path": f"{_DATA_PLANE}/{model.provider.name}{request.path}",
            "headers": dict(request.headers),
            "body": request.body,
            "warnings": [str(remark) for remark in request.remarks],
        }
    )


async def _schema(ask: Ask) -> web.Response:
    """For everybody who is signed in: nothing in it is about this server."""
    type_ = clean(ask.request.query, "provider")
    if type_ and type_ not in SPEECHES:
        raise Invalid("This type of provider is not known.", [("provider", f"must be one of {', '.join(SPEECHES)}")])
    return answer(schema((SPEECHES[type_].options,) if type_ else None))


_CONFIGS: Final = f"{CHATS}/model-configs"
ROUTES: Final = (
    Route(
        "GET",
        "/api/v2/organizations/{organization}/chats/models",
        Signed(_catalogue),
        About("List the models that the caller can use, and the providers", Catalogued),
    ),
    Route("GET", f"{CHATS}/models", Signed(_groups), About("List the models that the caller can use", Listing)),
    Route(
        "GET",
        f"{CHATS}/model-config-schema",
        Signed(_schema),
        About(
            "The options of models, as JSON Schema",
            dict[str, Any],
            query=(Parameter("provider", "Only those of this type of provider."),),
        ),
    ),
    Route("GET", _CONFIGS, Signed(_list), About("List the registered models", list[Registered])),
    Route("POST", _CONFIGS, Signed(_add), About("Register a model", Registered, 201, ModelBody)),
    Route("GET", f"{_CONFIGS}/{{model}}", Signed(_get), About("Show a model", Registered, refusals=(400,))),
    Route("PATCH", f"{_CONFIGS}/{{model}}", Signed(_change), About("Change a model", Registered, body=ModelBody)),
    Route("DELETE", f"{_CONFIGS}/{{model}}", Signed(_remove), About("Remove a model", None, 204, refusals=(400,))),
    Route(
        "POST",
        f"{_CONFIGS}/{{model}}/request",
        Signed(_request),
        About("Show the call that asks a model; nothing is sent", Call, body=RequestBody),
    ),
)
