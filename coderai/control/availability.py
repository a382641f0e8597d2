"""Can this person use that provider? By the instance in force, its central keys, and the person's own key."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal, Protocol

from sqlalchemy.ext.asyncio import AsyncConnection

from coderai.control.configured import CONFIG
from coderai.models.families import SPEECHES
from coderai.providers.registry import Registry
from coderai.store.models import Model
from coderai.store.providers import Provider, Providers

Reason = Literal["", "missing_api_key", "user_api_key_required", "fetch_failed"]

_WORDS: Final[Mapping[Reason, str]] = {
    "": "",
    "missing_api_key": "it has no key",
    "user_api_key_required": "it has no shared key: it takes a key of one's own",
    "fetch_failed": "only a running server knows its keys",
}


@dataclass(frozen=True, slots=True)
class Usable:
    """What calls of one person to one provider would go with."""

    central: bool = False
    """A key or credentials that everybody shares."""
    personal: bool = False
    """A key that the person has saved, and that counts."""
    takes_own: bool = False
    """Whether such a key would count."""
    reason: Reason = ""
    """Set when there is neither."""
    detail: str = ""
    """What the gateway says about the provider, when it cannot serve it."""

    @property
    def available(self) -> bool:
        """Whether a call can be made at all."""
        return not self.reason

    @property
    def trouble(self) -> str:
        """The same for people; '' when a call can be made."""
        return self.detail or _WORDS[self.reason]


def trouble_with(model: Model, usable: Mapping[str, Usable]) -> str:
    """Return why a person for whom *usable* was found cannot use a model; '' when nothing is wrong."""
    if model.trouble:
        return model.trouble
    if model.provider.type not in SPEECHES:
        return f"its provider {model.provider.name} is of type {model.provider.type}, with which no model works"
    wrong = usable[model.provider.id].trouble
    return f"its provider {model.provider.name} cannot be used: {wrong}" if wrong else ""


class PersonalKeys(Protocol):
    """Knows who has saved a key of his own."""

    async def saved(self, db: AsyncConnection, user_id: str) -> frozenset[str]:
        """Return the ids of the providers for which the user has one."""
        ...


class Availability(Protocol):
    """Says which of some providers a person can use."""

    async def usable(self, db: AsyncConnection, user_id: str, providers: Sequence[Provider]) -> Mapping[str, Usable]:
        """Return an answer for each of *providers*, by id."""
        ...


class Nobody:
    """Personal keys where there are none."""

    async def saved(self, db: AsyncConnection, user_id: str) -> frozenset[str]:
        return frozenset()


class InForce:
    """By the instances that the data plane serves; without one, by what the database knows."""

    def __init__(self, registry: Registry, *, allow_byok: bool, personal: PersonalKeys | None = None) -> None:
        self._registry = registry
        self._allow_byok = allow_byok
        self._personal = personal or Nobody()

    async def usable(self, db: AsyncConnection, user_id: str, providers: Sequence[Provider]) -> Mapping[str, Usable]:
        saved = await self._personal.saved(db, user_id) if self._allow_byok else frozenset()
        apart = [each.id for each in providers if self._registry.find(each.name) is None]
        stored = {key.provider_id for key in await Providers(db).keys(apart)} if apart else set()
        return {each.id: self._of(each, personal=each.id in saved, stored=each.id in stored) for each in providers}

    def _of(self, provider: Provider, *, personal: bool, stored: bool) -> Usable:
        instance = self._registry.find(provider.name)
        if instance is None:
            central, takes_own = stored or provider.settings is not None, provider.settings is None
        else:
            central, takes_own = instance.has_central, instance.takes_own
        takes_own = takes_own and self._allow_byok
        found = Usable(central, personal and takes_own, takes_own)
        if instance is None and provider.source == CONFIG and not found.personal:
            return replace(found, reason="fetch_failed")
        if not (found.central or found.personal):
            return replace(found, reason="user_api_key_required" if takes_own else "missing_api_key")
        if instance is not None and instance.state == "error":
            return replace(found, reason="fetch_failed", detail=instance.reason)
        return found
