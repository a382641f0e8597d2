"""Delete what is too old, in batches that never hold up the recorder for long, one process at a time."""

import asyncio
import contextlib
import math
import sqlite3
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, fields
from datetime import datetime
from typing import TYPE_CHECKING

from sqlalchemy import Table, delete, func, select
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql.elements import ColumnElement

from coderai.store import schema
from coderai.store.rollup import lock_sessions, recount
from coderai.store.schema import api_keys, audit_logs, interceptions
from coderai.store.trouble import translated

if TYPE_CHECKING:
    from coderai.store.engine import Store

_LOCK = 0x0C0DE9E7  # any number, as long as it stays the same
_PAUSE = 0.1
"""SQLite's waiting writers look again every tenth of a second at least: leave them such a gap."""
_VACUUM_PAGES = 256
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
    store: "Store", older_than: datetime, *, batch: int = 100, dry_run: bool = False, seconds: float = math.inf
) -> Purged:
    """Delete interceptions that started before *older_than*, ended or not, with all their rows.

    After some *seconds* it stops with what it has done by then; whoever asked comes again for the rest. Sessions keep
    what is left of them; empty ones vanish. Returns nothing done when another process is at it. Raises
    StoreUnavailable; what was deleted until then stays deleted.
    """
    if dry_run:
        async with store.reading() as connection:
            return await _count(connection, older_than)
    total, until = Purged(), time.monotonic() + seconds
    async with _only_one(store) as mine:
        while mine:
            began = time.monotonic()
            async with store.transaction() as connection:
                done = await _purge_some(connection, older_than, batch)
            total += done
            if done.interceptions == 0 or time.monotonic() >= until:
                break
            await leave_room(began)
    if total.interceptions and store.dialect == "sqlite":
        with translated():
            await asyncio.to_thread(_give_space_back, str(store.engine.url.database))
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


async def oldest_record(store: "Store") -> datetime | None:
    """Return when the oldest interception started."""
    async with store.reading() as connection:
        found: datetime | None = (await connection.execute(select(func.min(interceptions.c.started_at)))).scalar_one()
        return found


async def leave_room(began: float) -> None:
    """Stay away for as long as the work since *began* took: half of the time belongs to the recorder."""
    await asyncio.sleep(max(_PAUSE, time.monotonic() - began))


async def _delete_all(store: "Store", table: Table, condition: ColumnElement[bool]) -> int:
    deleted = 0
    while True:
        began = time.monotonic()
        some = select(table.c.id).where(condition).limit(_ROWS)
        async with store.transaction() as connection:
            done = int((await connection.execute(delete(table).where(table.c.id.in_(some)))).rowcount)
        deleted += done
        if done < _ROWS:
            return deleted
        await leave_room(began)


async def _purge_some(connection: AsyncConnection, older_than: datetime, batch: int) -> Purged:
    query = (
        select(interceptions.c.id, interceptions.c.session_id, interceptions.c.initiator_id)
        .where(interceptions.c.started_at < older_than)
        .order_by(interceptions.c.started_at, interceptions.c.id)
        .limit(batch)
        .with_for_update(skip_locked=True)
    )
    rows = (await connection.execute(query)).all()
    if not rows:
        return Purged()
    ids = [row.id for row in rows]
    keys = sorted({(row.session_id, row.initiator_id) for row in rows})
    await lock_sessions(connection, keys)
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


def _give_space_back(path: str) -> None:
    """Return free pages of SQLite to the file system, a megabyte at a time, so that nobody waits for long."""
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
        free, before = 1, 0
        while free and free != before:
            before = free
            # The statement frees one page for each of its steps: only executescript takes them all.
            connection.executescript(f"PRAGMA incremental_vacuum({_VACUUM_PAGES})")
            free = connection.execute("PRAGMA freelist_count").fetchone()[0]
            time.sleep(_PAUSE)
