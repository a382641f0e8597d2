"""Distinct models and clients of the recorded traffic, and what else sessions are narrowed to, with counts."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from sqlalchemy import and_, func, literal_column, select
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql.elements import ColumnElement

from coderai.store.rows import AnySelect
from coderai.store.schema import session_facets, sessions
from coderai.store.users import Person, Users

Label = Literal["model", "client"]

MOST_COUNTED: Final = 100
"""Sessions of one label are not counted further: choices are for orientation, and lists show them on every visit."""


@dataclass(frozen=True, slots=True)
class Counted:
    """A label, and in how many sessions it is found."""

    name: str
    sessions: int
    capped: bool
    """There are more."""


@dataclass(frozen=True, slots=True)
class Labels:
    """What sessions can be narrowed to, sorted by name."""

    models: Sequence[Counted] = ()
    clients: Sequence[Counted] = ()
    providers: Sequence[Counted] = ()
    """Names of instances."""
    initiators: Sequence[tuple[Person, Counted]] = ()
    """Empty for those who see their own sessions only."""


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


async def counted_labels(db: AsyncConnection, *, visible_to: str | None, limit: int) -> Labels:
    """Return the first *limit* labels of each kind."""
    facet = session_facets.c
    models, clients, providers = [
        await _counted(db, _of_everybody(column, (facet.session_id, facet.initiator_id), limit, distinct=True))
        if visible_to is None
        else await _counted(db, _of_one(column, visible_to, limit))
        for column in (facet.model, facet.client, facet.provider_name)
    ]
    if visible_to is not None:
        return Labels(models, clients, providers)
    everybody = await _counted(db, _of_everybody(sessions.c.initiator_id, (sessions.c.id,), limit))
    people = await Users(db).people(each.name for each in everybody)
    named = sorted(((people[each.name], each) for each in everybody), key=lambda pair: pair[0].username)
    return Labels(models, clients, providers, named)


async def _counted(db: AsyncConnection, query: AnySelect) -> list[Counted]:
    rows = await db.execute(query)
    return [Counted(row.label, min(row.n, MOST_COUNTED), row.n > MOST_COUNTED) for row in rows]


def _of_everybody(column: Any, key: Sequence[Any], limit: int, *, distinct: bool = False) -> AnySelect:
    """Count rows by *key*; *distinct* where a session has several."""
    values = _everybody(column).subquery()
    some = select(*key).where(column == values.c.label).limit(MOST_COUNTED + 1)
    some = some.distinct() if distinct else some
    count = select(func.count()).select_from(some.correlate(values).subquery()).scalar_subquery()
    named = select(values.c.label, count.label("n")).where(values.c.label.is_not(None), values.c.label != "")
    return named.order_by(values.c.label).limit(limit)


def _of_one(column: Any, user_id: str, limit: int) -> AnySelect:
    facet = session_facets.c
    columns = (column.label("label"), facet.session_id, facet.initiator_id)
    mine = and_(facet.session_id == sessions.c.id, facet.initiator_id == sessions.c.initiator_id)
    own = select(*columns).join(sessions, mine).where(sessions.c.initiator_id == user_id)
    for_me = select(*columns).where(facet.on_behalf_of != literal_column("''"), facet.on_behalf_of == user_id)
    both = own.union(for_me).subquery()
    query = select(both.c.label, func.count().label("n")).where(both.c.label != "")
    return query.group_by(both.c.label).order_by(both.c.label).limit(limit)
