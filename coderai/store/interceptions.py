"""Interceptions as they are read: lists of them, and everything about one. (``writer*.py`` write them.)"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Table, literal, select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql.elements import ColumnElement

from coderai.errors import NotFound
from coderai.store.matching import Count, RecordFilter, find_interceptions, interception_conditions, unindexed
from coderai.store.rows import AnyRow
from coderai.store.schema import interceptions, model_thoughts, token_usages, tool_usages, user_prompts
from coderai.store.types import Key, Moment
from coderai.store.users import Person, Users

# Both databases bound the number of parameters of a statement.
_AT_ONCE: Final = 1_000

_column = interceptions.c


@dataclass(frozen=True, slots=True)
class UsageRow:
    """Tokens of one provider response."""

    id: str
    interception_id: str
    provider_response_id: str
    input_tokens: int
    output_tokens: int
    cache_read_input_tokens: int
    cache_write_input_tokens: int
    metadata: Mapping[str, Any]
    created_at: datetime


@dataclass(frozen=True, slots=True)
class PromptRow:
    """What a person wrote."""

    id: str
    interception_id: str
    provider_response_id: str
    prompt: str
    metadata: Mapping[str, Any]
    created_at: datetime


@dataclass(frozen=True, slots=True)
class ToolRow:
    """A tool that the model asked for."""

    id: str
    interception_id: str
    provider_response_id: str
    provider_tool_call_id: str | None
    tool: str
    kind: str
    server_url: str | None
    input: str
    injected: bool
    invocation_error: str | None
    metadata: Mapping[str, Any]
    created_at: datetime


@dataclass(frozen=True, slots=True)
class ThoughtRow:
    """A piece of readable reasoning."""

    id: str
    interception_id: str
    content: str
    metadata: Mapping[str, Any]
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Record:
    """One interception with all that was recorded about it, children in the order of their making."""

    id: str
    initiator: Person
    api_key_id: str | None
    provider: str
    provider_name: str
    model: str
    client: str
    client_session_id: str | None
    session_id: str
    thread_parent_id: str | None
    thread_root_id: str | None
    metadata: Mapping[str, Any]
    credential_kind: str
    credential_hint: str
    started_at: datetime
    ended_at: datetime | None
    api: str
    user_agent: str
    stream: bool
    ending: str | None
    http_status: int | None
    error_type: str | None
    error_message: str | None
    first_byte_at: datetime | None
    on_behalf_of: Person | None
    usages: tuple[UsageRow, ...] = field(default=())
    prompts: tuple[PromptRow, ...] = field(default=())
    tools: tuple[ToolRow, ...] = field(default=())
    thoughts: tuple[ThoughtRow, ...] = field(default=())


Place = tuple[datetime, str]
"""Where an interception stands in lists: (started, id), latest first."""


@dataclass(frozen=True, slots=True)
class RecordPage:
    """Where a page begins and how long it is."""

    limit: int = 100
    offset: int = 0
    after: Place | None = None
    """Only interceptions that stand strictly behind."""


class Interceptions:
    """The interceptions as one connection sees them; use one snapshot for what must agree."""

    def __init__(self, db: AsyncConnection) -> None:
        self._db = db

    async def list(self, wanted: RecordFilter, page: RecordPage, *, running: bool) -> tuple[Sequence[Record], Count]:
        """Return a page, latest start first, and how many match in all; *running* ones only when asked for."""
        found = await find_interceptions(self._db, wanted)
        count = found.count
        rows = await self._rows(found.conditions, page, few=found.few)
        if running:
            in_flight = [_column.ended_at.is_(None), *interception_conditions(wanted, by_session=True)]
            ahead = RecordPage(page.limit + page.offset, 0, page.after)
            alive = await self._rows(in_flight, ahead, few=True)
            if alive:
                rows = await self._rows(found.conditions, ahead, few=found.few)
                both = sorted([*rows, *alive], key=lambda row: (row.started_at, row.id), reverse=True)
                rows = both[page.offset : page.offset + page.limit]
                count = Count.of(count.value + len(alive) + int(count.capped))
        return await self.filled(rows), count

    async def get(self, interception_id: str, visible_to: str | None) -> Record:
        """Return one, running or ended. Raises NotFound."""
        conditions = [_column.id == interception_id, *interception_conditions(RecordFilter(visible_to=visible_to))]
        rows = await self._rows(conditions, RecordPage(1), few=True)
        if not rows:
            raise NotFound("interception", interception_id)
        return (await self.filled(rows))[0]

    async def place(self, interception_id: str, visible_to: str | None) -> Place:
        """Return where it stands in lists. Raises NotFound."""
        visible = interception_conditions(RecordFilter(visible_to=visible_to))
        query = select(_column.started_at, _column.id).where(_column.id == interception_id, *visible)
        row = (await self._db.execute(query)).one_or_none()
        if row is None:
            raise NotFound("interception", interception_id)
        return row.started_at, row.id

    async def filled(self, rows: Sequence[AnyRow]) -> Sequence[Record]:
        """Add their children and people to rows of ``aibridge_interceptions``."""
        ids = [row.id for row in rows]
        usages = await self._children(token_usages, UsageRow, ids)
        prompts = await self._children(user_prompts, PromptRow, ids)
        tools = await self._children(tool_usages, ToolRow, ids)
        thoughts = await self._children(model_thoughts, ThoughtRow, ids)
        acted_for = {row.on_behalf_of for row in rows if row.on_behalf_of}
        people = await Users(self._db).people({row.initiator_id for row in rows}, acted_for)
        return [
            Record(
                **{name: row._mapping[name] for name in _PLAIN},
                metadata=row.metadata or {},
                initiator=people[row.initiator_id],
                on_behalf_of=_person(row.on_behalf_of, people),
                usages=tuple(usages[row.id]),
                prompts=tuple(prompts[row.id]),
                tools=tuple(tools[row.id]),
                thoughts=tuple(thoughts[row.id]),
            )
            for row in rows
        ]

    async def _rows(
        self, conditions: Sequence[ColumnElement[bool]], page: RecordPage, *, few: bool
    ) -> Sequence[AnyRow]:
        started = unindexed(_column.started_at) if few else _column.started_at
        query = select(interceptions).where(*conditions)
        if page.after is not None:
            after = tuple_(literal(page.after[0], Moment), literal(page.after[1], Key))
            query = query.where(tuple_(started, _column.id) < after)
        query = query.order_by(started.desc(), _column.id.desc()).limit(page.limit).offset(page.offset)
        return (await self._db.execute(query)).all()

    async def _children(self, table: Table, kind: Any, ids: Sequence[str]) -> Mapping[str, Sequence[Any]]:
        names = kind.__slots__
        found: dict[str, list[Any]] = defaultdict(list)
        for some in _batches(ids):
            query = select(*(table.c[name] for name in names)).where(table.c.interception_id.in_(some))
            for row in await self._db.execute(query.order_by(table.c.created_at, table.c.id)):
                values = dict(row._mapping)
                found[row.interception_id].append(kind(**{**values, "metadata": values["metadata"] or {}}))
        return found


def _batches(ids: Sequence[str]) -> Iterable[Sequence[str]]:
    return (ids[start : start + _AT_ONCE] for start in range(0, len(ids), _AT_ONCE))


_APART: Final = {"initiator", "on_behalf_of", "metadata", "usages", "prompts", "tools", "thoughts"}
_PLAIN: Final = tuple(name for name in Record.__slots__ if name not in _APART)


def _person(acted_for: str | None, people: Mapping[str, Person]) -> Person | None:
    return people[acted_for] if acted_for else None
