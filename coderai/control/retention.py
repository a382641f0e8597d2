"""The pruning job: at the start, then every ten minutes."""

import asyncio
from datetime import timedelta
from typing import Final, Protocol

from coderai.control.clock import Clock, now
from coderai.errors import StoreError
from coderai.observe import logs
from coderai.store.audit import AuditLog
from coderai.store.engine import Store
from coderai.store.retention import purge, purge_api_keys

log = logs.get("retention")

_EVERY: Final = timedelta(minutes=10)


class Limits(Protocol):
    """The part of ``Settings`` that says how long things are kept; zero keeps them for ever."""

    @property
    def aibridge_retention(self) -> timedelta: ...

    @property
    def api_keys_retention(self) -> timedelta: ...

    @property
    def audit_logs_retention(self) -> timedelta: ...


async def keep_within(store: Store, limits: Limits, *, every: timedelta = _EVERY, clock: Clock = now) -> None:
    """Run beside the server, for ever. A round that fails is logged; the next one tries again."""
    while True:
        try:
            await prune(store, limits, clock)
        except StoreError as error:
            log.warning("old records could not be pruned", reason=str(error), again_in=str(every))
        await asyncio.sleep(every.total_seconds())


async def prune(store: Store, limits: Limits, clock: Clock = now) -> None:
    """Delete once what is older than allowed. Raises StoreUnavailable."""
    moment = clock()
    if limits.aibridge_retention:
        purged = await purge(store, moment - limits.aibridge_retention)
        log.debug("pruned records", interceptions=purged.interceptions, rows=purged.total)
    if limits.api_keys_retention:
        count = await purge_api_keys(store, moment - limits.api_keys_retention)
        log.debug("pruned expired tokens", tokens=count)
    if limits.audit_logs_retention:
        async with store.transaction() as db:
            count = await AuditLog(db).purge(moment - limits.audit_logs_retention)
        log.debug("pruned the audit log of changes", entries=count)
