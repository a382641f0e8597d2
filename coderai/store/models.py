"""The registry of models. Removing is soft: records and overrides may still name the row."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from coderai.errors import NotFound
from coderai.store.rows import AnyRow, AnySelect
from coderai.store.schema import ai_providers, chat_model_configs

TOPIC = "models"
"""Bumped by every change of a model or of an override."""


@dataclass(frozen=True, slots=True)
class Owner:
    """The provider of a model, as far as a list of models shows it."""

    id: str
    type: str
    name: str
    display_name: str = ""
    enabled: bool = True
    deleted: bool = False

    @property
    def trouble(self) -> str:
        """Why no model of it can be used; '' when nothing is wrong."""
        if self.deleted:
            return f"its provider {self.name} is deleted"
        return "" if self.enabled else f"its provider {self.name} is disabled"


@dataclass(frozen=True, slots=True)
class Model:
    """One row, and whose model it is."""

    id: str
    provider: Owner
    model: str
    """What the provider calls it; opaque, sent as it is."""
    context_limit: int
    created_at: datetime
    updated_at: datetime
    display_name: str = ""
    enabled: bool = True
    is_default: bool = False
    compression_threshold: int = 70
    options: Mapping[str, Any] = field(default_factory=dict)
    """As ``models.checking.tidied`` leaves them."""
    created_by: str | None = None
    updated_by: str | None = None

    @property
    def shown(self) -> str:
        """What people call it."""
        return self.display_name or self.model

    @property
    def trouble(self) -> str:
        """Why nobody can use it; '' when nothing is wrong with it."""
        return self.provider.trouble if self.enabled else "it is disabled"


class Models:
    """The models as one connection sees them; removed ones are not found."""

    def __init__(self, db: AsyncConnection) -> None:
        self._db = db

    async def list(self) -> Sequence[Model]:
        """Return all of them, oldest first."""
        rows = await self._db.execute(_QUERY.order_by(_MODEL.created_at, _MODEL.id))
        return [_read(row) for row in rows]

    async def get(self, model_id: str) -> Model:
        """Raises NotFound."""
        row = (await self._db.execute(_QUERY.where(_MODEL.id == model_id))).one_or_none()
        if row is None:
            raise NotFound("model", model_id)
        return _read(row)

    async def insert(self, model: Model) -> None:
        """One that is to be the default goes in without that; see ``set_default``."""
        values = {"id": model.id, "created_at": model.created_at, "created_by": model.created_by}
        await self._db.execute(insert(chat_model_configs).values(values | _values(model)))

    async def update(self, model: Model) -> None:
        """Write every member but who made it when, and whether it is the default."""
        await self._db.execute(update(chat_model_configs).where(_MODEL.id == model.id).values(_values(model)))

    async def set_default(self, model_id: str | None) -> None:
        """Make this one the only default, or none."""
        await self._db.execute(update(chat_model_configs).where(_MODEL.is_default.is_(True)).values(is_default=False))
        if model_id is not None:
            await self._db.execute(update(chat_model_configs).where(_MODEL.id == model_id).values(is_default=True))

    async def remove(self, model_id: str, now: datetime) -> None:
        """Nothing happens when it is gone already."""
        gone = {"deleted": True, "deleted_at": now, "updated_at": now, "is_default": False}
        await self._db.execute(update(chat_model_configs).where(_MODEL.id == model_id).values(gone))


_MODEL = chat_model_configs.c
_OWNER = ai_providers.c
_FIELDS = ("model", "display_name", "enabled", "context_limit", "compression_threshold", "options")
_STAMPS = ("updated_by", "updated_at")
_QUERY: AnySelect = (
    select(
        *(_MODEL[name] for name in ("id", "is_default", "created_by", "created_at", *_FIELDS, *_STAMPS)),
        *(_OWNER[name].label(f"owner_{name}") for name in Owner.__slots__),
    )
    .join_from(chat_model_configs, ai_providers, _MODEL.ai_provider_id == _OWNER.id)
    .where(_MODEL.deleted.is_(False))
)


def _values(model: Model) -> dict[str, Any]:
    return {"ai_provider_id": model.provider.id, **{name: getattr(model, name) for name in (*_FIELDS, *_STAMPS)}}


def _read(row: AnyRow) -> Model:
    values = dict(row._mapping)
    owner = {name: values.pop(f"owner_{name}") for name in Owner.__slots__}
    return Model(provider=Owner(**owner | {"display_name": owner["display_name"] or ""}), **values)
