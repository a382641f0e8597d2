"""Sums over ended interceptions, grouped by what people ask for: settled hours by their roll-up, the rest by rows."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Literal, get_args

from sqlalchemy import FromClause, Table, and_, exists, func, literal_column, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql.elements import ColumnElement

from coderai.store.hours import HOUR, TOKENS, hour_of, is_error, number_of, settled_until, start_of
from coderai.store.matching import RecordFilter, interception_conditions
from coderai.store.schema import (
    interceptions,
    session_facets,
    sessions,
    token_usages,
    tool_hours,
    tool_usages,
    usage_hours,
)
from coderai.store.sessions import Tokens

Dimension = Literal["user", "provider", "model", "client", "day", "hour"]
DIMENSIONS: Final[tuple[Dimension, ...]] = get_args(Dimension)
TIMES: Final = ("day", "hour")
Interval = Literal["hour", "day"]

_row = interceptions.c
_TEXTS: Final = ("provider", "provider_name", "model", "client")

# Written out, not bound: a bound value in GROUP BY is another one than in SELECT.
_DAY: Final[ColumnElement[Any]] = literal_column("24")
_NOTHING: Final[ColumnElement[Any]] = literal_column("''")

Group = tuple[str, ...]
Conditions = Sequence[ColumnElement[bool]]


@dataclass(frozen=True, slots=True)
class Used:
    """What one group took."""

    group: Group
    """The values of the dimensions, in the order in which they were asked for; a user's is the id."""
    interceptions: int
    errors: int
    tokens: Tokens

    @property
    def weight(self) -> int:
        """All tokens of the four kinds."""
        return self.tokens.input + self.tokens.output + self.tokens.cache_read + self.tokens.cache_write

    def __add__(self, other: "Used") -> "Used":
        return Used(
            self.group,
            self.interceptions + other.interceptions,
            self.errors + other.errors,
            Tokens(
                self.tokens.input + other.tokens.input,
                self.tokens.output + other.tokens.output,
                self.tokens.cache_read + other.tokens.cache_read,
                self.tokens.cache_write + other.tokens.cache_write,
            ),
        )


async def used(db: AsyncConnection, by: Sequence[Dimension], wanted: RecordFilter) -> Sequence[Used]:
    """Return every group; with days or hours the latest first, else whoever took most first."""
    settled, ranges = await _sources(db, wanted)
    parts = [] if settled is None else [await _used_in_hours(db, by, [*settled.of(usage_hours, wanted)])]
    parts += [await _used_in_rows(db, by, [*each, *interception_conditions(wanted)]) for each in ranges]
    sums: dict[Group, Used] = {}
    for each in (each for part in parts for each in part):
        sums[each.group] = sums[each.group] + each if each.group in sums else each
    found = sorted(sums.values(), key=lambda each: (-each.weight, -each.interceptions, each.group))
    if times := [place for place, name in enumerate(by) if name in TIMES]:
        found.sort(key=lambda each: [each.group[place] for place in times], reverse=True)
    return found


async def tools_used(db: AsyncConnection, wanted: RecordFilter) -> Sequence[tuple[str, int]]:
    """Return the names of all tools that models called, and how often, most called first."""
    settled, ranges = await _sources(db, wanted)
    counts: Counter[str] = Counter()
    queries = []
    if settled is not None:
        tool, n = tool_hours.c.tool, func.sum(tool_hours.c.n)
        queries.append(select(tool, n).where(*settled.of(tool_hours, wanted)).group_by(tool))
    for each in ranges:
        conditions = [*each, *interception_conditions(wanted)]
        join = interceptions.join(tool_usages, tool_usages.c.interception_id == _row.id)
        calls = select(tool_usages.c.tool, func.count()).select_from(join)
        queries.append(calls.where(*conditions).group_by(tool_usages.c.tool))
    for query in queries:
        for name, count in await db.execute(query):
            counts[name] += int(count)
    return sorted(counts.items(), key=lambda each: (-each[1], each[0]))


async def sessions_begun(db: AsyncConnection, interval: Interval, wanted: RecordFilter) -> Mapping[str, int]:
    """Return how many sessions began in each hour or day; those of which nothing has ended are not counted."""
    started = sessions.c.started_at
    conditions = []
    if wanted.started_after is not None:  # the first for its index
        conditions += [sessions.c.last_active_at >= wanted.started_after, started >= wanted.started_after]
    if wanted.started_before is not None:
        conditions.append(started <= wanted.started_before)
    if wanted.session_id:
        conditions.append(sessions.c.id == wanted.session_id)
    if wanted.initiator_id:
        conditions.append(sessions.c.initiator_id == wanted.initiator_id)
    facet = session_facets.c
    mine = and_(facet.session_id == sessions.c.id, facet.initiator_id == sessions.c.initiator_id)
    texts = [facet[name] == value for name in _TEXTS if (value := getattr(wanted, name))]
    if wanted.on_behalf_of:
        texts.append(facet.on_behalf_of.in_(wanted.on_behalf_of))
    if texts:
        conditions.append(exists().where(mine, *texts))
    if wanted.visible_to is not None:
        for_me = exists().where(mine, facet.on_behalf_of == wanted.visible_to)
        conditions.append(or_(sessions.c.initiator_id == wanted.visible_to, for_me))
    bucket = _dimension(hour_of(db, started), sessions, interval).label("bucket")
    rows = await db.execute(select(bucket, func.count().label("n")).where(*conditions).group_by(bucket))
    return {_value(interval, row.bucket): int(row.n) for row in rows}


@dataclass(frozen=True, slots=True)
class _Settled:
    """Hours of the roll-up, by their numbers."""

    first: int | None
    end: int | None

    def of(self, table: Table, wanted: RecordFilter) -> Iterator[ColumnElement[bool]]:
        """Yield what a row of *table* must fulfil."""
        column = table.c
        if self.first is not None:
            yield column.hour >= self.first
        if self.end is not None:
            yield column.hour < self.end
        for name in _TEXTS:
            if value := getattr(wanted, name):
                yield column[name] == value
        if wanted.initiator_id:
            yield column.initiator_id == wanted.initiator_id
        if wanted.on_behalf_of:
            yield column.on_behalf_of.in_(wanted.on_behalf_of)
        if wanted.visible_to is not None:
            yield or_(column.initiator_id == wanted.visible_to, column.on_behalf_of == wanted.visible_to)


async def _sources(db: AsyncConnection, wanted: RecordFilter) -> tuple[_Settled | None, list[Conditions]]:
    """Return the hours of the roll-up, None when it has nothing of use, and conditions on the rows of the rest."""
    mark = await settled_until(db)
    after, before = wanted.started_after, wanted.started_before
    first = None if after is None else _up(after)
    settled_end = before is not None and mark is not None and before < mark
    end = _down(before) if settled_end and before is not None else mark
    if mark is None or wanted.session_id or end is None or (first is not None and first >= end):
        return None, [[_row.ended_at.is_not(None)]]
    ranges: list[Conditions] = [[_row.ended_at.is_not(None), _row.started_at >= end]]
    if first is not None and first != after:
        ranges.append([_row.ended_at.is_not(None), _row.started_at < first])
    numbers = None if first is None else number_of(first), number_of(end) if settled_end else None
    return _Settled(*numbers), ranges


def _up(moment: datetime) -> datetime:
    return _down(moment + HOUR - timedelta(microseconds=1))


def _down(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(minute=0, second=0, microsecond=0)


async def _used_in_hours(db: AsyncConnection, by: Sequence[Dimension], conditions: Conditions) -> Sequence[Used]:
    columns = [_dimension(usage_hours.c.hour, usage_hours, name).label(f"by_{name}") for name in by]
    sums = (func.sum(usage_hours.c[name]).label(name) for name in ("n", "errors", *TOKENS))
    rows = await db.execute(select(*columns, *sums).where(*conditions).group_by(*columns))
    return [Used(_group(by, row), int(row.n), int(row.errors), _tokens(row)) for row in rows]


async def _used_in_rows(db: AsyncConnection, by: Sequence[Dimension], conditions: Conditions) -> Sequence[Used]:
    columns = [_dimension(hour_of(db, _row.started_at), interceptions, name).label(f"by_{name}") for name in by]
    counted = select(*columns, func.count().label("n"), func.sum(is_error()).label("errors"))
    counts = (await db.execute(counted.where(*conditions).group_by(*columns))).all()
    join = interceptions.join(token_usages, token_usages.c.interception_id == _row.id)
    sums = select(*columns, *(func.sum(token_usages.c[name]).label(name) for name in TOKENS)).select_from(join)
    tokens = {_group(by, row): row for row in await db.execute(sums.where(*conditions).group_by(*columns))}
    return [Used(_group(by, row), int(row.n), int(row.errors), _tokens(tokens.get(_group(by, row)))) for row in counts]


def _group(by: Sequence[Dimension], row: Any) -> Group:
    return tuple(_value(name, value) for name, value in zip(by, row, strict=False))


def _value(name: str, value: Any) -> str:
    match name:
        case "hour":
            return f"{start_of(int(value)):%Y-%m-%dT%H:%M:%SZ}"
        case "day":
            return start_of(24 * int(value)).date().isoformat()
    return str(value)


def _tokens(row: Any) -> Tokens:
    return Tokens() if row is None else Tokens(*(int(getattr(row, name)) for name in TOKENS))


def _dimension(hour: ColumnElement[int], table: FromClause, name: Dimension) -> ColumnElement[Any]:
    column = table.c
    match name:
        case "user":
            return column.initiator_id
        case "provider":  # rows of the first versions have no name
            return func.coalesce(func.nullif(column.provider_name, _NOTHING), column.provider)
        case "model":
            return column.model
        case "client":
            return column.client
        case "day":
            return hour.op("/")(_DAY)
    return hour
