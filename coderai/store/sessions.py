"""Sessions as lists show them: the whole session's facts, from the roll-up."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from sqlalchemy import func, literal, select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql.elements import ColumnElement

from coderai.errors import NotFound
from coderai.store.matching import Count, RecordFilter, find_sessions, session_conditions, walking
from coderai.store.rows import AnyRow, AnySelect
from coderai.store.schema import interceptions, session_facets, sessions, user_prompts
from coderai.store.types import Key, Moment
from coderai.store.users import Person, Users

PROMPT_SHOWN: Final = 4096
"""Characters of a prompt in a list; the session itself has all of them."""

Place = tuple[datetime, str, str]
"""Where a session stands in lists: (last active, id, initiator id), latest first."""


@dataclass(frozen=True, slots=True)
class Tokens:
    """The four sums."""

    input: int = 0
    output: int = 0
    cache_read: int = 0
    cache_write: int = 0


@dataclass(frozen=True, slots=True)
class Session:
    """One session with its facts, of which none depends on a filter."""

    id: str
    initiator: Person
    started_at: datetime
    last_active_at: datetime
    ended_at: datetime | None
    """None when nothing has ended yet."""
    client: str = "Unknown"
    metadata: Mapping[str, Any] = field(default_factory=dict)
    """Of the earliest interception, as is ``client``."""
    threads: int = 0
    interceptions: int = 0
    tokens: Tokens = Tokens()
    last_prompt: str | None = None
    providers: tuple[str, ...] = ()
    models: tuple[str, ...] = ()
    on_behalf_of: tuple[Person, ...] = ()
    running: int = 0
    """Interceptions in flight; counted only where they are asked for."""
    provider_names: tuple[str, ...] = ()
    """Of the instances."""
    first_id: str = ""
    """The earliest interception."""

    @property
    def place(self) -> Place:
        """Where it stands in lists."""
        return (self.last_active_at, self.id, self.initiator.id)


@dataclass(frozen=True, slots=True)
class SessionPage:
    """Where a page begins and how long it is."""

    limit: int = 100
    offset: int = 0
    after: Place | None = None
    """Only sessions that stand strictly behind."""


class Sessions:
    """The sessions as one connection sees them; use one snapshot for what must agree."""

    def __init__(self, db: AsyncConnection) -> None:
        self._db = db

    async def list(self, wanted: RecordFilter, page: SessionPage) -> tuple[Sequence[Session], Count]:
        """Return a page, latest activity first, and how many match in all."""
        matches = await find_sessions(self._db, wanted)
        if matches.keys is not None:
            keys = matches.keys.subquery()
            query = select(sessions).join(
                keys, (keys.c.session_id == sessions.c.id) & (keys.c.initiator_id == sessions.c.initiator_id)
            )
        else:
            query = select(sessions).where(*matches.conditions)
        return await self._filled(await self._page(query, page)), matches.count

    async def get(self, session_id: str, *, initiator_id: str, prefer: str, visible_to: str | None) -> Session:
        """Return the session of that initiator; without one, that of the user *prefer*, else the latest.

        Raises NotFound.
        """
        wanted = RecordFilter(session_id=session_id, initiator_id=initiator_id, visible_to=visible_to)
        mine = (sessions.c.initiator_id == prefer).desc()
        query = select(sessions).where(*session_conditions(wanted)).order_by(mine, *_LATEST_FIRST).limit(1)
        found = await self._filled((await self._db.execute(query)).all())
        if not found:
            raise NotFound("session", session_id)
        return found[0]

    async def by_keys(self, keys: Iterable[tuple[str, str]]) -> Mapping[tuple[str, str], Session]:
        """Return those of *keys*, (id, initiator id), that have ended interceptions."""
        wanted = set(keys)
        query = select(sessions).where(sessions.c.id.in_(sorted({session_id for session_id, _ in wanted})))
        rows = [row for row in await self._db.execute(query) if (row.id, row.initiator_id) in wanted]
        return {(session.id, session.initiator.id): session for session in await self._filled(rows)}

    async def matching(self, wanted: RecordFilter, keys: Iterable[tuple[str, str]]) -> set[tuple[str, str]]:
        """Return those of *keys* that match by what has ended."""
        asked = set(keys)
        some = sessions.c.id.in_(sorted({session_id for session_id, _ in asked}))
        query = select(sessions.c.id, sessions.c.initiator_id).where(some, *walking(wanted))
        return asked & {(row.id, row.initiator_id) for row in await self._db.execute(query)}

    async def session_of(self, interception_id: str, visible_to: str | None) -> tuple[str, str]:
        """Return the session's id and initiator. Raises NotFound."""
        columns = (interceptions.c.session_id, interceptions.c.initiator_id)
        query = select(*columns).where(interceptions.c.id == interception_id)
        if visible_to is not None:
            query = query.where(
                (interceptions.c.initiator_id == visible_to) | (interceptions.c.on_behalf_of == visible_to)
            )
        row = (await self._db.execute(query)).one_or_none()
        if row is None:
            raise NotFound("session", interception_id)
        return row.session_id, row.initiator_id

    async def _page(self, query: AnySelect, page: SessionPage) -> Sequence[AnyRow]:
        if page.after is not None:
            query = query.where(_place < place_literal(page.after))
        return (await self._db.execute(query.order_by(*_LATEST_FIRST).limit(page.limit).offset(page.offset))).all()

    async def _filled(self, rows: Sequence[AnyRow]) -> Sequence[Session]:
        """Add to the rows of the roll-up what other tables hold."""
        if not rows:
            return []
        facets = await self._facets({row.id for row in rows})
        prompts = await self._prompts([row.last_prompt_interception_id for row in rows])
        acted_for = {each.on_behalf_of for group in facets.values() for each in group if each.on_behalf_of}
        people = await Users(self._db).people({row.initiator_id for row in rows}, acted_for)
        return [
            _session(row, facets[row.id, row.initiator_id], prompts.get(row.last_prompt_interception_id), people)
            for row in rows
        ]

    async def _facets(self, ids: set[str]) -> Mapping[tuple[str, str], Sequence[AnyRow]]:
        column = session_facets.c
        columns = (
            *(column.session_id, column.initiator_id, column.provider, column.provider_name),
            *(column.model, column.on_behalf_of),
        )
        grouped: dict[tuple[str, str], list[AnyRow]] = defaultdict(list)
        for row in await self._db.execute(select(*columns).where(column.session_id.in_(sorted(ids)))):
            grouped[row.session_id, row.initiator_id].append(row)
        return grouped

    async def _prompts(self, ids: Sequence[str | None]) -> Mapping[str | None, str]:
        column = user_prompts.c
        short = func.substr(column.prompt, 1, PROMPT_SHOWN).label("prompt")
        wanted = sorted({each for each in ids if each is not None})
        rows = await self._db.execute(select(column.interception_id, short).where(column.interception_id.in_(wanted)))
        return {row.interception_id: row.prompt for row in rows}


_LATEST_FIRST: Final = (sessions.c.last_active_at.desc(), sessions.c.id.desc(), sessions.c.initiator_id.desc())
_place = tuple_(sessions.c.last_active_at, sessions.c.id, sessions.c.initiator_id)


def place_literal(place: Place) -> ColumnElement[Any]:
    """Return *place* to compare columns with."""
    return tuple_(literal(place[0], Moment), literal(place[1], Key), literal(place[2], Key))


def _session(row: AnyRow, facets: Sequence[AnyRow], prompt: str | None, people: Mapping[str, Person]) -> Session:
    return Session(
        id=row.id,
        initiator=people[row.initiator_id],
        started_at=row.started_at,
        last_active_at=row.last_active_at,
        ended_at=row.ended_at,
        client=row.client,
        metadata=row.metadata or {},
        threads=row.threads,
        interceptions=row.interceptions,
        tokens=Tokens(row.input_tokens, row.output_tokens, row.cache_read_input_tokens, row.cache_write_input_tokens),
        last_prompt=prompt,
        providers=tuple(sorted({facet.provider for facet in facets})),
        provider_names=tuple(sorted({facet.provider_name for facet in facets} - {""})),
        models=tuple(sorted({facet.model for facet in facets})),
        first_id=row.first_id,
        on_behalf_of=tuple(people[each] for each in sorted({facet.on_behalf_of for facet in facets} - {""})),
    )
