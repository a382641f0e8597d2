"""Sessions in flight: the few interceptions that have begun and not ended, which the roll-up does not know."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from coderai.store.matching import RecordFilter, interception_conditions, unindexed
from coderai.store.rows import AnyRow
from coderai.store.schema import interceptions, user_prompts
from coderai.store.sessions import PROMPT_SHOWN, Session
from coderai.store.users import Person, Users

COUNTED: Final = 1_000
"""More than this are not shown as running: a page is for eyes."""

SessionKey = tuple[str, str]
_column = interceptions.c


async def running_sessions(db: AsyncConnection, wanted: RecordFilter) -> Mapping[SessionKey, Session]:
    """Return the sessions with a running interception that matches, with the facts of their running ones only."""
    query = (
        select(interceptions, func.substr(user_prompts.c.prompt, 1, PROMPT_SHOWN).label("prompt"))
        .outerjoin(user_prompts, user_prompts.c.interception_id == _column.id)
        .where(_column.ended_at.is_(None), *interception_conditions(wanted, by_session=True))
        .order_by(unindexed(_column.started_at).desc(), _column.id.desc())
        .limit(COUNTED)
    )
    grouped: dict[SessionKey, list[AnyRow]] = defaultdict(list)
    for row in await db.execute(query):
        grouped[row.session_id, row.initiator_id].append(row)
    named = {row.on_behalf_of for rows in grouped.values() for row in rows if row.on_behalf_of}
    people = await Users(db).people({initiator_id for _, initiator_id in grouped}, named)
    return {key: _session(key, rows, people) for key, rows in grouped.items()}


async def running_counts(db: AsyncConnection, ids: Iterable[str]) -> Mapping[SessionKey, int]:
    """Return how many interceptions are in flight in each of these sessions."""
    some = _column.session_id.in_(sorted(set(ids)))
    query = select(_column.session_id, _column.initiator_id, func.count().label("n")).where(
        _column.ended_at.is_(None), some
    )
    rows = await db.execute(query.group_by(_column.session_id, _column.initiator_id))
    return {(row.session_id, row.initiator_id): row.n for row in rows}


@dataclass(frozen=True, slots=True)
class Exchange:
    """One interception in flight, without its contents."""

    id: str
    session_id: str
    initiator: Person
    on_behalf_of: Person | None
    provider: str
    provider_name: str
    model: str
    client: str
    api: str
    stream: bool
    started_at: datetime
    process_id: str | None


@dataclass(frozen=True, slots=True)
class Running:
    """What is in flight, as far as shown."""

    exchanges: Sequence[Exchange]
    count: int
    """Of all; ``COUNTED`` are counted."""


async def running_exchanges(db: AsyncConnection, visible_to: str | None, limit: int) -> Running:
    """Return what is in flight, latest start first, as far as this user may see it; None sees all."""
    conditions = [_column.ended_at.is_(None), *interception_conditions(RecordFilter(visible_to=visible_to))]
    texts = ("id", "session_id", "provider", "provider_name", "model", "client", "api", "process_id")
    names = (*texts, "stream", "started_at")
    columns = [_column[name] for name in (*names, "initiator_id", "on_behalf_of")]
    query = select(*columns).where(*conditions).order_by(unindexed(_column.started_at).desc(), _column.id.desc())
    rows = (await db.execute(query.limit(COUNTED))).all()
    shown = rows[:limit]
    named = {row.on_behalf_of for row in shown if row.on_behalf_of}
    people = await Users(db).people({row.initiator_id for row in shown}, named)
    exchanges = [
        Exchange(
            **{name: row._mapping[name] for name in names},
            initiator=people[row.initiator_id],
            on_behalf_of=people[row.on_behalf_of] if row.on_behalf_of else None,
        )
        for row in shown
    ]
    return Running(exchanges, len(rows))


def _session(key: SessionKey, rows: Sequence[AnyRow], people: Mapping[str, Any]) -> Session:
    """*rows* are latest first."""
    earliest = rows[-1]
    prompted = next((row for row in rows if row.prompt is not None), None)
    return Session(
        id=key[0],
        initiator=people[key[1]],
        started_at=earliest.started_at,
        last_active_at=prompted.started_at if prompted else earliest.started_at,
        ended_at=None,
        client=earliest.client,
        metadata=earliest.metadata or {},
        threads=len({row.thread_root_id or row.id for row in rows}),
        last_prompt=prompted.prompt if prompted else None,
        providers=tuple(sorted({row.provider for row in rows})),
        provider_names=tuple(sorted({row.provider_name for row in rows} - {""})),
        first_id=earliest.id,
        models=tuple(sorted({row.model for row in rows})),
        on_behalf_of=tuple(people[each] for each in sorted({row.on_behalf_of for row in rows if row.on_behalf_of})),
        running=len(rows),
    )
