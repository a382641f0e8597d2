"""Take the contents of a person's records out, in batches that never hold up the recorder for long.

What was counted stays: exchanges, tokens, tools, times. ``metadata`` of an exchange says afterwards that it was erased.
"""

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import TYPE_CHECKING, Final

from sqlalchemy import case, func, literal, or_, select, text, tuple_, update
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql.elements import ColumnElement

from coderai.store import hours
from coderai.store.pace import Pace
from coderai.store.rollup import lock_sessions, recount
from coderai.store.schema import (
    interceptions,
    model_thoughts,
    session_facets,
    tool_usages,
    user_prompts,
)
from coderai.store.types import Key, Moment

if TYPE_CHECKING:
    from coderai.store.engine import Store

MARK: Final = {"erased": True}
_row = interceptions.c
_Place = tuple[datetime, str]
_UNERASED: Final = (_row.ended_at.is_not(None), or_(_row.metadata.is_(None), _row.metadata != MARK))
_LOOK_AHEAD: Final = 2_000


@dataclass(frozen=True, slots=True)
class Erased:
    """How many rows were emptied."""

    interceptions: int = 0
    user_prompts: int = 0
    tool_usages: int = 0
    model_thoughts: int = 0

    def __add__(self, other: "Erased") -> "Erased":
        return Erased(*(getattr(self, field.name) + getattr(other, field.name) for field in fields(self)))


async def erase_records(
    store: "Store", user_id: str, username: str, *, batch: int = 400, seconds: float = math.inf
) -> tuple[Erased, bool]:
    """Empty the ended exchanges of a user, and those that others made on that user's behalf.

    Returns what was done, and whether that was all: after some *seconds* it stops, and the next call goes on. Raises
    StoreUnavailable; what was erased until then stays erased.
    """
    total, until, pace = Erased(), time.monotonic() + seconds, Pace(store, batch)
    for mine in (_row.initiator_id == user_id, _acted_for(user_id, username)):
        after: _Place | None = None
        while found := await _next(store, mine, after):
            after = found[-1]
            while found:
                ids = [each for _, each in found[: pace.batch]]
                found = found[pace.batch :]
                async with store.transaction() as db:
                    with pace.working():
                        total += await _erase_some(db, ids, username, user_id)
                if time.monotonic() >= until:
                    return total, False
                await pace.rest()
    return total, True


async def running(store: "Store", user_id: str) -> int:
    """Return how many exchanges of the user have not ended yet; those are not touched."""
    query = select(func.count()).where(_row.ended_at.is_(None), _row.initiator_id == user_id)
    async with store.reading() as db:
        return int((await db.execute(query)).scalar_one())


def _acted_for(user_id: str, username: str) -> ColumnElement[bool]:
    """Found by the index of the facets; a name instead of an id was recorded before there was such a user."""
    named = (user_id, username)
    facet = session_facets.c
    keys = select(facet.session_id, facet.initiator_id).where(facet.on_behalf_of != "", facet.on_behalf_of.in_(named))
    return tuple_(_row.session_id, _row.initiator_id).in_(keys) & _row.on_behalf_of.in_(named)


async def _erase_some(db: AsyncConnection, some: Sequence[str], username: str, user_id: str) -> Erased:
    if db.dialect.name == "sqlite":  # or the words would stay in the file's free space
        await db.execute(text("PRAGMA secure_delete=ON"))
    query = select(_row.id, _row.session_id, _row.initiator_id).where(_row.id.in_(some), *_UNERASED)
    rows = (await db.execute(query.order_by(_row.id).with_for_update())).all()
    if not rows:  # retention was faster
        return Erased()
    ids = [row.id for row in rows]
    keys = sorted({(row.session_id, row.initiator_id) for row in rows})
    await lock_sessions(db, keys)
    await hours.take_off(db, ids)
    emptied = []
    for table, values in (
        (user_prompts, {"prompt": "", "metadata": None}),
        (tool_usages, {"input": "", "server_url": None, "invocation_error": None, "metadata": None}),
        (model_thoughts, {"content": ""}),
    ):
        emptied.append(
            (await db.execute(update(table).where(table.c.interception_id.in_(ids)).values(values))).rowcount
        )
    await db.execute(
        update(interceptions)
        .where(_row.id.in_(ids))
        .values(
            metadata=MARK,
            user_agent="",
            error_message=None,
            api_key_id=None,
            credential_hint=case((_row.credential_kind == "byok", ""), else_=_row.credential_hint),
            on_behalf_of=case((_row.on_behalf_of == username, user_id), else_=_row.on_behalf_of),
        )
    )
    await hours.put_back(db, ids)
    await recount(db, keys)
    return Erased(len(ids), *emptied)


async def _next(store: "Store", mine: ColumnElement[bool], after: _Place | None) -> Sequence[_Place]:
    """Return what is to be erased next. Looked for without any lock: it may take a while where there is much."""
    query = select(_row.started_at, _row.id).where(mine, *_UNERASED).order_by(_row.started_at, _row.id)
    if after is not None:
        place = tuple_(literal(after[0], Moment), literal(after[1], Key))
        query = query.where(tuple_(_row.started_at, _row.id) > place)
    async with store.reading() as db:
        return [(row.started_at, row.id) for row in await db.execute(query.limit(_LOOK_AHEAD))]
