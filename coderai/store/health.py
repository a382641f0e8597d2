"""How providers do, as the records of the last hour tell it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import func, literal_column, select
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql.elements import ColumnElement

from coderai.records import Ending, ErrorType
from coderai.store.hours import HOUR, number_of, start_of
from coderai.store.schema import interceptions, usage_hours

WINDOW: Final = HOUR
ROWS: Final = 5_000
"""Of the window, the latest: enough for percentiles, and quick."""
_LOOK_BACK: Final = timedelta(days=30)
"""For the last error."""
_row = interceptions.c
_FAULTS: Final = tuple(
    each.value for each in (Ending.UPSTREAM_ERROR, Ending.BROKEN_OFF, Ending.UNREACHABLE, Ending.TIMEOUT)
)
"""Not what the gateway itself refused or interrupted."""
_NOTHING: Final[ColumnElement[str]] = literal_column("''")


@dataclass(frozen=True, slots=True)
class Failed:
    """The last error of a provider."""

    at: datetime
    ending: str
    status: int | None
    error_type: str | None
    message: str | None
    model: str
    interception_id: str


@dataclass(frozen=True, slots=True)
class Doing:
    """How one provider does."""

    requests: int = 0
    """Ended ones that started in the window."""
    errors: int = 0
    """That the provider has to answer for: not what was wrong with the request."""
    waits: tuple[timedelta, ...] = ()
    """Until the first byte, sorted."""
    last_error: Failed | None = None


@dataclass(frozen=True, slots=True)
class Doings:
    """How the providers do, by name."""

    by_name: Mapping[str, Doing]
    capped: bool
    """There were more exchanges than were looked at."""


async def provider_doings(db: AsyncConnection, now: datetime, names: Iterable[str]) -> Doings:
    """Return how the providers of these *names* do."""
    query = select(interceptions).where(_row.started_at >= now - WINDOW).order_by(_row.started_at.desc())
    rows = (await db.execute(query.limit(ROWS + 1))).all()
    by_name: dict[str, Doing] = {}
    for name in names:
        by_name[name] = _doing([row for row in rows[:ROWS] if (row.provider_name or row.provider) == name])
    healthy = [name for name, doing in by_name.items() if doing.last_error is None]
    for name, failed in (await _earlier(db, now, healthy)).items():
        by_name[name] = replace(by_name[name], last_error=failed)
    return Doings(by_name, len(rows) > ROWS)


def _doing(rows: Sequence[Any]) -> Doing:
    """*rows* are latest first."""
    ended = [row for row in rows if row.ended_at is not None]
    failed = [row for row in ended if row.ending in _FAULTS and row.error_type != ErrorType.BAD_REQUEST.value]
    waits = (row.first_byte_at - row.started_at for row in ended if row.first_byte_at is not None)
    return Doing(len(ended), len(failed), tuple(sorted(waits)), _failed(failed[0]) if failed else None)


async def _earlier(db: AsyncConnection, now: datetime, names: Sequence[str]) -> Mapping[str, Failed]:
    """The roll-up knows the hour; only its rows are looked at."""
    column = usage_hours.c
    name = func.coalesce(func.nullif(column.provider_name, _NOTHING), column.provider)
    latest = (
        select(name.label("name"), func.max(column.hour).label("hour"))
        .where(column.hour >= number_of(now - _LOOK_BACK), column.errors > literal_column("0"))
        .group_by(name)
    )
    hours = {row.name: int(row.hour) for row in await db.execute(latest) if row.name in names}
    found = {}
    for each, hour in hours.items():
        start, provider = start_of(hour), func.coalesce(func.nullif(_row.provider_name, _NOTHING), _row.provider)
        query = select(interceptions).where(_row.started_at >= start, _row.started_at < start + HOUR)
        fault = _row.ending.in_(_FAULTS) & _row.error_type.is_distinct_from(ErrorType.BAD_REQUEST.value)
        query = query.where(fault, provider == each)
        row = (await db.execute(query.order_by(_row.started_at.desc()).limit(1))).one_or_none()
        if row is not None:
            found[each] = _failed(row)
    return found


def _failed(row: Any) -> Failed:
    return Failed(row.ended_at, row.ending, row.http_status, row.error_type, row.error_message, row.model, row.id)
