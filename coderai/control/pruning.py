"""Retention by hand: what is kept how long, what would go, and let it go now."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from coderai.access.callers import Caller
from coderai.access.roles import Right, require
from coderai.control.audit import note
from coderai.control.clock import Clock, now
from coderai.control.retention import Limits
from coderai.durations import shortest
from coderai.store.engine import Store
from coderai.store.retention import (
    Purged,
    count_due,
    count_records,
    oldest_record,
    purge,
    purge_api_keys,
    purge_changes,
)

_SECONDS: Final = 5.0
"""For one call: longer ones would outlast the patience of whoever waits for the answer."""


@dataclass(frozen=True, slots=True)
class Ages:
    """How old things may get; zero keeps them for ever, None is for the server's settings to say."""

    ai_records: timedelta | None = None
    api_keys: timedelta | None = None
    audit_logs: timedelta | None = None


@dataclass(frozen=True, slots=True)
class Kept:
    """The ages in force."""

    ai_records: timedelta
    api_keys: timedelta
    audit_logs: timedelta


@dataclass(frozen=True, slots=True)
class Due:
    """What is too old, or what went."""

    records: Purged
    api_keys: int = 0
    audit_logs: int = 0

    @property
    def total(self) -> int:
        """All rows."""
        return self.records.total + self.api_keys + self.audit_logs


@dataclass(frozen=True, slots=True)
class Retention:
    """The state of things."""

    kept: Kept
    configured: bool
    """False where nobody knows the server's settings; then what was not said is kept for ever."""
    oldest: datetime | None
    due: Due


class PruningControl:
    """Retention as people see it; the job runs by itself."""

    def __init__(self, store: Store, limits: Limits | None, clock: Clock = now) -> None:
        """*limits* is None where the server's settings are not known: nothing is deleted by guessing."""
        self._store = store
        self._limits = limits
        self._now = clock

    async def look(self, caller: Caller, wanted: Ages) -> Retention:
        """Return what is kept how long, and what would go. Raises Forbidden."""
        require(caller, Right.READ_DEPLOYMENT)
        kept = self._kept(wanted)
        return Retention(kept, self._limits is not None, await oldest_record(self._store), await self._due(kept))

    async def run(self, caller: Caller, wanted: Ages) -> tuple[Due, int]:
        """Delete what is too old, for some seconds; return what went and how many exchanges are left to go.

        Raises Forbidden, StoreUnavailable; what was deleted until then stays deleted.
        """
        require(caller, Right.DELETE_RECORDS)
        kept, moment = self._kept(wanted), self._now()
        if not await self._any_due(kept):
            return Due(Purged()), 0
        await self._noted(caller, kept)
        records, tokens, changes, left = Purged(), 0, 0, 0
        if kept.api_keys:
            tokens = await purge_api_keys(self._store, moment - kept.api_keys)
        if kept.audit_logs:
            changes = await purge_changes(self._store, moment - kept.audit_logs)
        if kept.ai_records:
            records = await purge(self._store, moment - kept.ai_records, seconds=_SECONDS)
            left = await count_records(self._store, moment - kept.ai_records)
        return Due(records, tokens, changes), left

    async def _noted(self, caller: Caller, kept: Kept) -> None:
        """Before anything goes: the deletions are many transactions, and what is gone must not be gone unsaid."""
        ages = {name: getattr(kept, name) for name in Kept.__slots__}
        text = ", ".join(f"{name} older than {shortest(age)}" for name, age in ages.items() if age)
        async with self._store.transaction() as db:
            await note(db, caller, "delete", "retention", "", text, clock=self._now)

    async def _due(self, kept: Kept) -> Due:
        records = Purged()
        if kept.ai_records:
            records = await purge(self._store, self._now() - kept.ai_records, dry_run=True)
        return Due(records, *await self._others_due(kept))

    async def _any_due(self, kept: Kept) -> bool:
        """Without counting what hangs on each exchange, which takes seconds where there are many."""
        oldest = await oldest_record(self._store) if kept.ai_records else None
        return (oldest is not None and oldest < self._now() - kept.ai_records) or any(await self._others_due(kept))

    async def _others_due(self, kept: Kept) -> tuple[int, int]:
        before = [self._now() - age if age else None for age in (kept.api_keys, kept.audit_logs)]
        return await count_due(self._store, *before)

    def _kept(self, wanted: Ages) -> Kept:
        limits, never = self._limits, timedelta()
        return Kept(
            _first(wanted.ai_records, limits.aibridge_retention if limits else never),
            _first(wanted.api_keys, limits.api_keys_retention if limits else never),
            _first(wanted.audit_logs, limits.audit_logs_retention if limits else never),
        )


def _first(wanted: timedelta | None, otherwise: timedelta) -> timedelta:
    return otherwise if wanted is None else wanted
