"""Which model is meant in a context: what administrators and persons have chosen."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from coderai.store.schema import (
    chat_model_configs,
    chat_model_overrides,
    site_configs,
    user_chat_model_overrides,
    user_compaction_thresholds,
)

_GATE = "allow_personal_model_overrides"


@dataclass(frozen=True, slots=True)
class PersonalOverride:
    """One row; without one nothing has been chosen."""

    mode: str
    model_id: str = ""


class Overrides:
    """The overrides as one connection sees them. Models that were removed meanwhile are still named."""

    def __init__(self, db: AsyncConnection) -> None:
        self._db = db

    async def deployment(self) -> Mapping[str, str]:
        """Return ids of models by context."""
        table = chat_model_overrides.c
        rows = await self._db.execute(select(table.context, table.model_config_id))
        return {context: model_id for context, model_id in rows}  # noqa: C416 - a Row is no pair for the type checker

    async def set_deployment(self, context: str, model_id: str, now: datetime) -> None:
        """Choose a model for a context; '' chooses none."""
        table = chat_model_overrides
        await self._db.execute(delete(table).where(table.c.context == context))
        if model_id:
            row = {"context": context, "model_config_id": model_id, "updated_at": now}
            await self._db.execute(insert(table).values(row))

    async def personal(self, user_id: str) -> Mapping[str, PersonalOverride]:
        """Return what one user has chosen, by context."""
        table = user_chat_model_overrides.c
        query = select(table.context, table.mode, table.model_config_id).where(table.user_id == user_id)
        return {context: PersonalOverride(mode, model or "") for context, mode, model in await self._db.execute(query)}

    async def set_personal(self, user_id: str, context: str, wanted: PersonalOverride | None, now: datetime) -> None:
        """Choose for a user; None forgets the choice."""
        table = user_chat_model_overrides
        await self._db.execute(delete(table).where(table.c.user_id == user_id, table.c.context == context))
        if wanted is not None:
            row = {
                "user_id": user_id,
                "context": context,
                "mode": wanted.mode,
                "model_config_id": wanted.model_id or None,
                "updated_at": now,
            }
            await self._db.execute(insert(table).values(row))

    async def thresholds(self, user_id: str) -> Mapping[str, int]:
        """Return when one user wants chats summed up, in per cent of the context, by model; removed models left out."""
        table, model = user_compaction_thresholds.c, chat_model_configs.c
        query = select(table.model_config_id, table.threshold_percent).join_from(
            user_compaction_thresholds, chat_model_configs, table.model_config_id == model.id
        )
        rows = await self._db.execute(query.where(table.user_id == user_id, model.deleted.is_(False)))
        return {model_id: percent for model_id, percent in sorted(rows)}  # noqa: C416 - as above

    async def set_threshold(self, user_id: str, model_id: str, percent: int | None, now: datetime) -> None:
        """Choose for a user; None forgets the choice."""
        table = user_compaction_thresholds
        await self._db.execute(delete(table).where(table.c.user_id == user_id, table.c.model_config_id == model_id))
        if percent is not None:
            row = {"user_id": user_id, "model_config_id": model_id, "threshold_percent": percent, "updated_at": now}
            await self._db.execute(insert(table).values(row))

    async def personal_allowed(self) -> bool:
        """Return whether what users have chosen counts; not before an administrator said so."""
        query = select(site_configs.c.value).where(site_configs.c.key == _GATE)
        return bool((await self._db.execute(query)).scalar_one_or_none())

    async def allow_personal(self, allowed: bool, now: datetime) -> None:
        """Let personal choices count, or not; they stay."""
        row = {"value": allowed, "updated_at": now}
        changed = await self._db.execute(update(site_configs).where(site_configs.c.key == _GATE).values(row))
        if not changed.rowcount:
            await self._db.execute(insert(site_configs).values({"key": _GATE, **row}))
