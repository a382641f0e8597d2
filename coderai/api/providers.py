"""Providers: ``/api/v2/ai/providers``. Keys go in and never come out; what comes out is masked."""

from typing import Annotated, Any, Final, Literal

from aiohttp import web
from pydantic import Field

from coderai.access.credentials import mask
from coderai.api import documents
from coderai.api.answers import answer, moment, no_content
from coderai.api.bodies import Body, Text, read
from coderai.api.parameters import part
from coderai.api.routes import About, Ask, Route, Signed
from coderai.control.provider_checks import BEDROCK_MEMBERS
from coderai.control.providers import SECRET_MEMBERS, Kept, KeyWish, NewProvider, ProviderPatch
from coderai.providers.registry import Instance


class BedrockSettings(Body):
    """The ``settings`` of a provider that is called through Amazon Bedrock. Secrets are only written."""

    type_: Annotated[Literal["bedrock"], Field(alias="_type")]
    version: Annotated[Literal[1], Field(alias="_version")]
    region: Text | None = None
    model: Text | None = None
    small_fast_model: Text | None = None
    access_key: Text | None = None
    access_key_secret: Text | None = None
    role_arn: Text | None = None
    external_id: Text | None = None
    protocol: Text | None = None

    def members(self) -> dict[str, str]:
        """Return what was sent, without the tags."""
        return {name: value for name in BEDROCK_MEMBERS if (value := getattr(self, name)) is not None}


class CreateProvider(Body):
    """POST /ai/providers."""

    type: Text = ""
    name: Text = ""
    display_name: Text | None = None
    enabled: bool | None = None
    base_url: Text | None = None
    api_keys: list[Text] | None = None
    settings: BedrockSettings | None = None


class WantedKey(Body):
    """One key of the desired end state: ``{"id"}`` keeps one, ``{"api_key"}`` adds one."""

    id: Text | None = None
    api_key: Text | None = None


class UpdateProvider(Body):
    """PATCH /ai/providers/{idOrName}: what is absent stays; ``"settings": null`` clears them."""

    display_name: Text | None = None
    enabled: bool | None = None
    base_url: Text | None = None
    api_keys: list[WantedKey] | None = None
    settings: BedrockSettings | None = None


def provider_shape(kept: Kept, instance: Instance) -> dict[str, Any]:
    """Return a provider as the API shows it; *instance* is what the data plane makes of it."""
    provider = kept.provider
    return {
        "id": provider.id,
        "type": provider.type,
        "name": provider.name,
        "display_name": provider.display_name or "",
        "icon": "",
        "enabled": provider.enabled,
        "base_url": provider.base_url,
        "api_keys": _keys_shape(kept, instance),
        "settings": _settings_shape(kept),
        "status": instance.state,
        "status_reason": instance.reason,
        "source": provider.source,
        "created_at": moment(provider.created_at),
        "updated_at": moment(provider.updated_at),
    }


def _keys_shape(kept: Kept, instance: Instance) -> list[dict[str, str]]:
    """Keys of the configuration have no id: they are not stored."""
    shown = [{"id": key.id, "masked": key.masked, "created_at": moment(key.created_at)} for key in kept.keys]
    since = moment(kept.provider.created_at)
    return shown or [{"id": "", "masked": mask(key), "created_at": since} for key in instance.keys.secrets]


def _settings_shape(kept: Kept) -> dict[str, Any] | None:
    if kept.bedrock is None:
        return None
    shown = {name: value for name, value in kept.bedrock.items() if name not in SECRET_MEMBERS and value}
    return {"_type": "bedrock", "_version": 1, **shown}


def _shape(ask: Ask, kept: Kept) -> dict[str, Any]:
    gateway = ask.services.gateway
    shape = provider_shape(kept, gateway.instance(kept))
    owner = gateway.proxy.excluded().get(kept.provider.name)
    if owner is not None and shape["status"] == "enabled":
        shape["status"] = "proxy_excluded"
        shape["status_reason"] = f"the intercepting proxy leads to {owner}, which has the same base URL; all else works"
    return shape


async def _list(ask: Ask) -> web.Response:
    return answer([_shape(ask, kept) for kept in await ask.services.providers.list(ask.caller)])


async def _create(ask: Ask) -> web.Response:
    body = await read(ask.request, CreateProvider)
    wanted = NewProvider(
        type=body.type,
        name=body.name,
        base_url=body.base_url or "",
        display_name=body.display_name or "",
        enabled=bool(body.enabled),
        keys=tuple(body.api_keys or ()),
        bedrock=body.settings.members() if body.settings else None,
    )
    kept = await ask.services.providers.create(ask.caller, wanted)
    await ask.services.gateway.changed()
    return answer(_shape(ask, kept), 201)


async def _get(ask: Ask) -> web.Response:
    return answer(_shape(ask, await ask.services.providers.find(ask.caller, part(ask.request, "provider"))))


async def _update(ask: Ask) -> web.Response:
    body = await read(ask.request, UpdateProvider)
    patch = ProviderPatch(
        display_name=body.display_name,
        enabled=body.enabled,
        base_url=body.base_url,
        keys=None if body.api_keys is None else tuple(KeyWish(key.id, key.api_key) for key in body.api_keys),
        settings_sent="settings" in body.model_fields_set,
        bedrock=body.settings.members() if body.settings else None,
    )
    kept = await ask.services.providers.change(ask.caller, part(ask.request, "provider"), patch)
    await ask.services.gateway.changed()
    return answer(_shape(ask, kept))


async def _delete(ask: Ask) -> web.Response:
    await ask.services.providers.delete(ask.caller, part(ask.request, "provider"))
    await ask.services.gateway.changed()
    return no_content()


async def _test(ask: Ask) -> web.Response:
    kept = await ask.services.providers.find(ask.caller, part(ask.request, "provider"))
    result = await ask.services.gateway.probe(ask.services.gateway.instance(kept))
    return answer({"ok": result.ok, "status": result.status, "message": result.message, "ms": result.milliseconds})


_PROVIDERS: Final = "/api/v2/ai/providers"
_PROVIDER: Final = _PROVIDERS + "/{provider}"
ROUTES: Final = (
    Route("GET", _PROVIDERS, Signed(_list), About("List providers", list[documents.Provider])),
    Route(
        "POST",
        _PROVIDERS,
        Signed(_create),
        About("Add a provider", documents.Provider, 201, CreateProvider, refusals=(409,)),
    ),
    Route("GET", _PROVIDER, Signed(_get), About("Show a provider", documents.Provider, refusals=(400,))),
    Route(
        "PATCH",
        _PROVIDER,
        Signed(_update),
        About("Change a provider; what is missing stays", documents.Provider, body=UpdateProvider, refusals=(409,)),
    ),
    Route("DELETE", _PROVIDER, Signed(_delete), About("Remove a provider", None, 204, refusals=(400, 409))),
    Route(
        "POST",
        _PROVIDER + "/test",
        Signed(_test),
        About("Ask the provider something that costs nothing", documents.ProviderTest, refusals=(400,)),
    ),
)
