"""Is the database whole, and does the roll-up say what the rows say? Looked at while everything goes on."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import BigInteger, Table, cast, delete, except_, exists, func, select, text, union
from sqlalchemy.ext.asyncio import AsyncConnection

from coderai.store import hours, schema
from coderai.store.rollup import SessionKey, lock_sessions, recount
from coderai.store.rows import AnySelect
from coderai.store.schema import interceptions, session_facets, sessions, token_usages

if TYPE_CHECKING:
    from coderai.store.engine import Store

_CHILDREN: Final = (schema.user_prompts, schema.token_usages, schema.tool_usages, schema.model_thoughts)
_SUMS: Final = ("input_tokens", "output_tokens", "cache_read_input_tokens", "cache_write_input_tokens")
_AT_ONCE: Final = 100
_row = interceptions.c
_ended = _row.ended_at.is_not(None)


@dataclass(frozen=True, slots=True)
class Findings:
    """What was found; nothing but counts when all is well."""

    interceptions: int
    sessions: int
    running: int
    damage: tuple[str, ...]
    """What the database says of its own pages; SQLite only."""
    wrong_sessions: tuple[SessionKey, ...]
    """Whose roll-up is not what their rows say."""
    strays: int
    """Rows of interceptions that are not there."""
    wrong_hours: tuple[datetime, ...] = ()
    """Whose usage is not what the rows say."""

    @property
    def well(self) -> bool:
        """Whether nothing is wrong."""
        return not (self.damage or self.wrong_sessions or self.strays or self.wrong_hours)


async def check(store: "Store") -> Findings:
    """Look at everything in one view of the database; takes long when there is much. Raises StoreUnavailable."""
    async with store.reading(limit=None) as db:
        damage = await _damage(db) if store.dialect == "sqlite" else ()
        return Findings(
            interceptions=await _count(db, select(func.count()).select_from(interceptions)),
            sessions=await _count(db, select(func.count()).select_from(sessions)),
            running=await _count(db, select(func.count()).where(_row.ended_at.is_(None))),
            damage=damage,
            wrong_sessions=await _wrong_sessions(db),
            strays=sum([await _count(db, _strays(table)) for table in _CHILDREN]),
            wrong_hours=tuple(await hours.wrong_hours(db)),
        )


async def repair(store: "Store", findings: Findings) -> None:
    """Count the wrong sessions anew and delete the strays, in short transactions. Raises StoreUnavailable.

    Hours are counted anew by the next server that runs.
    """
    keys = sorted(findings.wrong_sessions)
    for start in range(0, len(keys), _AT_ONCE):
        some = keys[start : start + _AT_ONCE]
        async with store.transaction() as db:
            await lock_sessions(db, some)
            await recount(db, some)
    if findings.strays:
        for table in _CHILDREN:
            async with store.transaction() as db:
                await db.execute(delete(table).where(~exists().where(_row.id == table.c.interception_id)))
    if findings.wrong_hours:
        async with store.transaction() as db:
            await hours.begin_anew(db)


async def _damage(db: AsyncConnection) -> tuple[str, ...]:
    said = [str(row[0]) for row in await db.execute(text("PRAGMA integrity_check(20)"))]
    lost = [f"a row of {row[0]} refers to one of {row[2]} that is not there" for row in await _foreign_keys(db)]
    return (*(line for line in said if line != "ok"), *lost)


async def _foreign_keys(db: AsyncConnection) -> Sequence[Any]:
    return (await db.execute(text("PRAGMA foreign_key_check"))).all()[:20]


async def _wrong_sessions(db: AsyncConnection) -> tuple[SessionKey, ...]:
    """Compare both ways, so that missing ones and those that should not be are found as well."""
    keys: list[AnySelect] = []
    for truth, roll_up in ((_counted(), _rolled_up()), (_faceted(), _facets())):
        for one, other in ((truth, roll_up), (roll_up, truth)):
            different = except_(one, other).subquery()
            keys.append(select(*list(different.c)[:2]))
    return tuple((row[0], row[1]) for row in await db.execute(union(*keys)))


def _counted() -> AnySelect:
    mine = (_row.session_id, _row.initiator_id)
    join = interceptions.join(token_usages, token_usages.c.interception_id == _row.id)
    sums = (func.sum(token_usages.c[name]).label(name) for name in _SUMS)
    tokens = select(*mine, *sums).select_from(join).where(_ended).group_by(*mine).subquery()
    threads = func.count(func.coalesce(_row.thread_root_id, _row.id).distinct())
    rows = (
        select(
            *mine,
            func.min(_row.started_at).label("started_at"),
            func.max(_row.ended_at).label("ended_at"),
            func.count().label("n"),
            threads.label("threads"),
        )
        .where(_ended)
        .group_by(*mine)
        .subquery()
    )
    same = (tokens.c.session_id == rows.c.session_id) & (tokens.c.initiator_id == rows.c.initiator_id)
    counts = (cast(func.coalesce(tokens.c[name], 0), BigInteger) for name in _SUMS)
    return select(*rows.c, *counts).select_from(rows.outerjoin(tokens, same))


def _rolled_up() -> AnySelect:
    column = sessions.c
    facts = (column.started_at, column.ended_at, column.interceptions, column.threads)
    return select(column.id, column.initiator_id, *facts, *(column[name] for name in _SUMS))


def _faceted() -> AnySelect:
    acted_for = func.coalesce(_row.on_behalf_of, "")
    texts = (_row.session_id, _row.initiator_id, _row.provider, _row.provider_name, _row.model, _row.client)
    some = select(*texts, acted_for.label("on_behalf_of"), _row.started_at).where(_ended).subquery()
    by = [column for column in some.c if column.name != "started_at"]
    return select(*by, func.min(some.c.started_at), func.max(some.c.started_at), func.count()).group_by(*by)


def _facets() -> AnySelect:
    column = session_facets.c
    texts = (column.session_id, column.initiator_id, column.provider, column.provider_name, column.model, column.client)
    return select(*texts, column.on_behalf_of, column.first_at, column.last_at, column.n)


def _strays(table: Table) -> AnySelect:
    return select(func.count()).select_from(table).where(~exists().where(_row.id == table.c.interception_id))


async def _count(db: AsyncConnection, query: AnySelect) -> int:
    return int((await db.execute(query)).scalar_one())
