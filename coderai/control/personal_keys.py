"""Keys that people keep for themselves: how they are changed, and how a call finds the one it goes with."""

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from coderai.access.callers import Caller
from coderai.access.roles import Right, may, require
from coderai.control.audit import created, note
from coderai.control.availability import Availability, Usable
from coderai.control.clock import Clock, now
from coderai.control.provider_checks import key_problem
from coderai.control.users import UserControl, as_uuid
from coderai.control.vault import Vault
from coderai.errors import Conflict, Forbidden, Invalid, NotFound, NotSignedIn, StoreUnusable
from coderai.ids import new_id
from coderai.observe import logs
from coderai.settings.drafts import NAME
from coderai.store import personal_keys, providers, users
from coderai.store.engine import Store
from coderai.store.personal_keys import TOPIC, PersonalKey, PersonalKeys
from coderai.store.providers import Provider, Providers
from coderai.store.secrets import PERSONAL_KEY
from coderai.store.users import User, Users
from coderai.store.watching import EVERYTHING

log = logs.get("keys")

BYOK_OFF: Final = "keys of one's own are switched off on this gateway (--aibridge-allow-byok=false)"
_RESOURCE: Final = "user_ai_provider_key"
_REMEMBERED: Final = 10_000
_LONGEST: Final = 8192
"""An access token with many claims is some 4 KB."""


@dataclass(frozen=True, slots=True)
class Standing:
    """How one person stands with one provider."""

    provider: Provider
    saved: bool
    """There is a personal key, whether or not it counts at present."""
    usable: Usable
    byok: bool
    """Whether personal keys count, and may be saved."""


class PersonalKeyControl:
    """Everything that is done to personal keys. ``user`` is an id, a username or ``me``.

    People keep their own. An owner sees who has one and can take it away, and keeps those of service accounts, which
    cannot do it themselves; nobody puts a key under another person's name. All raise NotFound for a user whom the
    caller may not see.
    """

    def __init__(
        self,
        store: Store,
        vault: Vault,
        users: UserControl,
        availability: Availability,
        *,
        allow_byok: bool,
        clock: Clock = now,
    ) -> None:
        self._store = store
        self._vault = vault
        self._users = users
        self._availability = availability
        self._allow_byok = allow_byok
        self._now = clock

    async def list(self, caller: Caller, user: str) -> Sequence[Standing]:
        """Return one for each enabled provider, and for each other that a key was saved for, by name."""
        target = await self._target(caller, user)
        async with self._store.reading() as db:
            saved = {key.provider_id for key in await PersonalKeys(db).of(target.id)}
            shown = [each for each in await Providers(db).list() if each.enabled or each.id in saved]
            return await self._standings(db, target, sorted(shown, key=lambda each: each.name), saved)

    async def save(self, caller: Caller, user: str, provider: str, key: str) -> Standing:
        """Keep *key* in the place of the one that was there.

        Raises Forbidden while keys of one's own are off, Invalid for what is no key, NotFound for a provider that is
        not there, Conflict for one that is disabled or takes no such key.
        """
        target = await self._target(caller, user)
        if target.id != caller.user_id and not target.is_service_account:
            raise Forbidden(f"a key is saved by the person whose it is: {target.username}")
        if not self._allow_byok:
            raise Forbidden(BYOK_OFF)
        key = key.strip()
        if wrong := key_problem(key, _LONGEST):
            raise Invalid("The key cannot be saved.", [("api_key", wrong)])
        try:
            return await self._save(caller, target, provider, key)
        except IntegrityError:  # the same person, twice at once: now there is one to replace
            return await self._save(caller, target, provider, key)

    async def remove(self, caller: Caller, user: str, provider: str) -> None:
        """Destroy the key, also while such keys are off. Raises NotFound when there is none."""
        target = await self._target(caller, user)
        async with self._store.transaction([TOPIC]) as db:
            found = await _found(db, provider)
            kept = await PersonalKeys(db).get(target.id, found.id)
            if kept is None:
                raise NotFound("key for the provider", provider)
            await PersonalKeys(db).delete(kept.id)
            diff = {"user": (target.username, None), "api_key": (self._shown(kept), None)}
            await note(db, caller, "delete", _RESOURCE, kept.id, found.name, diff, clock=self._now)

    async def _target(self, caller: Caller, user: str) -> User:
        require(caller, Right.KEEP_OWN_KEYS)
        found = await self._users.named(caller, user)
        if found.id != caller.user_id and not may(caller, Right.KEEP_ALL_KEYS):
            raise NotFound("user", user)
        return found

    async def _save(self, caller: Caller, target: User, named: str, key: str) -> Standing:
        moment = self._now()
        async with self._store.transaction([TOPIC]) as db:
            if (await Users(db).get(target.id, lock=True)).deleted:
                raise NotFound("user", target.username)
            provider = await _found(db, named, lock=True)  # who takes it out of use takes this key along
            _require_willing(provider)
            kept = await PersonalKeys(db).get(target.id, provider.id)
            key_id = new_id() if kept is None else kept.id
            sealed = self._vault.seal(key, PERSONAL_KEY, key_id)
            if kept is None:
                new = PersonalKey(key_id, target.id, provider.id, sealed, moment, moment)
                await PersonalKeys(db).insert(new)
                diff = created(user=target.username, api_key=key)
                await note(db, caller, "create", _RESOURCE, key_id, provider.name, diff, clock=self._now)
            else:
                await PersonalKeys(db).replace(key_id, sealed, moment)
                changed = {"user": (target.username, target.username), "api_key": (self._shown(kept), key)}
                await note(db, caller, "write", _RESOURCE, key_id, provider.name, changed, clock=self._now)
            [standing] = await self._standings(db, target, [provider], {provider.id})
            if not standing.usable.personal:
                raise Conflict(_UNWILLING.format(provider.name))
            return standing

    async def _standings(
        self, db: AsyncConnection, target: User, shown: Sequence[Provider], saved: set[str]
    ) -> Sequence[Standing]:
        usable = await self._availability.usable(db, target.id, shown)
        return [Standing(each, each.id in saved, usable[each.id], self._allow_byok) for each in shown]

    def _shown(self, kept: PersonalKey) -> str:
        """For the audit log, which masks it; a key that cannot be opened can be taken away all the same."""
        try:
            return self._vault.open(kept.sealed, PERSONAL_KEY, kept.id)
        except StoreUnusable:
            return ""


_UNWILLING: Final = (
    'provider "{}" is called with AWS credentials of the gateway; a key of your own cannot be used there'
)


def _require_willing(provider: Provider) -> None:
    if not provider.enabled:
        raise Conflict(f'provider "{provider.name}" is disabled; a key for it could not be used')


async def _found(db: AsyncConnection, named: str, *, lock: bool = False) -> Provider:
    if provider_id := as_uuid(named):
        return await Providers(db).get(provider_id, lock=lock)
    if not NAME.fullmatch(named):
        raise NotFound("provider", named)
    return await Providers(db).named(named, lock=lock)


class Saved:
    """Fulfils ``availability.PersonalKeys``."""

    async def saved(self, db: AsyncConnection, user_id: str) -> frozenset[str]:
        """Return the ids of the providers for which the user has a key."""
        return frozenset(key.provider_id for key in await PersonalKeys(db).working(user_id))


_NONE: Final[Mapping[str, str | None]] = MappingProxyType({})


class SavedKeys:
    """The personal keys that calls go with, kept in memory, opened, for the people who call at present.

    Nobody's are remembered unless somebody tells of changes (``hear``): all are forgotten with each that matters. That
    there is none is remembered as well, so that a call of somebody without keys costs a look into a dict.
    """

    def __init__(self, store: Store, vault: Vault, remembered: int = _REMEMBERED) -> None:
        self._store = store
        self._vault = vault
        self._remembered = remembered
        self._keys: OrderedDict[str, Mapping[str, str | None]] = OrderedDict()
        """By user, then by name of the provider; None: cannot be read."""
        self._hearing = False
        self._generation = 0
        """Counts how often all was forgotten: a look-up that began before must not be kept."""

    async def key(self, user_id: str, provider: str) -> str | None:
        """Return the key of a user for a provider; None when there is none. Raises NotSignedIn, StoreUnavailable."""
        keys = self._keys.get(user_id)
        if keys is None:
            keys = await self._look_up(user_id)
        else:
            self._keys.move_to_end(user_id)
        if provider not in keys:
            return None
        key = keys[provider]
        if key is None:  # the central key is no substitute: its owner did not agree to pay
            raise NotSignedIn(
                f"the key that was saved for provider {provider} cannot be read any more; save it again with"
                f" `coderai keys set {provider}`, or remove it"
            )
        return key

    def hear(self, topics: frozenset[str]) -> None:
        """Learn what has changed; from now on keys are remembered."""
        if topics == EVERYTHING or not topics.isdisjoint(_TOPICS):
            self._forget()
        self._hearing = True

    def deaf(self) -> None:
        """Nobody tells of changes any more."""
        self._hearing = False
        self._forget()

    def _forget(self) -> None:
        self._keys.clear()
        self._generation += 1

    async def _look_up(self, user_id: str) -> Mapping[str, str | None]:
        if as_uuid(user_id) is None:  # somebody whom a service account named, and whom nobody knows
            return _NONE
        generation = self._generation
        async with self._store.reading() as db:
            rows = await PersonalKeys(db).working(user_id)
        keys = {row.provider_name: self._opened(row) for row in rows} if rows else _NONE
        if self._hearing and generation == self._generation:
            self._keys[user_id] = keys
            if len(self._keys) > self._remembered:
                self._keys.popitem(last=False)
        return keys

    def _opened(self, row: PersonalKey) -> str | None:
        try:
            return self._vault.open(row.sealed, PERSONAL_KEY, row.id)
        except StoreUnusable as error:
            log.error("personal key cannot be read", user=row.user_id, provider=row.provider_name, reason=str(error))
            return None


_TOPICS: Final = frozenset({personal_keys.TOPIC, providers.TOPIC, users.TOPIC})
