"""Which processes are alive, and the interceptions that dead ones left open."""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from sqlalchemy import ColumnElement, delete, exists, func, insert, literal, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from coderai.errors import StoreUnavailable
from coderai.records import Ending
from coderai.store.rollup import lock_sessions, recount
from coderai.store.schema import interceptions, processes
from coderai.store.types import Moment

if TYPE_CHECKING:
    from coderai.store.engine import Store

log = logging.getLogger(__name__)

ORPHANED_AFTER = timedelta(seconds=30)
_BATCH = 500


@dataclass(frozen=True, slots=True)
class Known:
    """What a process that is alive has said of itself."""

    process_id: str
    key_ids: frozenset[str]
    """Of the encryption keys that it can open secrets with."""
    providers: frozenset[str]
    """Names that its configuration has."""


def ago(store: "Store", age: timedelta = timedelta()) -> ColumnElement[datetime]:
    """Return the moment *age* before now by the clock that all processes share.

    That is the server's on PostgreSQL, so that a replica whose own clock is wrong takes nobody for dead.
    """
    if store.dialect == "postgresql":
        return func.now() - age
    return literal(store.clock() - age, Moment())


async def register(store: "Store") -> None:
    """Enter this process, so that nobody takes its running interceptions for orphans."""
    async with store.transaction() as connection:
        await connection.execute(insert(processes).values(id=store.process_id, heartbeat_at=ago(store)))


async def introduce(store: "Store", *, key_ids: Sequence[str], providers: Sequence[str]) -> None:
    """Say what this process knows: others look at it before they do what would leave it blind."""
    said = {"key_ids": sorted(key_ids), "providers": sorted(providers)}
    store.introduction = said
    async with store.transaction() as connection:
        await connection.execute(update(processes).where(processes.c.id == store.process_id).values(said))


async def others_alive(store: "Store", connection: AsyncConnection) -> Sequence[Known]:
    """Return what the other processes have said that are alive."""
    alive = processes.c.heartbeat_at >= ago(store, ORPHANED_AFTER)
    query = select(processes).where(alive, processes.c.id != store.process_id).order_by(processes.c.id)
    rows = await connection.execute(query)
    return [Known(row.id, frozenset(row.key_ids), frozenset(row.providers)) for row in rows]


async def beat(store: "Store") -> None:
    """Say that this process is alive."""
    mine = processes.c.id == store.process_id
    async with store.transaction() as connection:
        result = await connection.execute(update(processes).where(mine).values(heartbeat_at=ago(store)))
        if result.rowcount == 0:  # another one thought us dead
            row = {"id": store.process_id, "heartbeat_at": ago(store), **store.introduction}
            await connection.execute(insert(processes).values(row))


async def leave(store: "Store") -> None:
    """Say good-bye: what we left open, if anything, is now an orphan."""
    try:
        async with store.transaction() as connection:
            await connection.execute(delete(processes).where(processes.c.id == store.process_id))
    except StoreUnavailable as error:
        log.warning("could not sign off from the database: %s", error)


async def attend(store: "Store", *, every: float = 5.0) -> None:
    """Beat and look for orphans until cancelled. To be run as a task beside everything else."""
    while True:
        await asyncio.sleep(every)
        try:
            await beat(store)
            await close_orphans(store)
        except StoreUnavailable as error:
            log.warning("heartbeat not written: %s", error)


async def close_orphans(store: "Store", *, after: timedelta = ORPHANED_AFTER) -> int:
    """Close open interceptions of processes silent for longer than *after* as interrupted; return how many."""
    closed = 0
    while batch := await _close_some(store, ago(store, after)):
        closed += batch
    if closed:
        log.warning("closed %d interceptions that a process left open", closed)
    async with store.transaction() as connection:
        await connection.execute(delete(processes).where(processes.c.heartbeat_at < ago(store, after)))
    return closed


async def _close_some(store: "Store", horizon: ColumnElement[datetime]) -> int:
    alive = exists().where(processes.c.id == interceptions.c.process_id, processes.c.heartbeat_at >= horizon)
    # A process without a row has left or is just coming: its young ones are nobody's orphans yet.
    orphans = (
        select(interceptions.c.id, interceptions.c.session_id, interceptions.c.initiator_id)
        .where(interceptions.c.ended_at.is_(None), interceptions.c.started_at < horizon, ~alive)
        .where(interceptions.c.process_id.is_distinct_from(store.process_id))
        .order_by(interceptions.c.id)
        .limit(_BATCH)
        .with_for_update(skip_locked=True)
    )
    async with store.transaction() as connection:
        rows = (await connection.execute(orphans)).all()
        if not rows:
            return 0
        keys = sorted({(row.session_id, row.initiator_id) for row in rows})
        await lock_sessions(connection, keys)
        await connection.execute(
            update(interceptions)
            .where(interceptions.c.id.in_([row.id for row in rows]), interceptions.c.ended_at.is_(None))
            .values(
                ended_at=ago(store),
                ending=Ending.INTERRUPTED.value,
                error_type="unknown",
                error_message="the process that served this exchange ended before it",
            )
        )
        await recount(connection, keys)
        return len(rows)
