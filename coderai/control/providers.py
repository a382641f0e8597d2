"""Providers that owners make and change while the gateway runs. Those of the configuration are shown, not changed."""

import json
import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from coderai.access.callers import Caller
from coderai.access.credentials import mask
from coderai.access.roles import Right, require
from coderai.access.sealing import Sealed
from coderai.control.audit import Action, Difference, created, note
from coderai.control.clock import Clock, now
from coderai.control.configured import CONFIG
from coderai.control.provider_checks import Problems, Written, place, problems
from coderai.control.users import as_uuid
from coderai.control.vault import Vault
from coderai.errors import Conflict, Invalid
from coderai.ids import new_id
from coderai.settings.drafts import NAME
from coderai.store.engine import Store
from coderai.store.personal_keys import PersonalKeys
from coderai.store.providers import TOPIC, Provider, ProviderKey, Providers
from coderai.store.secrets import PROVIDER_KEY, PROVIDER_SETTINGS

SECRET_MEMBERS: Final = ("access_key", "access_key_secret")
_RESOURCE: Final = "ai_provider"
_KEY_RESOURCE: Final = "ai_provider_key"
_DISPLAY_LENGTH: Final = 128
_MISTAKES: Final = "The provider has mistakes."


@dataclass(frozen=True, slots=True)
class NewProvider:
    """What is asked for."""

    type: str
    name: str
    base_url: str = ""
    display_name: str = ""
    enabled: bool = False
    keys: tuple[str, ...] = field(default=(), repr=False)
    bedrock: Mapping[str, str] | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class KeyWish:
    """One key of the desired end state: an old one by id, or a new one. Exactly one is set."""

    id: str | None = None
    api_key: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class ProviderPatch:
    """What shall change; None leaves a member as it is."""

    display_name: str | None = None
    enabled: bool | None = None
    base_url: str | None = None
    keys: tuple[KeyWish, ...] | None = None
    settings_sent: bool = False
    bedrock: Mapping[str, str] | None = field(default=None, repr=False)
    """Counts when ``settings_sent``; None then clears the settings."""

    @property
    def empty(self) -> bool:
        """Whether nothing at all shall change."""
        return not self.settings_sent and all(
            each is None for each in (self.display_name, self.enabled, self.base_url, self.keys)
        )


@dataclass(frozen=True, slots=True)
class KeptKey:
    """A stored central key."""

    id: str
    text: str = field(repr=False)
    created_at: datetime

    @property
    def masked(self) -> str:
        """As people may see it."""
        return mask(self.text)


@dataclass(frozen=True, slots=True)
class Kept:
    """A provider with its secrets opened. Only ``masked`` forms and no secret settings leave the control plane."""

    provider: Provider
    keys: tuple[KeptKey, ...] = field(default=(), repr=False)
    bedrock: Mapping[str, str] | None = field(default=None, repr=False)


class ProviderControl:
    """Everything that is done to providers. *own_hosts* are the (host, port) pairs on which this gateway listens."""

    def __init__(
        self, store: Store, vault: Vault, own_hosts: Iterable[tuple[str, int]] = (), clock: Clock = now
    ) -> None:
        self._store = store
        self._vault = vault
        self._own_hosts = frozenset(place(*each) for each in own_hosts)
        self._now = clock

    async def list(self, caller: Caller) -> Sequence[Kept]:
        """Return all that are not deleted, oldest first."""
        require(caller, Right.KEEP_PROVIDERS)
        return await self.all()

    async def all(self) -> Sequence[Kept]:
        """The same for the gateway itself. Raises StoreUnusable when a secret does not open."""
        async with self._store.reading() as db:
            rows = await Providers(db).list()
            return await self._opened(db, rows)

    async def find(self, caller: Caller, named: str) -> Kept:
        """Return the one with that id or name. Raises Invalid for what can be neither, NotFound."""
        require(caller, Right.KEEP_PROVIDERS)
        async with self._store.reading() as db:
            return await self._found(db, named)

    async def create(self, caller: Caller, wanted: NewProvider) -> Kept:
        """Raises Invalid with every mistake, Conflict when the name is taken."""
        require(caller, Right.KEEP_PROVIDERS)
        bedrock = _with_external_id(wanted.bedrock, None)
        keys = [(f"api_keys[{position}]", key) for position, key in enumerate(wanted.keys)]
        written = Written(wanted.type, wanted.name, wanted.base_url.strip(), keys, 0, bedrock)
        self._check(written, _display_problems(wanted.display_name))
        _check_sorts(written)
        moment = self._now()
        provider_id = new_id()
        provider = Provider(
            provider_id,
            wanted.type,
            wanted.name,
            written.base_url,
            moment,
            moment,
            enabled=wanted.enabled,
            display_name=wanted.display_name or None,
            settings=self._sealed_settings(provider_id, bedrock),
        )
        try:
            async with self._store.transaction([TOPIC]) as db:
                await Providers(db).insert(provider)
                await self._note(db, caller, "create", provider, _noted(provider, bedrock))
                await self._add_keys(db, caller, provider, wanted.keys, moment)
        except IntegrityError as error:
            text = f'there is a provider "{wanted.name}" already'
            raise Conflict(text, [("name", text)]) from error
        return await self.find(caller, provider_id)

    async def change(self, caller: Caller, named: str, patch: ProviderPatch) -> Kept:
        """Raises Invalid with every mistake, NotFound, Conflict for one of the configuration."""
        require(caller, Right.KEEP_PROVIDERS)
        if patch.empty:
            raise Invalid("nothing to change: send display_name, enabled, base_url, api_keys or settings")
        moment = self._now()
        async with self._store.transaction([TOPIC]) as db:
            kept = await self._found(db, named, lock=True)
            before = kept.provider
            _refuse_configured(before)
            after, bedrock = self._changed(kept, patch)
            keys = await self._change_keys(db, caller, kept, patch, moment)
            await Providers(db).update(replace(after, updated_at=moment))
            new, old = _noted(after, bedrock), _noted(before, kept.bedrock)
            diff = {name: (old.get(name, (None, None))[1], new.get(name, (None, None))[1]) for name in {*old, *new}}
            await self._note(db, caller, "write", before, diff, keys)
        return await self.find(caller, kept.provider.id)

    async def delete(self, caller: Caller, named: str) -> None:
        """Take it out of use; its records stay, its keys are destroyed, people's too. Raises NotFound, Conflict."""
        require(caller, Right.KEEP_PROVIDERS)
        async with self._store.transaction([TOPIC]) as db:
            kept = await self._found(db, named, lock=True)
            _refuse_configured(kept.provider)
            await self._remove_keys(db, caller, kept, kept.keys)
            await PersonalKeys(db).delete_for_provider(kept.provider.id)
            await self._note(db, caller, "delete", kept.provider)
            gone = replace(kept.provider, deleted=True, enabled=False, settings=None, updated_at=self._now())
            await Providers(db).update(gone)

    def _changed(self, kept: Kept, patch: ProviderPatch) -> tuple[Provider, Mapping[str, str] | None]:
        before = kept.provider
        bedrock = _merged(kept.bedrock, patch.bedrock) if patch.settings_sent else kept.bedrock
        wishes = patch.keys
        base_url = before.base_url if patch.base_url is None else patch.base_url.strip()
        written = Written(
            before.type,
            before.name,
            base_url,
            [
                (f"api_keys[{position}].api_key", wish.api_key)
                for position, wish in enumerate(wishes or ())
                if wish.id is None and wish.api_key is not None
            ],
            len(kept.keys) if wishes is None else sum(wish.id is not None for wish in wishes),
            bedrock,
        )
        found = _display_problems(patch.display_name or "") + _wish_problems(wishes or (), kept)
        self._check(written, found)
        _check_sorts(written)
        settings = self._sealed_settings(before.id, bedrock) if patch.settings_sent else before.settings
        display = before.display_name if patch.display_name is None else patch.display_name or None
        enabled = before.enabled if patch.enabled is None else patch.enabled
        after = replace(before, base_url=base_url, settings=settings, display_name=display, enabled=enabled)
        return after, bedrock

    def _check(self, written: Written, further: Problems) -> None:
        found = problems(written, self._own_hosts) + further
        if found:
            raise Invalid(_MISTAKES, found)

    async def _change_keys(
        self, db: AsyncConnection, caller: Caller, kept: Kept, patch: ProviderPatch, moment: datetime
    ) -> Mapping[str, Any] | None:
        """Return what is said of it in the audit log of the provider; None when nothing changed."""
        if patch.keys is None:
            return None
        staying = {wish.id for wish in patch.keys if wish.id is not None}
        leaving = [key for key in kept.keys if key.id not in staying]
        await self._remove_keys(db, caller, kept, leaving)
        new = [wish.api_key for wish in patch.keys if wish.api_key is not None]
        added = await self._add_keys(db, caller, kept.provider, new, moment)
        if not (added or leaving):
            return None
        return {"added": _named(added), "removed": _named(leaving), "kept": len(staying)}

    async def _add_keys(
        self, db: AsyncConnection, caller: Caller, provider: Provider, texts: Iterable[str], moment: datetime
    ) -> Sequence[KeptKey]:
        added = []
        for position, text in enumerate(texts):
            # Their order is the order of trying.
            key = KeptKey(new_id(), text, moment + timedelta(microseconds=position))
            sealed = self._vault.seal(text, PROVIDER_KEY, key.id)
            await Providers(db).insert_key(ProviderKey(key.id, provider.id, sealed, key.created_at))
            diff = created(api_key=text)
            await note(db, caller, "create", _KEY_RESOURCE, key.id, provider.name, diff, clock=self._now)
            added.append(key)
        return added

    async def _remove_keys(self, db: AsyncConnection, caller: Caller, kept: Kept, keys: Sequence[KeptKey]) -> None:
        await Providers(db).delete_keys(key.id for key in keys)
        for key in keys:
            diff = {"api_key": (key.text, None)}
            await note(db, caller, "delete", _KEY_RESOURCE, key.id, kept.provider.name, diff, clock=self._now)

    async def _note(
        self,
        db: AsyncConnection,
        caller: Caller,
        action: Action,
        provider: Provider,
        diff: Difference | None = None,
        keys: Mapping[str, Any] | None = None,
    ) -> None:
        about = (action, _RESOURCE, provider.id, provider.name)
        await note(db, caller, *about, diff, further=keys, clock=self._now)

    def _sealed_settings(self, provider_id: str, bedrock: Mapping[str, str] | None) -> Sealed | None:
        if bedrock is None:
            return None
        text = json.dumps({name: value for name, value in bedrock.items() if value}, sort_keys=True)
        return self._vault.seal(text, PROVIDER_SETTINGS, provider_id)

    async def _found(self, db: AsyncConnection, named: str, *, lock: bool = False) -> Kept:
        provider_id, providers = as_uuid(named), Providers(db)
        if provider_id is None and not NAME.fullmatch(named):
            raise Invalid(f"{named!r} is neither an id nor the name of a provider")
        row = await (providers.get(provider_id, lock=lock) if provider_id else providers.named(named, lock=lock))
        [kept] = await self._opened(db, [row])
        return kept

    async def _opened(self, db: AsyncConnection, rows: Sequence[Provider]) -> Sequence[Kept]:
        keys: dict[str, list[KeptKey]] = {}
        for key in await Providers(db).keys(row.id for row in rows):
            text = self._vault.open(key.sealed, PROVIDER_KEY, key.id)
            keys.setdefault(key.provider_id, []).append(KeptKey(key.id, text, key.created_at))
        return [Kept(row, tuple(keys.get(row.id, ())), self._settings(row)) for row in rows]

    def _settings(self, row: Provider) -> Mapping[str, str] | None:
        if row.settings is None:
            return None
        opened: dict[str, str] = json.loads(self._vault.open(row.settings, PROVIDER_SETTINGS, row.id))
        return opened


def _named(keys: Iterable[KeptKey]) -> Sequence[Mapping[str, str]]:
    return [{"id": key.id, "masked": key.masked} for key in keys]


def _noted(provider: Provider, bedrock: Mapping[str, str] | None) -> Difference:
    """What the audit log says of a provider; secrets are masked there by their names."""
    members = {
        "type": provider.type,
        "name": provider.name,
        "base_url": provider.base_url,
        "display_name": provider.display_name,
        "enabled": provider.enabled,
    }
    return created(**members, **{f"settings_{name}": value for name, value in (bedrock or {}).items()})


def _refuse_configured(provider: Provider) -> None:
    if provider.source == CONFIG:
        raise Conflict(
            f'provider "{provider.name}" comes from the configuration of the server (environment, flags or YAML);'
            " change it there and start the server again"
        )


def _check_sorts(written: Written) -> None:
    if written.is_bedrock and (written.keys or written.kept):
        raise Invalid("an Anthropic key and Bedrock exclude each other; remove one of them")


def _display_problems(name: str) -> Problems:
    if len(name) > _DISPLAY_LENGTH or not name.isprintable():
        return [("display_name", f"must be at most {_DISPLAY_LENGTH} printable characters")]
    return []


def _wish_problems(wishes: Sequence[KeyWish], kept: Kept) -> Problems:
    found: Problems = []
    known = {key.id: key.text for key in kept.keys}
    seen: set[str] = set()
    for position, wish in enumerate(wishes):
        if (wish.id is None) == (wish.api_key is None):
            found.append((f"api_keys[{position}]", "must have either id (keep that key) or api_key (add this one)"))
        elif wish.id is not None:
            if wish.id in seen:
                found.append((f"api_keys[{position}].id", "is there twice"))
            elif wish.id not in known:
                found.append((f"api_keys[{position}].id", "is no key of this provider"))
            seen.add(wish.id)
    staying = {known[each] for each in seen if each in known}
    found += [
        (f"api_keys[{position}].api_key", "is there already; keep it by its id")
        for position, wish in enumerate(wishes)
        if wish.api_key is not None and wish.api_key in staying
    ]
    return found


def _merged(stored: Mapping[str, str] | None, sent: Mapping[str, str] | None) -> Mapping[str, str] | None:
    """What was sent replaces what is there; a secret that was not sent stays, an empty one clears it."""
    if sent is None:
        return None
    kept = {name: (stored or {}).get(name, "") for name in SECRET_MEMBERS}
    return _with_external_id({**kept, **sent}, stored)


def _with_external_id(bedrock: Mapping[str, str] | None, stored: Mapping[str, str] | None) -> Mapping[str, str] | None:
    """The external id of a role is ours to make, once; a caller may only repeat it."""
    if bedrock is None:
        return None
    ours = (stored or {}).get("external_id", "")
    sent = bedrock.get("external_id", "")
    if sent and sent != ours:
        raise Invalid(
            "settings.external_id is made by the server when a role is set, and cannot be chosen",
            [("settings.external_id", "leave it out, or repeat the one that is shown")],
        )
    made = ours or secrets.token_hex(16)
    return {**bedrock, "external_id": made if bedrock.get("role_arn") else ""}
