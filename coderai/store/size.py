"""How much room the database takes."""

from typing import Final

from sqlalchemy import text

from coderai.store.engine import Store

_QUERIES: Final = {
    "sqlite": text("SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()"),
    "postgresql": text("SELECT pg_database_size(current_database())"),
}


async def size(store: Store) -> int:
    """Return the bytes of all tables and indexes, free pages included. Raises StoreUnavailable."""
    async with store.reading() as db:
        return int((await db.execute(_QUERIES[store.dialect])).scalar_one())
