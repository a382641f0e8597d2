"""Which sessions match a filter, found the cheap way at a million records.

There are two ways. *Walking*: go along the sessions in the order of the list and look at each one's facets; quick when
many match. *Driving*: let the narrowest condition pick facets from an index that covers all the others; quick when few
match. The count, which a list needs anyway and which stops at ``MOST``, tells which one to take.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, TypeVar

from sqlalchemy import and_, exists, func, literal_column, or_, select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql.elements import ColumnElement

from coderai.store.rows import AnySelect
from coderai.store.schema import interceptions, session_facets, sessions

MOST: Final = 10_000
"""Lists do not count further."""
_FEW_SESSIONS: Final = 2_000
_FEW_FACETS: Final = 50_000

Condition = ColumnElement[bool]
_T = TypeVar("_T")
_TEXTS: Final = ("provider", "provider_name", "model", "client")
_facet = session_facets.c


@dataclass(frozen=True, slots=True)
class RecordFilter:
    """What records are narrowed to; empty members do not narrow. Names have become ids."""

    initiator_id: str = ""
    on_behalf_of: tuple[str, ...] = ()
    """Any of these."""
    provider: str = ""
    provider_name: str = ""
    model: str = ""
    client: str = ""
    session_id: str = ""
    started_after: datetime | None = None
    started_before: datetime | None = None
    visible_to: str | None = None
    """Only what this user asked for, or what was asked for on that user's behalf; None shows all."""


@dataclass(frozen=True, slots=True)
class Count:
    """How many there are, as far as counted."""

    value: int
    capped: bool

    @classmethod
    def of(cls, counted: int) -> "Count":
        """Judge a count that stopped one after ``MOST``."""
        return cls(min(counted, MOST), counted > MOST)


@dataclass(frozen=True, slots=True)
class Matches:
    """The sessions that match a filter."""

    count: Count
    conditions: Sequence[Condition]
    """On ``sessions``: for walking."""
    keys: AnySelect | None
    """(session id, initiator id), when there are few enough to fetch and sort them all."""


async def find_sessions(db: AsyncConnection, wanted: RecordFilter) -> Matches:
    """Count, and choose the way."""
    walk = walking(wanted)
    if (
        not _facet_conditions(wanted)
        or wanted.session_id
        or wanted.visible_to is not None
        or await _has_few_sessions(db, wanted)
    ):
        return Matches(Count.of(await _counted(db, select(sessions.c.id).where(*walk), MOST)), walk, None)
    keys = await driven_keys(db, wanted)
    count = Count.of(await _counted(db, keys, MOST))
    if count.capped and (latest := await _latest(db, wanted)) is not None:
        walk.append(sessions.c.started_at <= latest)
    return Matches(count, walk, None if count.capped else keys)


def walking(wanted: RecordFilter) -> list[Condition]:
    """Return all conditions as conditions on ``sessions``."""
    conditions = session_conditions(wanted)
    # Necessary, not sufficient, and quickly judged.
    if wanted.started_before is not None:
        conditions.append(sessions.c.started_at <= wanted.started_before)
    if wanted.started_after is not None:
        conditions.append(sessions.c.ended_at >= wanted.started_after)
    facets = _facet_conditions(wanted, plain="")  # by the key of the session, and by nothing else
    if facets and not _only_a_beginning(wanted):
        mine = and_(_facet.session_id == sessions.c.id, _facet.initiator_id == sessions.c.initiator_id)
        conditions.append(exists(select(1).where(mine, *facets)))
    return conditions


def _only_a_beginning(wanted: RecordFilter) -> bool:
    """Whether all that is asked of facets is that one began early enough: then the session did."""
    texts = any(getattr(wanted, name) for name in _TEXTS)
    return not (texts or wanted.on_behalf_of or wanted.started_after) and wanted.started_before is not None


def session_conditions(wanted: RecordFilter) -> list[Condition]:
    """Return what can be judged without looking at facets."""
    conditions: list[Condition] = []
    if wanted.session_id:
        conditions.append(sessions.c.id == wanted.session_id)
    if wanted.initiator_id:
        conditions.append(sessions.c.initiator_id == wanted.initiator_id)
    if wanted.visible_to is not None:
        conditions.append(_visible_session(wanted.visible_to))
    return conditions


def _visible_session(user_id: str) -> Condition:
    """The own ones, and those in which every call was made on the user's behalf: no one else's come along."""
    other = session_facets.alias()
    for_me = (
        select(_facet.session_id, _facet.initiator_id)
        .where(_facet.on_behalf_of != literal_column("''"), _facet.on_behalf_of == user_id)
        .where(
            ~exists(
                select(1).where(
                    other.c.session_id == _facet.session_id,
                    other.c.initiator_id == _facet.initiator_id,
                    other.c.on_behalf_of != user_id,
                )
            )
        )
    )
    return or_(sessions.c.initiator_id == user_id, tuple_(sessions.c.id, sessions.c.initiator_id).in_(for_me))


async def driven_keys(db: AsyncConnection, wanted: RecordFilter) -> AnySelect:
    """Return the query for the keys of all sessions with a matching facet, driven by the narrowest condition."""
    narrowest = await _narrowest(db, wanted)
    conditions = [*_facet_conditions(wanted, plain=narrowest), *_facet_owner(wanted)]
    session_id: ColumnElement[str] = _facet.session_id
    if narrowest == "time":  # or SQLite would go through all facets in the order of the distinct columns
        session_id = unindexed(session_id).label("session_id")
    return select(session_id, _facet.initiator_id).where(*conditions).distinct()


async def _narrowest(db: AsyncConnection, wanted: RecordFilter) -> str:
    """Return the name of the condition that lets through the fewest facets; of several broad ones the time, whose
    index covers all the others."""
    candidates = [name for name in _TEXTS if getattr(wanted, name)]
    if wanted.on_behalf_of or wanted.session_id:
        return "on_behalf_of"
    if wanted.started_after or wanted.started_before:
        candidates.insert(0, "time")
    if len(candidates) < 2:
        return "".join(candidates)
    sizes = {}
    for name in candidates:
        only = _window(wanted) if name == "time" else [_facet[name] == getattr(wanted, name)]
        sizes[name] = await _counted(
            db, select(literal_column("1")).select_from(session_facets).where(*only), _FEW_FACETS
        )
    return min(candidates, key=lambda name: sizes[name])


async def _latest(db: AsyncConnection, wanted: RecordFilter) -> datetime | None:
    """Return a time after which nothing that matches has started: what nobody uses any more is not looked for in vain.

    Goes back along the index of the ends, which has all that is asked for here.
    """
    conditions = [unindexed(_facet[name]) == value for name in _TEXTS if (value := getattr(wanted, name))]
    if wanted.initiator_id:
        conditions.append(unindexed(_facet.initiator_id) == wanted.initiator_id)
    query = select(_facet.last_at).where(*conditions).order_by(_facet.last_at.desc()).limit(1)
    latest: datetime | None = (await db.execute(query)).scalar_one_or_none()
    return latest


async def _has_few_sessions(db: AsyncConnection, wanted: RecordFilter) -> bool:
    if not wanted.initiator_id:
        return False
    mine = select(sessions.c.id).where(sessions.c.initiator_id == wanted.initiator_id)
    return await _counted(db, mine, _FEW_SESSIONS) <= _FEW_SESSIONS


async def _counted(db: AsyncConnection, query: AnySelect, most: int) -> int:
    """Count the rows of *query*, but stop one after *most*."""
    few = query.limit(most + 1).subquery()
    return int((await db.execute(select(func.count()).select_from(few))).scalar_one())


def _facet_conditions(wanted: RecordFilter, plain: str | None = None) -> list[Condition]:
    """Return what one facet row must fulfil. With *plain*, the name of one or none, no index may serve other texts."""
    conditions = _window(wanted)
    for name in _TEXTS:
        if value := getattr(wanted, name):
            column: ColumnElement[str] = _facet[name]
            conditions.append((column if plain in (None, name) else unindexed(column)) == value)
    if wanted.on_behalf_of:  # said twice for the partial index
        conditions += [_facet.on_behalf_of != literal_column("''"), _facet.on_behalf_of.in_(wanted.on_behalf_of)]
    return conditions


def unindexed(column: ColumnElement[_T]) -> ColumnElement[_T]:
    """Return the same value in a form that no index serves: SQLite without statistics guesses badly."""
    return func.coalesce(column, column, type_=column.type)


def _facet_owner(wanted: RecordFilter) -> list[Condition]:
    conditions: list[Condition] = []
    if wanted.session_id:
        conditions.append(_facet.session_id == wanted.session_id)
    if wanted.initiator_id:
        conditions.append(_facet.initiator_id == wanted.initiator_id)
    if wanted.visible_to is not None:
        conditions.append(or_(_facet.initiator_id == wanted.visible_to, _facet.on_behalf_of == wanted.visible_to))
    return conditions


def _window(wanted: RecordFilter) -> list[Condition]:
    """The facet's time and the wanted time overlap."""
    conditions: list[Condition] = []
    if wanted.started_after is not None:
        conditions.append(_facet.last_at >= wanted.started_after)
    if wanted.started_before is not None:
        first_at = _facet.first_at if wanted.started_after is None else unindexed(_facet.first_at)
        conditions.append(first_at <= wanted.started_before)  # the other end of the window has the better index
    return conditions


def interception_conditions(wanted: RecordFilter, *, by_session: bool = False) -> list[Condition]:
    """Return what one interception must fulfil, running ones included.

    With *by_session* the time is not to be found by its index: keys of sessions are given as well.
    """
    column = interceptions.c
    conditions: list[Condition] = [column[name] == value for name in _TEXTS if (value := getattr(wanted, name))]
    if wanted.session_id:
        conditions.append(column.session_id == wanted.session_id)
    if wanted.initiator_id:
        conditions.append(
            (unindexed(column.initiator_id) if by_session else column.initiator_id) == wanted.initiator_id
        )
    if wanted.on_behalf_of:
        conditions.append(column.on_behalf_of.in_(wanted.on_behalf_of))
    started = unindexed(column.started_at) if by_session else column.started_at
    if wanted.started_after is not None:
        conditions.append(started >= wanted.started_after)
    if wanted.started_before is not None:
        conditions.append(started <= wanted.started_before)
    if wanted.visible_to is not None:
        conditions.append(or_(column.initiator_id == wanted.visible_to, column.on_behalf_of == wanted.visible_to))
    return conditions


@dataclass(frozen=True, slots=True)
class RecordMatches:
    """The ended interceptions that match a filter."""

    count: Count
    conditions: Sequence[Condition]
    few: bool
    """Fetch and sort them all instead of walking along the index of the starts."""


async def find_interceptions(db: AsyncConnection, wanted: RecordFilter) -> RecordMatches:
    """Count, and choose the way.

    Facets know their numbers, so only a time window, which may cut a facet in two, needs a look at the rows.
    """
    facets = [*_facet_conditions(wanted), *_facet_owner(wanted)]
    some = select(_facet.n).where(*facets).limit(MOST + 1).subquery()
    total = int((await db.execute(select(func.coalesce(func.sum(some.c.n), 0)))).scalar_one())
    few = total <= MOST and bool(facets)
    conditions = [interceptions.c.ended_at.is_not(None), *interception_conditions(wanted, by_session=few)]
    if few:
        keys = await driven_keys(db, wanted)
        conditions.append(tuple_(interceptions.c.session_id, interceptions.c.initiator_id).in_(keys))
    elif facets and (latest := await _latest(db, wanted)) is not None:
        conditions.append(interceptions.c.started_at <= latest)
    if wanted.started_after or wanted.started_before:
        total = await _counted(db, select(interceptions.c.id).where(*conditions), MOST)
    return RecordMatches(Count.of(total), conditions, few)
