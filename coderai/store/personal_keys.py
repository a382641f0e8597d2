"""Provider keys that people keep for themselves, sealed: at most one for each user and provider."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from coderai.access.sealing import Sealed
from coderai.store.rows import AnyRow, AnySelect
from coderai.store.schema import ai_providers, users
from coderai.store.schema import user_ai_provider_keys as table

TOPIC = "personal_keys"
"""Bumped by every change of one."""


@dataclass(frozen=True, slots=True)
class PersonalKey:
    """One row, with the name of its provider."""

    id: str
    user_id: str
    provider_id: str
    sealed: Sealed = field(repr=False)
    created_at: datetime
    updated_at: datetime
    provider_name: str = ""
    """Only read, never written."""


class PersonalKeys:
    """The personal keys as one connection sees them."""

    def __init__(self, db: AsyncConnection) -> None:
        self._db = db

    async def of(self, user_id: str) -> Sequence[PersonalKey]:
        """Return all keys of a user, whatever the state of user and provider."""
        return [_key(row) for row in await self._db.execute(_all().where(table.c.user_id == user_id))]

    async def working(self, user_id: str) -> Sequence[PersonalKey]:
        """Return those that calls may go with: their owner may act."""
        may_act = (users.c.deleted.is_(False), users.c.status != "suspended")
        query = _all().join(users, users.c.id == table.c.user_id).where(table.c.user_id == user_id, *may_act)
        return [_key(row) for row in await self._db.execute(query)]

    async def get(self, user_id: str, provider_id: str) -> PersonalKey | None:
        """Return the one for a provider."""
        query = _all().where(table.c.user_id == user_id, table.c.ai_provider_id == provider_id)
        row = (await self._db.execute(query)).one_or_none()
        return None if row is None else _key(row)

    async def insert(self, key: PersonalKey) -> None:
        """IntegrityError passes when there is one already."""
        row = {"id": key.id, "user_id": key.user_id, "ai_provider_id": key.provider_id, "created_at": key.created_at}
        await self._db.execute(insert(table).values(row | _secret(key.sealed, key.updated_at)))

    async def replace(self, key_id: str, sealed: Sealed, moment: datetime) -> None:
        """Put another secret in the place of the one that is there."""
        await self._db.execute(update(table).where(table.c.id == key_id).values(_secret(sealed, moment)))

    async def delete(self, key_id: str) -> None:
        """Nothing happens when it is gone already."""
        await self._db.execute(delete(table).where(table.c.id == key_id))

    async def delete_of_user(self, user_id: str) -> None:
        """The user is gone, and takes the keys along."""
        await self._db.execute(delete(table).where(table.c.user_id == user_id))

    async def delete_for_provider(self, provider_id: str) -> None:
        """The provider is gone, and takes the keys along."""
        await self._db.execute(delete(table).where(table.c.ai_provider_id == provider_id))


def _secret(sealed: Sealed, moment: datetime) -> dict[str, object]:
    return {"api_key": sealed.text, "api_key_key_id": sealed.key_id, "updated_at": moment}


def _all() -> AnySelect:
    query = select(table, ai_providers.c.name).join(ai_providers, ai_providers.c.id == table.c.ai_provider_id)
    return query.order_by(ai_providers.c.name, table.c.id)


def _key(row: AnyRow) -> PersonalKey:
    sealed = Sealed(row.api_key_key_id or "", row.api_key)
    return PersonalKey(row.id, row.user_id, row.ai_provider_id, sealed, row.created_at, row.updated_at, row.name)
