"""The providers of the configuration, entered in the table that all providers share."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Protocol

from sqlalchemy.exc import IntegrityError

from coderai.control.clock import Clock, now
from coderai.errors import BadSettings
from coderai.ids import new_id
from coderai.store.engine import Store
from coderai.store.providers import TOPIC, Provider, Providers

CONFIG = "config"


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

    Keys are not stored. What vanished is disabled, not deleted. Raises BadSettings when a name belongs to a provider
    that was made through the API.
    """
    try:
        return await _apply(store, configured, clock())
    except IntegrityError:  # another replica, starting with the same configuration, was faster
        return await _apply(store, configured, clock())


async def _apply(store: Store, configured: Sequence[Configured], moment: datetime) -> Sequence[str]:
    async with store.reading() as db:
        before = {provider.name: provider for provider in await Providers(db).list()}
    wanted = {each.name: _row(each, before.get(each.name), moment) for each in configured}
    vanished = [row for name, row in before.items() if row.source == CONFIG and row.enabled and name not in wanted]
    made = [row for name, row in wanted.items() if name not in before]
    changed = [row for name, row in wanted.items() if name in before and row != before[name]]
    if made or changed or vanished:
        async with store.transaction([TOPIC]) as db:
            for row in made:
                await Providers(db).insert(row)
            for row in changed:
                await Providers(db).update(replace(row, updated_at=moment))
            for row in vanished:
                await Providers(db).update(replace(row, enabled=False, updated_at=moment))
    return [row.name for row in vanished]


def _row(each: Configured, present: Provider | None, moment: datetime) -> Provider:
    if present is None:
        return Provider(new_id(), each.type, each.name, each.base_url, moment, moment, CONFIG)
    if present.source != CONFIG:
        raise BadSettings(
            f'{each.source}: the provider name "{each.name}" belongs to a provider that was made through the API; '
            "rename this one, or remove that one"
        )
    return replace(present, type=each.type, base_url=each.base_url, enabled=True)
