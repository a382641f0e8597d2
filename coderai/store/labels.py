"""Distinct models and clients of the recorded traffic."""

from typing import Any, Literal

from sqlalchemy import and_, func, literal_column, select
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql.elements import ColumnElement

from coderai.store.rows import AnySelect
from coderai.store.schema import session_facets, sessions

Label = Literal["model", "client"]


async def distinct_labels(
    db: AsyncConnection, label: Label, *, prefix: str, visible_to: str | None, limit: int, offset: int
) -> list[str]:
    """Return a page of the values that begin with *prefix*, sorted."""
    column = session_facets.c[label]
    query = _everybody(column) if visible_to is None else _visible(column, visible_to)
    values = query.subquery()
    found = select(values.c.label).where(values.c.label.is_not(None))
    if prefix:
        # Not LIKE, which ignores case in SQLite and has wildcards.
        found = found.where(values.c.label >= prefix, values.c.label < prefix + "\U0010ffff")
    rows = await db.execute(found.order_by(values.c.label).limit(limit).offset(offset))
    return [str(row.label) for row in rows]


def _everybody(column: ColumnElement[Any]) -> AnySelect:
    """Jump from value to value in the index: a handful of look-ups, however many rows there are."""
    first = select(func.min(column).label("label")).cte("jump", recursive=True)
    further = select(func.min(column)).where(column > first.c.label).scalar_subquery()
    jumps = first.union_all(select(further).where(first.c.label.is_not(None)))
    return select(jumps.c.label)


def _visible(column: ColumnElement[Any], user_id: str) -> AnySelect:
    facet = session_facets.c
    mine = and_(facet.session_id == sessions.c.id, facet.initiator_id == sessions.c.initiator_id)
    own = select(column.label("label")).join(sessions, mine).where(sessions.c.initiator_id == user_id)
    for_me = select(column.label("label")).where(
        facet.on_behalf_of != literal_column("''"), facet.on_behalf_of == user_id
    )
    both = own.union(for_me).subquery()
    return select(both.c.label)
