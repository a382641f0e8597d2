"""Sums over ended interceptions, grouped by what people ask for.

From the rows, not from the roll-up: that knows neither days nor which model took which tokens.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, get_args

from sqlalchemy import func, literal_column, select
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql.elements import ColumnElement

from coderai.store.matching import RecordFilter, interception_conditions
from coderai.store.rows import AnySelect
from coderai.store.schema import interceptions, token_usages
from coderai.store.sessions import Tokens

Dimension = Literal["user", "provider", "model", "client", "day"]
DIMENSIONS: Final[tuple[Dimension, ...]] = get_args(Dimension)

_column = interceptions.c

# Written out, not bound: a bound value in GROUP BY is another one than in SELECT.
_SECOND: Final[ColumnElement[Any]] = literal_column("1000000")
_EPOCH: Final[ColumnElement[Any]] = literal_column("'unixepoch'")
_UTC: Final[ColumnElement[Any]] = literal_column("'UTC'")
_FORM: Final[ColumnElement[Any]] = literal_column("'YYYY-MM-DD'")
_NOTHING: Final[ColumnElement[Any]] = literal_column("''")


@dataclass(frozen=True, slots=True)
class Used:
    """What one group took."""

    group: tuple[str, ...]
    """The values of the dimensions, in the order in which they were asked for; a user's is the id."""
    interceptions: int
    tokens: Tokens

    @property
    def weight(self) -> int:
        """All tokens of the four kinds."""
        return self.tokens.input + self.tokens.output + self.tokens.cache_read + self.tokens.cache_write


async def used(db: AsyncConnection, by: Sequence[Dimension], wanted: RecordFilter) -> Sequence[Used]:
    """Return every group; with days the latest day first, else whoever took most first."""
    columns = [_dimension(db, name).label(f"by_{name}") for name in by]
    conditions = [_column.ended_at.is_not(None), *interception_conditions(wanted)]
    counts = await _grouped(db, select(*columns, func.count().label("n")).where(*conditions), columns)
    join = interceptions.join(token_usages, token_usages.c.interception_id == _column.id)
    sums = select(*columns, *(func.sum(token_usages.c[f"{name}_tokens"]).label(name) for name in _SUMS))
    tokens = await _grouped(db, sums.select_from(join).where(*conditions), columns)
    found = [Used(group, int(row.n), _tokens(tokens.get(group))) for group, row in counts.items()]
    found.sort(key=lambda each: (-each.weight, -each.interceptions, each.group))
    if "day" in by:
        place = by.index("day")
        found.sort(key=lambda each: each.group[place], reverse=True)
    return found


_SUMS: Final = ("input", "output", "cache_read_input", "cache_write_input")


async def _grouped(db: AsyncConnection, query: AnySelect, columns: Sequence[Any]) -> dict[tuple[str, ...], Any]:
    rows = await db.execute(query.group_by(*columns))
    return {tuple(str(value) for value in row[: len(columns)]): row for row in rows}


def _tokens(row: Any) -> Tokens:
    return Tokens() if row is None else Tokens(*(int(getattr(row, name)) for name in _SUMS))


def _dimension(db: AsyncConnection, name: Dimension) -> ColumnElement[Any]:
    match name:
        case "user":
            return _column.initiator_id
        case "provider":  # rows of the first versions have no name
            return func.coalesce(func.nullif(_column.provider_name, _NOTHING), _column.provider)
        case "model":
            return _column.model
        case "client":
            return _column.client
    if db.dialect.name == "sqlite":
        return func.date(_column.started_at.op("/")(_SECOND), _EPOCH)
    return func.to_char(func.timezone(_UTC, _column.started_at), _FORM)
