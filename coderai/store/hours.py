"""The roll-up of usage by the hour, so that a month is summed up at once.

A job moves a mark (kept in ``coderai_meta``) forward through the starts; what started before it is in ``usage_hours``
and ``tool_hours``, what started later is read from its rows. What is deleted is taken off again. The mark never passes
an exchange that runs, nor one so young that its record may still be on its way.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import (
    BigInteger,
    Subquery,
    Table,
    bindparam,
    case,
    cast,
    delete,
    extract,
    func,
    literal_column,
    select,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql.elements import ColumnElement

from coderai.records import Ending
from coderai.store.matching import unindexed
from coderai.store.rows import AnySelect
from coderai.store.schema import interceptions, meta, token_usages, tool_hours, tool_usages, usage_hours
from coderai.store.types import Moment, from_micros, to_micros

if TYPE_CHECKING:
    from coderai.store.engine import Store

ERRORS: Final = (
    *(Ending.UPSTREAM_ERROR, Ending.BROKEN_OFF, Ending.UNREACHABLE),
    *(Ending.TIMEOUT, Ending.REFUSED, Ending.INTERRUPTED),
)
"""Endings that are errors. A client that leaves is none."""
TOKENS: Final = (
    "input_tokens",
    "output_tokens",
    "cache_read_input_tokens",
    "cache_write_input_tokens",
)
HOUR: Final = timedelta(hours=1)

_KEY: Final = "usage_hours_until"
_LOCK: Final = 0x0C0DE707
"""Any number; of PostgreSQL, for whoever moves the mark or relies on it; in SQLite there is one writer anyway."""
_SETTLED_AFTER: Final = timedelta(minutes=15)
"""Much longer than a record may wait for its commit, and than clocks of replicas differ."""
_ROWS: Final = 200
"""In one transaction: a few milliseconds."""
_row = interceptions.c
_DIMENSIONS: Final = ("initiator_id", "on_behalf_of", "provider", "provider_name", "model", "client")
_Conditions = tuple[ColumnElement[bool], ...]
_BETWEEN: Final[_Conditions] = (
    _row.started_at >= bindparam("begin", type_=Moment()),
    _row.started_at < bindparam("end", type_=Moment()),
)
_OF_IDS: Final[_Conditions] = (
    _row.id.in_(bindparam("ids", expanding=True)),
    _row.started_at < bindparam("end", type_=Moment()),
)
_MICROS: Final[ColumnElement[Any]] = literal_column("3600000000")
_SECONDS: Final[ColumnElement[Any]] = literal_column("3600")


async def settled_until(db: AsyncConnection, *, lock: bool = False) -> datetime | None:
    """Return the mark; None before the first settling."""
    if lock and db.dialect.name == "postgresql":  # of the row nobody can wait for before it is there
        await db.execute(select(func.pg_advisory_xact_lock(_LOCK)))
    value = (await db.execute(select(meta.c.value).where(meta.c.key == _KEY))).scalar_one_or_none()
    return None if not value else from_micros(int(value))


async def settle(store: "Store", rows: int = _ROWS) -> bool:
    """Move the mark by about so many *rows*; return whether there is more to do. Raises StoreUnavailable."""
    async with store.transaction() as db:
        await db.execute(_insert(db.dialect.name)(meta).values(key=_KEY, value="").on_conflict_do_nothing())
        mark = await settled_until(db, lock=True)
        limit = await _limit(db, store.clock() - _SETTLED_AFTER)
        begin = mark or await _oldest(db)
        if begin is None or begin >= limit:
            return False
        further = select(_row.started_at).where(_row.started_at >= begin, _row.started_at < limit)
        starts = (await db.execute(further.order_by(_row.started_at).limit(rows + 1))).scalars().all()
        if not starts:
            return False
        more = len(starts) > rows
        end = max(starts[-1], begin + timedelta(microseconds=1)) if more else limit
        await _add(db, _BETWEEN, sign=1, begin=begin, end=end)
        await db.execute(update(meta).where(meta.c.key == _KEY).values(value=str(to_micros(end))))
        return more


async def take_off(db: AsyncConnection, ids: Sequence[str]) -> None:
    """Count these exchanges no more; to be called before they are deleted or changed, in the same transaction."""
    hours = select(hour_of(db, _row.started_at)).where(_row.id.in_(ids)).distinct()
    touched = (await db.execute(hours)).scalars().all()
    await _change(db, -1, ids)
    for table in (usage_hours, tool_hours):
        await db.execute(delete(table).where(table.c.hour.in_(touched), table.c.n == literal_column("0")))


async def put_back(db: AsyncConnection, ids: Sequence[str]) -> None:
    """Count these exchanges again, as they are now."""
    await _change(db, 1, ids)


async def begin_anew(db: AsyncConnection) -> None:
    """Forget the roll-up; the job makes it again from the rows."""
    await settled_until(db, lock=True)
    for table in (usage_hours, tool_hours):
        await db.execute(delete(table))
    await db.execute(delete(meta).where(meta.c.key == _KEY))


async def wrong_hours(db: AsyncConnection) -> Sequence[datetime]:
    """Return the hours of which the roll-up does not say what the rows say; slow."""
    mark = await settled_until(db)
    if mark is None:
        return ()
    hour = hour_of(db, _row.started_at).label("hour")
    settled = (_row.ended_at.is_not(None), _row.started_at < mark)
    tokens = interceptions.join(token_usages, token_usages.c.interception_id == _row.id)
    calls = interceptions.join(tool_usages, tool_usages.c.interception_id == _row.id)
    sums = [func.sum(token_usages.c[name]) for name in TOKENS]
    kept, named = usage_hours.c, tool_hours.c
    pairs = [
        (select(hour, func.count(), func.sum(is_error())), select(kept.hour, func.sum(kept.n), func.sum(kept.errors))),
        (select(hour, *sums).select_from(tokens), select(kept.hour, *(func.sum(kept[name]) for name in TOKENS))),
        (select(hour, func.count()).select_from(calls), select(named.hour, func.sum(named.n))),
    ]
    wrong: set[int] = set()
    for rows, rolled_up in pairs:
        truth = await _by_hour(db, rows.where(*settled).group_by(hour))
        said = await _by_hour(db, rolled_up.group_by(literal_column("1")))
        wrong |= {number for number, _ in truth.items() ^ said.items()}
    return [start_of(number) for number in sorted(wrong)]


async def _by_hour(db: AsyncConnection, query: AnySelect) -> Mapping[int, tuple[int, ...]]:
    """Hours of which there is nothing to be said are left out."""
    rows = [tuple(int(value) for value in row) for row in await db.execute(query)]
    return {row[0]: row[1:] for row in rows if any(row[1:])}


def hour_of(db: AsyncConnection, moment: ColumnElement[Any]) -> ColumnElement[int]:
    """Return the number of the hour since 1970 in which *moment* lies."""
    return _hour(db.dialect.name, moment)


def _hour(dialect: str, moment: ColumnElement[Any]) -> ColumnElement[int]:
    if dialect == "sqlite":
        return moment.op("/", return_type=BigInteger())(_MICROS)
    return cast(func.floor(extract("epoch", moment).op("/")(_SECONDS)), BigInteger)


def number_of(moment: datetime) -> int:
    """Return the number of the hour in which *moment* lies."""
    return to_micros(moment) // (HOUR // timedelta(microseconds=1))


def start_of(hour: int) -> datetime:
    """Return when the hour of that number begins."""
    return datetime.fromtimestamp(hour * 3600, UTC)


def is_error() -> ColumnElement[int]:
    """Return 1 for an exchange that ended as an error, else 0."""
    ending = _row.ending.in_([literal_column(f"'{each.value}'") for each in ERRORS])
    return case((ending, literal_column("1")), else_=literal_column("0"))


async def _change(db: AsyncConnection, sign: int, ids: Sequence[str]) -> None:
    mark = await settled_until(db, lock=True)
    if mark is not None and ids:
        await _add(db, _OF_IDS, sign=sign, ids=ids, end=mark)


async def _limit(db: AsyncConnection, newest: datetime) -> datetime:
    running = select(func.min(unindexed(_row.started_at))).where(_row.ended_at.is_(None))
    oldest = (await db.execute(running)).scalar_one_or_none()
    return newest if oldest is None else min(oldest, newest)


async def _oldest(db: AsyncConnection) -> datetime | None:
    found: datetime | None = (await db.execute(select(func.min(_row.started_at)))).scalar_one_or_none()
    return found


async def _add(db: AsyncConnection, which: _Conditions, **values: Any) -> None:
    for statement in _adding(db.dialect.name, which):
        await db.execute(statement, values)


@cache  # made anew for every batch of a purge they take five times as long as the database
def _adding(dialect: str, which: _Conditions) -> Sequence[Any]:
    """Return the statements that add what is chosen by *which*, ``:sign`` times."""
    times = bindparam("sign", type_=BigInteger())
    by: list[Any] = [_hour(dialect, _row.started_at).label("hour")]
    by += [func.coalesce(_row.on_behalf_of, literal_column("''")).label("on_behalf_of")]
    by += [_row[name] for name in _DIMENSIONS if name != "on_behalf_of"]
    ended = [_row.ended_at.is_not(None), *which]
    sums = [
        select(func.coalesce(func.sum(token_usages.c[name]), literal_column("0")))
        .where(token_usages.c.interception_id == _row.id)
        .scalar_subquery()
        .label(name)
        for name in TOKENS
    ]
    each = select(*by, is_error().label("errors"), *sums).where(*ended).subquery()
    used = [func.count() * times, *(func.sum(each.c[name]) * times for name in ("errors", *TOKENS))]
    calls = select(*by, tool_usages.c.tool).join(tool_usages, tool_usages.c.interception_id == _row.id)
    called = calls.where(*ended).subquery()
    return _upsert(dialect, usage_hours, each, used), _upsert(dialect, tool_hours, called, [func.count() * times])


def _upsert(dialect: str, table: Table, rows: Subquery, counts: Sequence[Any]) -> Any:
    sums = [column.name for column in table.c if not column.primary_key]
    keys = [rows.c[column.name] for column in table.primary_key.columns]
    grouped = select(*keys, *counts).where(literal_column("1") == literal_column("1")).group_by(*keys)
    insert = _insert(dialect)(table).from_select([key.name for key in keys] + sums, grouped)
    added = {name: table.c[name] + insert.excluded[name] for name in sums}
    return insert.on_conflict_do_update(index_elements=list(table.primary_key.columns), set_=added)


def _insert(dialect: str) -> Any:
    return sqlite.insert if dialect == "sqlite" else postgresql.insert
