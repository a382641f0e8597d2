"""The threads of one session: a first request, and everything that continued its tool-calling loop."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import case, func, literal, select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql.elements import ColumnElement

from coderai.errors import NotFound
from coderai.store.interceptions import Interceptions, Record
from coderai.store.matching import unindexed
from coderai.store.rows import AnyRow, AnySelect
from coderai.store.schema import interceptions, token_usages
from coderai.store.types import Key, Moment

_column = interceptions.c
_THREAD: Final = func.coalesce(_column.thread_root_id, _column.id)

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
        if len(heads) < page.limit and page.after is None and page.before is None:
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
        own = select(_THREAD).where(*self._mine, _column.id == interception_id)
        thread = (await self._db.execute(own)).scalar_one_or_none()
        if thread is None:
            raise NotFound("interception", interception_id)
        heads = self._all_heads().subquery()
        row = (await self._db.execute(select(heads).where(heads.c.thread == thread))).one()
        return row.started_at, row.id

    async def token_metadata(self) -> Sequence[Mapping[str, Any]]:
        """Return the further counts of every response of the session."""
        query = select(token_usages.c.metadata).join(interceptions, _column.id == token_usages.c.interception_id)
        rows = await self._db.execute(query.where(*self._mine, token_usages.c.metadata.is_not(None)))
        return [row.metadata for row in rows]

    async def _heads(self, page: ThreadPage) -> Sequence[AnyRow]:
        heads = self._all_heads().subquery()
        place = tuple_(heads.c.started_at, heads.c.id)
        query = select(heads)
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
