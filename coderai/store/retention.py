"""Delete what is too old, in batches that never hold up the recorder for long, one process at a time."""

import math
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, fields
from datetime import datetime
from typing import TYPE_CHECKING

from sqlalchemy import Table, delete, func, select
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql.elements import ColumnElement

from coderai.store import hours, schema
from coderai.store.pace import Pace, give_space_back
from coderai.store.rollup import lock_older, lock_sessions, recount
from coderai.store.schema import api_keys, audit_logs, interceptions

if TYPE_CHECKING:
    from coderai.store.engine import Store

_LOCK = 0x0C0DE9E7  # any number, as long as it stays the same
_WHOLE = 4
"""Times as many rows may come along with a batch, so that sessions go in one piece and are counted anew once."""
_ROWS = 1_000
"""Of tables whose rows have nothing below them, in one transaction."""
_CHILDREN = (schema.model_thoughts, schema.tool_usages, schema.token_usages, schema.user_prompts)


@dataclass(frozen=True, slots=True)
class Purged:
    """How many rows went, or would go."""

    interceptions: int = 0
    user_prompts: int = 0
    token_usages: int = 0
    tool_usages: int = 0
    model_thoughts: int = 0

    @property
    def total(self) -> int:
        """All rows."""
        return sum(getattr(self, field.name) for field in fields(self))

    def __add__(self, other: "Purged") -> "Purged":
        return Purged(*(getattr(self, field.name) + getattr(other, field.name) for field in fields(self)))


async def purge(
    store: "Store", older_than: datetime, *, batch: int = 400, dry_run: bool = False, seconds: float = math.inf
) -> Purged:
    """Delete interceptions that started before *older_than*, ended or not, with all their rows.

    After some *seconds* it stops with what it has done by then; whoever asked comes again for the rest. Sessions keep
    what is left of them; empty ones vanish. Returns nothing done when another process is at it. Raises
    StoreUnavailable; what was deleted until then stays deleted.
    """
    if dry_run:
        async with store.reading() as connection:
            return await _count(connection, older_than)
    total, until, pace = Purged(), time.monotonic() + seconds, Pace(store, batch)
    async with _only_one(store) as mine:
        while mine:
            async with store.transaction() as connection:
                with pace.working():
                    done = await _purge_some(connection, older_than, pace.batch)
            total += done
            if done.interceptions == 0 or time.monotonic() >= until:
                break
            await pace.rest()
    await give_space_back(store, until)
    return total


async def purge_api_keys(store: "Store", expired_before: datetime) -> int:
    """Delete gateway tokens that expired before the given time; return how many."""
    return await _delete_all(store, api_keys, api_keys.c.expires_at < expired_before)


async def purge_changes(store: "Store", older_than: datetime) -> int:
    """Delete entries of the audit log that are older than the given time; return how many."""
    return await _delete_all(store, audit_logs, audit_logs.c.time < older_than)


async def count_due(store: "Store", expired_before: datetime | None, older_than: datetime | None) -> tuple[int, int]:
    """Return how many tokens and how many entries of the audit log would go; None keeps all of them."""
    counts = [
        (api_keys, api_keys.c.expires_at, expired_before),
        (audit_logs, audit_logs.c.time, older_than),
    ]
    async with store.reading() as connection:
        tokens, entries = [
            0
            if before is None
            else (await connection.execute(select(func.count()).select_from(table).where(column < before))).scalar_one()
            for table, column, before in counts
        ]
    return tokens, entries


async def count_records(store: "Store", older_than: datetime) -> int:
    """Return how many interceptions started before the given time."""
    query = select(func.count()).select_from(interceptions).where(interceptions.c.started_at < older_than)
    async with store.reading() as connection:
        return int((await connection.execute(query)).scalar_one())


async def oldest_record(store: "Store") -> datetime | None:
    """Return when the oldest interception started."""
    async with store.reading() as connection:
        found: datetime | None = (await connection.execute(select(func.min(interceptions.c.started_at)))).scalar_one()
        return found


async def _delete_all(store: "Store", table: Table, condition: ColumnElement[bool]) -> int:
    deleted, pace = 0, Pace(store, _ROWS)
    while True:
        async with store.transaction() as connection:
            with pace.working():
                some = select(table.c.id).where(condition).limit(pace.batch)
                done = int((await connection.execute(delete(table).where(table.c.id.in_(some)))).rowcount)
        deleted += done
        if done == 0:
            return deleted
        await pace.rest()


async def _purge_some(connection: AsyncConnection, older_than: datetime, batch: int) -> Purged:
    row, key = interceptions.c, (interceptions.c.session_id, interceptions.c.initiator_id)
    oldest = select(*key).where(row.started_at < older_than).order_by(row.started_at, row.id).limit(batch)
    some = sorted({(each.session_id, each.initiator_id) for each in await connection.execute(oldest)})
    ids, keys = await lock_older(connection, some, older_than, batch * _WHOLE)
    if not ids:
        return Purged()
    await lock_sessions(connection, keys)
    await hours.take_off(connection, ids)
    gone: dict[str, int] = {}
    for table in _CHILDREN:
        gone[table.name] = (await connection.execute(delete(table).where(table.c.interception_id.in_(ids)))).rowcount
    await connection.execute(delete(interceptions).where(interceptions.c.id.in_(ids)))
    await recount(connection, keys)
    return _purged(len(ids), gone)


async def _count(connection: AsyncConnection, older_than: datetime) -> Purged:
    old = interceptions.c.started_at < older_than
    total = (await connection.execute(select(func.count()).select_from(interceptions).where(old))).scalar_one()
    counts: dict[str, int] = {}
    for table in _CHILDREN:
        joined = table.join(interceptions, interceptions.c.id == table.c.interception_id)
        counts[table.name] = (
            await connection.execute(select(func.count()).select_from(joined).where(old))
        ).scalar_one()
    return _purged(total, counts)


def _purged(total: int, children: dict[str, int]) -> Purged:
    def of(table: Table) -> int:
        return children[table.name]

    return Purged(
        interceptions=total,
        user_prompts=of(schema.user_prompts),
        token_usages=of(schema.token_usages),
        tool_usages=of(schema.tool_usages),
        model_thoughts=of(schema.model_thoughts),
    )


@asynccontextmanager
async def _only_one(store: "Store") -> AsyncIterator[bool]:
    """Say whether this process may purge now. In SQLite two at once do no harm: they take turns by batches."""
    if store.dialect == "sqlite":
        yield True
        return
    async with store.reading(limit=None) as connection:  # the lock lives as long as this transaction
        yield bool((await connection.execute(select(func.pg_try_advisory_xact_lock(_LOCK)))).scalar_one())
