"""The audit log of administration: who changed what."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Text, func, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql.elements import ColumnElement

from coderai.store.patterns import containing
from coderai.store.rows import AnyRow
from coderai.store.schema import audit_logs


@dataclass(frozen=True, slots=True)
class Entry:
    """One row."""

    id: str
    time: datetime
    action: str
    resource_type: str
    user_id: str | None = None
    """Who did it; None where nobody was signed in."""
    resource_id: str = ""
    resource_target: str = ""
    """What the thing is called by people."""
    diff: Mapping[str, Any] = field(default_factory=dict)
    """``{"old": …, "new": …, "secret": …}`` by the name of the member."""
    status_code: int | None = None
    ip: str = ""
    user_agent: str = ""
    request_id: str = ""
    organization_id: str | None = None
    additional_fields: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class EntryFilter:
    """What the list is narrowed to; empty members do not narrow."""

    action: str = ""
    resource_type: str = ""
    resource_id: str = ""
    target: str = ""
    """Part of the name, any case."""
    user_id: str = ""
    request_id: str = ""
    since: datetime | None = None
    """Inclusive, as is ``until``."""
    until: datetime | None = None


class AuditLog:
    """The entries as one connection sees them. They are written, read, and in the end deleted; never changed."""

    def __init__(self, db: AsyncConnection) -> None:
        self._db = db

    async def insert(self, entry: Entry) -> None:
        """Add an entry."""
        await self._db.execute(insert(audit_logs).values({name: getattr(entry, name) for name in _FIELDS}))

    async def has(
        self, action: str, resource_type: str, resource_id: str, target: str, user_id: str | None, *, since: datetime
    ) -> bool:
        """Return whether there is such an entry, later than *since*."""
        columns = audit_logs.c
        same = (
            columns.time > since,
            columns.action == action,
            columns.resource_type == resource_type,
            columns.resource_id == resource_id,
            columns.resource_target == target,
            columns.user_id.is_not_distinct_from(user_id),
        )
        return (await self._db.execute(select(columns.id).where(*same).limit(1))).first() is not None

    async def forget(self, user_id: str, username: str, tombstone: str) -> None:
        """Take a person's names and traces out of the entries; who, what and when stay, under the *tombstone*."""
        about = (audit_logs.c.resource_type == "user") & (audit_logs.c.resource_id == user_id)
        names = {username}
        for row in await self._db.execute(select(audit_logs.c.diff).where(about)):
            change = (row.diff or {}).get("username", {})
            names |= {name for name in change.values() if name and isinstance(name, str)}
        await self._db.execute(update(audit_logs).where(about).values(resource_target=tombstone, diff={}))
        mine = audit_logs.c.user_id == user_id
        await self._db.execute(update(audit_logs).where(mine).values(ip="", user_agent=""))
        for name in sorted(names):
            await self._rename(name, tombstone)

    async def _rename(self, name: str, tombstone: str) -> None:
        """In what is called after a person, such as a token, and in differences that tell whose something is."""
        target = audit_logs.c.resource_target
        named = or_(target == name, target.endswith(f" of {name}", autoescape=True))
        for row in await self._db.execute(select(audit_logs.c.id, target).where(named)):
            renamed = row.resource_target[: -len(name)] + tombstone
            await self._db.execute(update(audit_logs).where(audit_logs.c.id == row.id).values(resource_target=renamed))
        told = containing(audit_logs.c.diff.cast(Text), f'"{name}"')
        for row in await self._db.execute(select(audit_logs.c.id, audit_logs.c.diff).where(told)):
            diff = {
                member: {side: tombstone if value == name else value for side, value in change.items()}
                for member, change in row.diff.items()
            }
            await self._db.execute(update(audit_logs).where(audit_logs.c.id == row.id).values(diff=diff))

    async def list(
        self, wanted: EntryFilter, *, limit: int, offset: int = 0, after_id: str = ""
    ) -> tuple[Sequence[Entry], int]:
        """Return a page, newest first, and how many there are in all; *after_id* is the last one of the page before."""
        conditions = _conditions(wanted)
        page = [*conditions, audit_logs.c.id < after_id] if after_id else conditions
        # Ids are made from the time: their order is the order of the entries.
        rows = select(audit_logs).where(*page).order_by(audit_logs.c.id.desc()).limit(limit).offset(offset)
        count = select(func.count()).select_from(audit_logs).where(*conditions)
        entries = [_entry(row) for row in await self._db.execute(rows)]
        return entries, (await self._db.execute(count)).scalar_one()


_FIELDS = tuple(Entry.__slots__)


def _conditions(wanted: EntryFilter) -> list[ColumnElement[bool]]:
    columns = audit_logs.c
    equal = {
        columns.action: wanted.action,
        columns.resource_type: wanted.resource_type,
        columns.resource_id: wanted.resource_id,
        columns.user_id: wanted.user_id,
        columns.request_id: wanted.request_id,
    }
    conditions: list[ColumnElement[bool]] = [column == value for column, value in equal.items() if value]
    if wanted.target:
        conditions.append(containing(func.lower(columns.resource_target), wanted.target.lower()))
    if wanted.since:
        conditions.append(columns.time >= wanted.since)
    if wanted.until:
        conditions.append(columns.time <= wanted.until)
    return conditions


def _entry(row: AnyRow) -> Entry:
    values = row._mapping
    return Entry(**{**{name: values[name] for name in _FIELDS}, "diff": values["diff"] or {}})
