"""What a test sees when it looks into the tables."""

from typing import Any

from sqlalchemy import Table, select

from coderai.store.engine import Store
from coderai.store.rollup import recount
from coderai.store.schema import interceptions, session_facets, sessions


async def rows(store: Store, table: Table) -> list[dict[str, Any]]:
    """Every row of *table*, in key order."""
    async with store.reading() as connection:
        query = select(table).order_by(*table.primary_key.columns)
        return [dict(row) for row in (await connection.execute(query)).mappings()]


async def only(store: Store, table: Table) -> dict[str, Any]:
    """The one row of *table*."""
    (row,) = await rows(store, table)
    return row


async def interception(store: Store, interception_id: str) -> dict[str, Any]:
    """The row of one interception."""
    async with store.reading() as connection:
        query = select(interceptions).where(interceptions.c.id == interception_id)
        return dict((await connection.execute(query)).mappings().one())


async def roll_up(store: Store) -> list[list[dict[str, Any]]]:
    """Sessions and facets as they are."""
    return [await rows(store, sessions), await rows(store, session_facets)]


async def recounted(store: Store) -> list[list[dict[str, Any]]]:
    """Sessions and facets as the rows say they should be."""
    async with store.transaction() as connection:
        await recount(connection)
    return await roll_up(store)
