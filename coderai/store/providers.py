"""Provider instances. Their keys are kept apart, sealed; those from the configuration are not kept at all."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import ColumnElement, delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from coderai.access.sealing import Sealed
from coderai.errors import NotFound
from coderai.store.rows import AnyRow
from coderai.store.schema import ai_provider_keys, ai_providers, session_facets

TOPIC = "providers"
"""Bumped by every change of a provider or of its keys."""


@dataclass(frozen=True, slots=True)
class Provider:
    """One row."""

    id: str
    type: str
    name: str
    """The route segment; immutable."""
    base_url: str
    created_at: datetime
    updated_at: datetime
    source: str = "api"
    """``config`` rows are re-applied at each start and read-only elsewhere."""
    enabled: bool = True
    display_name: str | None = None
    deleted: bool = False
    settings: Sealed | None = field(default=None, repr=False)
    """JSON of the settings that only this type has."""


@dataclass(frozen=True, slots=True)
class ProviderKey:
    """One central key. Keys are tried in the order of (created_at, id)."""

    id: str
    provider_id: str
    sealed: Sealed = field(repr=False)
    created_at: datetime


class Providers:
    """The providers as one connection sees them."""

    def __init__(self, db: AsyncConnection) -> None:
        self._db = db

    async def list(self) -> Sequence[Provider]:
        """Return those that are not deleted, oldest first."""
        query = select(ai_providers).where(ai_providers.c.deleted.is_(False))
        rows = await self._db.execute(query.order_by(ai_providers.c.created_at, ai_providers.c.id))
        return [_provider(row) for row in rows]

    async def get(self, provider_id: str, *, lock: bool = False) -> Provider:
        """With *lock* nobody else changes it before this transaction ends. Raises NotFound, also for a deleted one."""
        return await self._only(ai_providers.c.id == provider_id, provider_id, lock=lock)

    async def named(self, name: str, *, lock: bool = False) -> Provider:
        """The same by name."""
        return await self._only(ai_providers.c.name == name, name, lock=lock)

    async def _only(self, which: ColumnElement[bool], called: str, *, lock: bool) -> Provider:
        query = select(ai_providers).where(which, ai_providers.c.deleted.is_(False))
        row = (await self._db.execute(query.with_for_update() if lock else query)).one_or_none()
        if row is None:
            raise NotFound("provider", called)
        return _provider(row)

    async def keys(self, provider_ids: Iterable[str]) -> Sequence[ProviderKey]:
        """Return the keys of these providers, in the order in which they are tried."""
        table = ai_provider_keys.c
        query = select(table.id, table.provider_id, table.api_key, table.api_key_key_id, table.created_at)
        rows = await self._db.execute(
            query.where(table.provider_id.in_(list(provider_ids))).order_by(table.created_at, table.id)
        )
        return [ProviderKey(row[0], row[1], Sealed(row[3] or "", row[2]), row[4]) for row in rows]

    async def insert_key(self, key: ProviderKey) -> None:
        """Add a key to a provider."""
        values = {"api_key": key.sealed.text, "api_key_key_id": key.sealed.key_id, "updated_at": key.created_at}
        row = {"id": key.id, "provider_id": key.provider_id, "created_at": key.created_at, **values}
        await self._db.execute(insert(ai_provider_keys).values(row))

    async def delete_keys(self, key_ids: Iterable[str]) -> None:
        """Nothing happens for those that are gone already."""
        await self._db.execute(delete(ai_provider_keys).where(ai_provider_keys.c.id.in_(list(key_ids))))

    async def known(self, name: str) -> bool:
        """Return whether there is or was a provider of that name, by this table or by the records."""
        for table, column in ((ai_providers, ai_providers.c.name), (session_facets, session_facets.c.provider_name)):
            if (await self._db.execute(select(1).select_from(table).where(column == name).limit(1))).first():
                return True
        return False

    async def insert(self, provider: Provider) -> None:
        """IntegrityError passes when the name is taken: whoever writes names has looked before."""
        await self._db.execute(insert(ai_providers).values({"id": provider.id, **_values(provider)}))

    async def update(self, provider: Provider) -> None:
        """Write every column of the row with that id."""
        await self._db.execute(update(ai_providers).where(ai_providers.c.id == provider.id).values(_values(provider)))


_FIELDS = tuple(name for name in Provider.__slots__ if name != "settings")


def _values(provider: Provider) -> dict[str, object]:
    sealed = provider.settings
    plain = {name: getattr(provider, name) for name in _FIELDS if name != "id"}
    return plain | {"settings": sealed and sealed.text, "settings_key_id": sealed and sealed.key_id}


def _provider(row: AnyRow) -> Provider:
    values = row._mapping
    sealed = Sealed(values["settings_key_id"] or "", values["settings"]) if values["settings"] is not None else None
    return Provider(**{name: values[name] for name in _FIELDS}, settings=sealed)
