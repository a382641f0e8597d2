"""Provider instances. Their keys are kept apart, encrypted; those from the configuration are not kept at all."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from coderai.store.rows import AnyRow
from coderai.store.schema import ai_providers, session_facets

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


class Providers:
    """The providers as one connection sees them."""

    def __init__(self, db: AsyncConnection) -> None:
        self._db = db

    async def list(self) -> Sequence[Provider]:
        """Return those that are not deleted, oldest first."""
        query = select(ai_providers).where(ai_providers.c.deleted.is_(False))
        rows = await self._db.execute(query.order_by(ai_providers.c.created_at, ai_providers.c.id))
        return [_provider(row) for row in rows]

    async def known(self, name: str) -> bool:
        """Return whether there is or was a provider of that name, by this table or by the records."""
        for table, column in ((ai_providers, ai_providers.c.name), (session_facets, session_facets.c.provider_name)):
            if (await self._db.execute(select(1).select_from(table).where(column == name).limit(1))).first():
                return True
        return False

    async def insert(self, provider: Provider) -> None:
        """IntegrityError passes when the name is taken: whoever writes names has looked before."""
        await self._db.execute(insert(ai_providers).values({name: getattr(provider, name) for name in _FIELDS}))

    async def update(self, provider: Provider) -> None:
        """Write every column of the row with that id."""
        values = {name: getattr(provider, name) for name in _FIELDS if name != "id"}
        await self._db.execute(update(ai_providers).where(ai_providers.c.id == provider.id).values(values))


_FIELDS = Provider.__slots__


def _provider(row: AnyRow) -> Provider:
    return Provider(**{name: row._mapping[name] for name in _FIELDS})
