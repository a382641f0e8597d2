"""The pruning job: at the start, then every ten minutes."""

import asyncio
import time
from datetime import timedelta
from typing import Final, Protocol

from coderai.control.clock import Clock, now
from coderai.errors import StoreError
from coderai.observe import logs
from coderai.store.engine import Store
from coderai.store.retention import purge, purge_api_keys, purge_changes

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


class Told(Protocol):
    """Wants to know what was deleted, and how long it took."""

    def pruned(self, kind: str, rows: int) -> None: ...

    def pruning(self, seconds: float, *, success: bool) -> None: ...


async def keep_within(
    store: Store, limits: Limits, *, every: timedelta = _EVERY, clock: Clock = now, told: Told | None = None
) -> None:
    """Run beside the server, for ever. A round that fails is logged; the next one tries again."""
    while True:
        began, success = time.monotonic(), False
        try:
            await prune(store, limits, clock, told)
            success = True
        except StoreError as error:
            log.warning("old records could not be pruned", reason=str(error), again_in=str(every))
        if told is not None:
            told.pruning(time.monotonic() - began, success=success)
        await asyncio.sleep(every.total_seconds())


async def prune(store: Store, limits: Limits, clock: Clock = now, told: Told | None = None) -> None:
    """Delete once what is older than allowed. Raises StoreUnavailable."""
    moment = clock()
    tell = told.pruned if told is not None else _tell_nobody
    if limits.aibridge_retention:
        purged = await purge(store, moment - limits.aibridge_retention)
        tell("aibridge_records", purged.total)
        log.debug("pruned records", interceptions=purged.interceptions, rows=purged.total)
    if limits.api_keys_retention:
        count = await purge_api_keys(store, moment - limits.api_keys_retention)
        tell("expired_api_keys", count)
        log.debug("pruned expired tokens", tokens=count)
    if limits.audit_logs_retention:
        count = await purge_changes(store, moment - limits.audit_logs_retention)
        tell("audit_logs", count)
        log.debug("pruned the audit log of changes", entries=count)


def _tell_nobody(_kind: str, _rows: int) -> None:
    pass
