"""Signs of life of a database, for whoever wonders what is wrong."""

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from sqlalchemy import exists, func, select, text

from coderai.store.processes import ORPHANED_AFTER, ago
from coderai.store.schema import ai_providers, interceptions, processes

if TYPE_CHECKING:
    from coderai.store.engine import Store


@dataclass(frozen=True, slots=True)
class Signs:
    """What can be seen quickly."""

    size: int
    """Bytes on disk."""
    journal: str
    """Of SQLite; ``wal`` where all is well."""
    clock: datetime
    """Of the database server, or of this machine."""
    oldest: datetime | None
    orphans: int
    """Exchanges that a dead process left open; every server closes them when it starts, and later."""
    alive: int
    """Servers that run on it."""
    upstreams: tuple[tuple[str, str], ...]
    """Name and base URL of each provider that was made through the API and is enabled."""


async def signs(store: "Store") -> Signs:
    """Raises StoreUnavailable."""
    async with store.reading() as db:
        now = store.clock()
        if store.dialect == "sqlite":
            pages, page, journal = [
                (await db.execute(text(f"PRAGMA {name}"))).scalar_one()
                for name in ("page_count", "page_size", "journal_mode")
            ]
            size = int(pages) * int(page)
        else:
            journal = ""
            size, now = (await db.execute(select(func.pg_database_size(func.current_database()), func.now()))).one()
        living = processes.c.heartbeat_at >= ago(store, ORPHANED_AFTER)
        served = exists().where(processes.c.id == interceptions.c.process_id, living)
        left = select(func.count()).where(
            interceptions.c.ended_at.is_(None),
            interceptions.c.started_at < ago(store, ORPHANED_AFTER),
            ~served,
        )
        upstreams = select(ai_providers.c.name, ai_providers.c.base_url).where(
            ai_providers.c.enabled.is_(True), ai_providers.c.deleted.is_(False), ai_providers.c.source == "api"
        )
        return Signs(
            size=int(size),
            journal=str(journal),
            clock=now,
            oldest=(await db.execute(select(func.min(interceptions.c.started_at)))).scalar_one(),
            orphans=(await db.execute(left)).scalar_one(),
            alive=(await db.execute(select(func.count()).select_from(processes).where(living))).scalar_one(),
            upstreams=tuple((row.name, row.base_url) for row in await db.execute(upstreams)),
        )
