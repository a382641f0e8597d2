"""Keys that people keep for themselves: ``/api/v2/users/{user}/ai-provider-keys``, and the older paths below chats.

Keys go in and never come out, not even masked.
"""

from typing import Annotated, Any, Final

from aiohttp import web
from pydantic import Field

from coderai.api.answers import answer, no_content
from coderai.api.bodies import Body, read
from coderai.api.documents import Document
from coderai.api.models import CHATS
from coderai.api.parameters import part
from coderai.api.routes import About, Ask, Route, Signed
from coderai.control.personal_keys import Standing


class SaveKey(Body):
    """PUT /users/{user}/ai-provider-keys/{provider}."""

    api_key: Annotated[str, Field(max_length=16_384)] = ""


class KeyProvider(Document):
    """What everybody may know of a provider."""

    id: str
    type: str
    name: str
    display_name: str
    icon: str
    enabled: bool
    deleted: bool


class UserKey(Document):
    """How a person stands with a provider. ``byok_enabled``: whether personal keys count, and may be saved."""

    provider: KeyProvider
    has_user_api_key: bool
    has_provider_api_key: bool
    byok_enabled: bool


class UserProviderConfig(Document):
    """The same in the older form."""

    provider_id: str
    provider: str
    display_name: str
    icon: str
    enabled: bool
    has_user_api_key: bool
    has_central_api_key_fallback: bool
    byok_enabled: bool


def key_shape(standing: Standing) -> dict[str, Any]:
    """Return it as the API shows it."""
    provider = standing.provider
    return {
        "provider": {
            "id": provider.id,
            "type": provider.type,
            "name": provider.name,
            "display_name": provider.display_name or "",
            "icon": "",
            "enabled": provider.enabled,
            "deleted": provider.deleted,
        },
        "has_user_api_key": standing.saved,
        "has_provider_api_key": standing.usable.central,
        "byok_enabled": standing.byok,
    }


def config_shape(standing: Standing) -> dict[str, Any]:
    """The same in the older form."""
    provider = standing.provider
    return {
        "provider_id": provider.id,
        "provider": provider.type,
        "display_name": provider.display_name or provider.name,
        "icon": "",
        "enabled": provider.enabled,
        "has_user_api_key": standing.saved,
        "has_central_api_key_fallback": standing.usable.central,
        "byok_enabled": standing.byok,
    }


async def _listed(ask: Ask, user: str) -> list[Standing]:
    return list(await ask.services.personal_keys.list(ask.caller, user))


async def _saved(ask: Ask, user: str) -> Standing:
    body = await read(ask.request, SaveKey)
    return await ask.services.personal_keys.save(ask.caller, user, part(ask.request, "provider"), body.api_key)


async def _list(ask: Ask) -> web.Response:
    return answer([key_shape(each) for each in await _listed(ask, part(ask.request, "user"))])


async def _save(ask: Ask) -> web.Response:
    return answer(key_shape(await _saved(ask, part(ask.request, "user"))))


async def _remove(ask: Ask) -> web.Response:
    await ask.services.personal_keys.remove(ask.caller, part(ask.request, "user"), part(ask.request, "provider"))
    return no_content()


async def _list_own(ask: Ask) -> web.Response:
    return answer([config_shape(each) for each in await _listed(ask, "me")])


async def _save_own(ask: Ask) -> web.Response:
    return answer(config_shape(await _saved(ask, "me")))


async def _remove_own(ask: Ask) -> web.Response:
    await ask.services.personal_keys.remove(ask.caller, "me", part(ask.request, "provider"))
    return no_content()


_KEYS: Final = "/api/v2/users/{user}/ai-provider-keys"
_OWN: Final = f"{CHATS}/user-provider-configs"
_KEY: Final = "/{provider}"
_SAVED: Final = "Save a personal key for a provider"
_REMOVED: Final = "Remove a personal key"
ROUTES: Final = (
    Route("GET", _KEYS, Signed(_list), About("Which credentials a user's calls go with", list[UserKey])),
    Route("PUT", _KEYS + _KEY, Signed(_save), About(_SAVED, UserKey, body=SaveKey, refusals=(409,))),
    Route("DELETE", _KEYS + _KEY, Signed(_remove), About(_REMOVED, None, 204)),
    Route("GET", _OWN, Signed(_list_own), About("The same for oneself", list[UserProviderConfig])),
    Route("PUT", _OWN + _KEY, Signed(_save_own), About(_SAVED, UserProviderConfig, body=SaveKey, refusals=(409,))),
    Route("DELETE", _OWN + _KEY, Signed(_remove_own), About(_REMOVED, None, 204)),
)
