"""The providers of the configuration, entered in the table that all providers share."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final, Protocol

from sqlalchemy.exc import IntegrityError

from coderai.control.clock import Clock, now
from coderai.errors import BadSettings, StoreUnavailable
from coderai.ids import new_id
from coderai.observe import logs
from coderai.store.engine import Store
from coderai.store.processes import others_alive
from coderai.store.providers import TOPIC, Provider, Providers

log = logs.get("providers")

CONFIG = "config"
_RETIRE_SECONDS: Final = 30.0


class Configured(Protocol):
    """What we need of ``settings.ProviderConfig``."""

    @property
    def type(self) -> str: ...

    @property
    def name(self) -> str: ...

    @property
    def base_url(self) -> str: ...

    @property
    def source(self) -> str: ...


async def apply_config(store: Store, configured: Sequence[Configured], clock: Clock = now) -> Sequence[str]:
    """Make the table agree with the configuration, and return the names of those that have vanished from it.

    Keys are not stored. What vanished is disabled, not deleted, unless another server that runs still has it. Raises
    BadSettings when a name belongs to a provider that was made through the API.
    """
    try:
        await _apply(store, configured, clock())
    except IntegrityError:  # another replica, starting with the same configuration, was faster
        await _apply(store, configured, clock())
    return await retire(store, configured, clock)


async def retire(store: Store, configured: Sequence[Configured], clock: Clock = now) -> Sequence[str]:
    """Disable the rows that no running server has in its configuration any more, and return their names."""
    ours = {each.name for each in configured}
    async with store.reading() as db:
        rows = [row for row in await Providers(db).list() if row.source == CONFIG and row.enabled]
        known = ours.union(*(other.providers for other in await others_alive(store, db)))
    vanished = [row for row in rows if row.name not in known]
    if vanished:
        async with store.transaction([TOPIC]) as db:
            for row in vanished:
                await Providers(db).update(replace(row, enabled=False, updated_at=clock()))
    return [row.name for row in vanished]


async def keep_retiring(store: Store, configured: Sequence[Configured], *, every: float = _RETIRE_SECONDS) -> None:
    """Do so until cancelled: a server that had further providers may have left. To be run beside everything else."""
    while True:
        await asyncio.sleep(every)
        try:
            for name in await retire(store, configured):
                log.warning("provider is in no server's configuration any more and was disabled", provider=name)
        except StoreUnavailable as error:
            log.warning("configured providers could not be looked at", reason=str(error))


async def _apply(store: Store, configured: Sequence[Configured], moment: datetime) -> None:
    async with store.reading() as db:
        before = {provider.name: provider for provider in await Providers(db).list()}
    wanted = {each.name: _row(each, before.get(each.name), moment) for each in configured}
    made = [row for name, row in wanted.items() if name not in before]
    changed = [row for name, row in wanted.items() if name in before and row != before[name]]
    if made or changed:
        async with store.transaction([TOPIC]) as db:
            for row in made:
                await Providers(db).insert(row)
            for row in changed:
                await Providers(db).update(replace(row, updated_at=moment))


def _row(each: Configured, present: Provider | None, moment: datetime) -> Provider:
    if present is None:
        return Provider(new_id(), each.type, each.name, each.base_url, moment, moment, CONFIG)
    if present.source != CONFIG:
        raise BadSettings(
            f'{each.source}: the provider name "{each.name}" belongs to a provider that was made through the API; '
            "rename this one, or remove that one"
        )
    return replace(present, type=each.type, base_url=each.base_url, enabled=True)
