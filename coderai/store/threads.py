"""The threads of one session: a first request, and everything that continued its tool-calling loop."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Text, case, exists, func, literal, or_, select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql.elements import ColumnElement

from coderai.errors import NotFound
from coderai.store.interceptions import Interceptions, Record
from coderai.store.matching import unindexed
from coderai.store.patterns import holding
from coderai.store.rows import AnyRow, AnySelect
from coderai.store.schema import interceptions, model_thoughts, token_usages, tool_usages, user_prompts
from coderai.store.types import Key, Moment

_column = interceptions.c
_THREAD: Final = func.coalesce(_column.thread_root_id, _column.id)
_MOST_FOUND: Final = 1_000
"""Steps that a search finds; both databases bound the number of parameters of a statement."""

Place = tuple[datetime, str]
"""Where a thread stands in its session: (start, id) of its head, earliest first."""


@dataclass(frozen=True, slots=True)
class Thread:
    """A head and its followers in order of their start.

    The head is the thread's root; when that was pruned, or belongs to another session, the earliest there is.
    """

    records: tuple[Record, ...]

    @property
    def head(self) -> Record:
        """What the thread began with."""
        return next((record for record in self.records if record.thread_root_id is None), self.records[0])


@dataclass(frozen=True, slots=True)
class ThreadPage:
    """Which threads of a session: the first ones, those after a thread, or the last ones before it."""

    limit: int = 50
    after: Place | None = None
    before: Place | None = None
    only: tuple[str, ...] | None = None
    """Ids of threads; None for all."""

    @property
    def whole(self) -> bool:
        """Whether it begins with the first thread and passes none over."""
        return self.after is None and self.before is None and self.only is None


@dataclass(frozen=True, slots=True)
class Found:
    """What a search in a session found."""

    steps: Mapping[str, frozenset[str]]
    """Ids of interceptions by the id of their thread."""
    capped: bool
    """There may be more."""


class Threads:
    """The threads of one session, as one connection sees them."""

    def __init__(self, db: AsyncConnection, session_id: str, initiator_id: str, *, running: bool = False) -> None:
        self._db = db
        # SQLite is to look for the session, not to go through all that the initiator ever did.
        mine = unindexed(_column.initiator_id) == initiator_id
        self._mine: list[ColumnElement[bool]] = [_column.session_id == session_id, mine]
        if not running:
            self._mine.append(_column.ended_at.is_not(None))

    async def list(self, page: ThreadPage) -> Sequence[Thread]:
        """Return a page in chronological order."""
        heads = await self._heads(page)
        if not heads:
            return []
        query = select(interceptions, _THREAD.label("thread")).where(*self._mine)
        if len(heads) < page.limit and page.whole:
            rows = (await self._db.execute(query.order_by(_column.started_at, _column.id))).all()
        else:
            some = query.where(_THREAD.in_([head.thread for head in heads]))
            rows = (await self._db.execute(some.order_by(_column.started_at, _column.id))).all()
        grouped: dict[str, list[Record]] = defaultdict(list)
        for row, record in zip(rows, await Interceptions(self._db).filled(rows), strict=True):
            grouped[row.thread].append(record)
        return [Thread(tuple(grouped[head.thread])) for head in heads if head.thread in grouped]

    async def place(self, interception_id: str) -> Place:
        """Return where the thread of that interception stands. Raises NotFound when it is not of this session."""
        thread = await self.thread_of(interception_id)
        heads = self._all_heads().subquery()
        row = (await self._db.execute(select(heads).where(heads.c.thread == thread))).one()
        return row.started_at, row.id

    async def thread_of(self, interception_id: str) -> str:
        """Return the id of the thread of that interception. Raises NotFound when it is not of this session."""
        own = select(_THREAD).where(*self._mine, _column.id == interception_id)
        thread: str | None = (await self._db.execute(own)).scalar_one_or_none()
        if thread is None:
            raise NotFound("interception", interception_id)
        return thread

    async def search(self, text: str, *, visible_to: str | None) -> Found:
        """Find the steps that hold *text*: in the prompt, a thought, the name or the arguments of a tool, the model.

        With *visible_to* only what was asked for on that user's behalf is looked at.
        """
        children = (
            (user_prompts, "prompt"),
            (model_thoughts, "content"),
            (tool_usages, "tool"),
            (tool_usages, "input"),
        )
        inside = [
            exists(select(1).where(table.c.interception_id == _column.id, holding(table.c[name], text)))
            for table, name in children
        ]
        query = select(_column.id, _THREAD.label("thread")).where(
            *self._mine, or_(holding(_column.model, text), *inside)
        )
        if visible_to is not None:
            query = query.where(_column.on_behalf_of == visible_to)
        rows = (await self._db.execute(query.order_by(_column.started_at, _column.id).limit(_MOST_FOUND + 1))).all()
        steps: dict[str, set[str]] = defaultdict(set)
        for row in rows[:_MOST_FOUND]:
            steps[row.thread].add(row.id)
        return Found({thread: frozenset(ids) for thread, ids in steps.items()}, len(rows) > _MOST_FOUND)

    async def last_ending(self) -> str | None:
        """Return how the latest to end did so; None when nothing has ended."""
        query = select(_column.ending).where(*self._mine, _column.ended_at.is_not(None))
        last = query.order_by(_column.ended_at.desc(), _column.id.desc()).limit(1)
        return (await self._db.execute(last)).scalar_one_or_none()

    async def tool_calls(self) -> int:
        """Return how many there are in the whole session."""
        query = select(func.count()).select_from(
            tool_usages.join(interceptions, _column.id == tool_usages.c.interception_id)
        )
        return int((await self._db.execute(query.where(*self._mine))).scalar_one())

    async def token_metadata(self) -> Sequence[Mapping[str, Any]]:
        """Return the further counts of every response of the session."""
        query = select(token_usages.c.metadata).join(interceptions, _column.id == token_usages.c.interception_id)
        some = token_usages.c.metadata.cast(Text) != "{}"  # most have none
        rows = await self._db.execute(query.where(*self._mine, some))
        return [row.metadata for row in rows]

    async def _heads(self, page: ThreadPage) -> Sequence[AnyRow]:
        heads = self._all_heads().subquery()
        place = tuple_(heads.c.started_at, heads.c.id)
        query = select(heads)
        if page.only is not None:
            query = query.where(heads.c.thread.in_(page.only))
        if page.before is not None:
            query = query.where(place < _literal(page.before)).order_by(heads.c.started_at.desc(), heads.c.id.desc())
            return (await self._db.execute(query.limit(page.limit))).all()[::-1]
        if page.after is not None:
            query = query.where(place > _literal(page.after))
        query = query.order_by(heads.c.started_at, heads.c.id).limit(page.limit)
        return (await self._db.execute(query)).all()

    def _all_heads(self) -> AnySelect:
        root_first = case((_column.thread_root_id.is_(None), 0), else_=1)
        rank = func.row_number().over(partition_by=_THREAD, order_by=(root_first, _column.started_at, _column.id))
        ranked = select(_THREAD.label("thread"), _column.started_at, _column.id, rank.label("rank"))
        numbered = ranked.where(*self._mine).subquery()
        return select(numbered.c.thread, numbered.c.started_at, numbered.c.id).where(numbered.c.rank == 1)


def _literal(place: Place) -> ColumnElement[Any]:
    return tuple_(literal(place[0], Moment), literal(place[1], Key))
