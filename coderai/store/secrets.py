"""Everything in the database that is sealed, whatever table it is in: for the check at start and for new keys."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Table, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from coderai.access.sealing import Sealed
from coderai.store.schema import ai_provider_keys, ai_providers, user_ai_provider_keys

_BATCH: Final = 200


@dataclass(frozen=True, slots=True)
class SealedColumn:
    """A column that holds sealed secrets, and the one that names their key."""

    table: Table
    secret: str
    key_id: str

    def place(self, row_id: str) -> str:
        """Return what a secret of that row is bound to."""
        return f"{self.table.name}.{self.secret} {row_id}"


PROVIDER_KEY: Final = SealedColumn(ai_provider_keys, "api_key", "api_key_key_id")
PROVIDER_SETTINGS: Final = SealedColumn(ai_providers, "settings", "settings_key_id")
PERSONAL_KEY: Final = SealedColumn(user_ai_provider_keys, "api_key", "api_key_key_id")
COLUMNS: Final[Sequence[SealedColumn]] = (PROVIDER_KEY, PROVIDER_SETTINGS, PERSONAL_KEY)
"""All of them: a new sealed column is a new row here."""


class Secrets:
    """The sealed secrets as one connection sees them."""

    def __init__(self, db: AsyncConnection) -> None:
        self._db = db

    async def key_ids(self) -> frozenset[str]:
        """Return the ids of all keys that are needed to read what is there."""
        found: set[str] = set()
        for column in COLUMNS:
            named = column.table.c[column.key_id]
            rows = await self._db.execute(select(named).where(named.is_not(None)).distinct())
            found.update(rows.scalars())
        return frozenset(found)

    async def sealed_otherwise(self, column: SealedColumn, key_id: str) -> AsyncIterator[tuple[str, Sealed]]:
        """Yield (row id, secret) for what is sealed with another key than *key_id*; it may be replaced meanwhile."""
        table, last = column.table, ""
        named = table.c[column.key_id]
        while True:
            query = select(table.c.id, table.c[column.secret], named).where(named != key_id, table.c.id > last)
            rows = (await self._db.execute(query.order_by(table.c.id).limit(_BATCH))).all()
            for row_id, text, sealed_with in rows:
                yield row_id, Sealed(sealed_with, text)
            if len(rows) < _BATCH:
                return
            last = rows[-1][0]

    async def replace(self, column: SealedColumn, row_id: str, sealed: Sealed) -> None:
        """Put another sealed form in the place of the one that is there."""
        values = {column.secret: sealed.text, column.key_id: sealed.key_id}
        await self._db.execute(update(column.table).where(column.table.c.id == row_id).values(values))
