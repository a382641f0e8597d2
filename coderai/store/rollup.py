"""The roll-up of ended interceptions: what a batch adds to it, and the same computed anew from the rows.

Whoever changes ended interceptions of a session locks its ``sessions`` row first (in key order, after the locks on
interceptions), so that both ways agree also when many processes write.
"""

# ruff: noqa: S608 — the texts are put together from names of columns; values are parameters

from collections.abc import Iterable, Sequence

from sqlalchemy import delete, select, text, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from coderai.store.schema import interceptions, session_facets, sessions

SessionKey = tuple[str, str]
"""(session id, initiator id)."""

_CHUNK = 1000

_EARLIER = "(excluded.started_at, excluded.first_id) < (sessions.started_at, sessions.first_id)"
_NEWER_PROMPT = (
    "excluded.last_prompt_at IS NOT NULL AND (sessions.last_prompt_at IS NULL OR "
    "(excluded.last_prompt_at, excluded.last_prompt_interception_id) > "
    "(sessions.last_prompt_at, sessions.last_prompt_interception_id))"
)
_SUMS = (
    "interceptions",
    "threads",
    "input_tokens",
    "output_tokens",
    "cache_read_input_tokens",
    "cache_write_input_tokens",
)


def _choice(condition: str, columns: Iterable[str]) -> list[str]:
    return [f"{name} = CASE WHEN {condition} THEN excluded.{name} ELSE sessions.{name} END" for name in columns]


MERGE_SESSION = "ON CONFLICT (id, initiator_id) DO UPDATE SET " + ", ".join(
    [
        *_choice(_EARLIER, ("started_at", "first_id", "client", "metadata")),
        *_choice(_NEWER_PROMPT, ("last_prompt_at", "last_prompt_interception_id")),
        *_choice("excluded.ended_at > sessions.ended_at", ("ended_at",)),
        # Of the newest prompt, else the earliest start.
        "last_active_at = CASE"
        " WHEN excluded.last_prompt_at IS NULL AND sessions.last_prompt_at IS NULL THEN"
        "  CASE WHEN excluded.started_at < sessions.started_at THEN excluded.started_at ELSE sessions.started_at END"
        f" WHEN {_NEWER_PROMPT} THEN excluded.last_prompt_at ELSE sessions.last_prompt_at END",
        *(f"{name} = sessions.{name} + excluded.{name}" for name in _SUMS),
    ]
)
MERGE_FACET = (
    "ON CONFLICT (session_id, initiator_id, provider, provider_name, model, client, on_behalf_of) DO UPDATE SET "
    "first_at = CASE WHEN excluded.first_at < session_facets.first_at"
    " THEN excluded.first_at ELSE session_facets.first_at END, "
    "last_at = CASE WHEN excluded.last_at > session_facets.last_at"
    " THEN excluded.last_at ELSE session_facets.last_at END, "
    "n = session_facets.n + excluded.n"
)

_COLUMNS = ", ".join(column.name for column in sessions.c)
_REPLACE = ", ".join(f"{c.name} = excluded.{c.name}" for c in sessions.c if not c.primary_key)
_MINE = "session_id = :session_id AND initiator_id = :initiator_id AND ended_at IS NOT NULL"
_FACET_COLUMNS = "session_id, initiator_id, provider, provider_name, model, client"


def _token_sum(name: str) -> str:
    return (
        f"CAST(coalesce((SELECT sum(u.{name}) FROM aibridge_token_usages u JOIN aibridge_interceptions i"
        " ON i.id = u.interception_id WHERE i.session_id = a.session_id AND i.initiator_id = a.initiator_id"
        " AND i.ended_at IS NOT NULL), 0) AS BIGINT)"
    )


RECOUNT = (
    f"""
    INSERT INTO sessions ({_COLUMNS})
    SELECT a.session_id, a.initiator_id, f.started_at, f.id, f.client, f.metadata, a.ended_at,
        coalesce(p.created_at, f.started_at), p.created_at, p.interception_id, a.interceptions, a.threads,
        {", ".join(_token_sum(name) for name in _SUMS[2:])}
    FROM (
        SELECT session_id, initiator_id, max(ended_at) AS ended_at, count(*) AS interceptions,
            count(DISTINCT coalesce(thread_root_id, id)) AS threads
        FROM aibridge_interceptions WHERE {_MINE} GROUP BY session_id, initiator_id
    ) a
    JOIN aibridge_interceptions f ON f.id = (
        SELECT id FROM aibridge_interceptions WHERE {_MINE} ORDER BY started_at, id LIMIT 1
    )
    LEFT JOIN aibridge_user_prompts p ON p.interception_id = (
        SELECT q.interception_id FROM aibridge_user_prompts q
        JOIN aibridge_interceptions i ON i.id = q.interception_id
        WHERE i.session_id = :session_id AND i.initiator_id = :initiator_id AND i.ended_at IS NOT NULL
        ORDER BY q.created_at DESC, q.interception_id DESC LIMIT 1
    )
    WHERE true
    ON CONFLICT (id, initiator_id) DO UPDATE SET {_REPLACE}
    """,
    f"""
    DELETE FROM sessions WHERE id = :session_id AND initiator_id = :initiator_id
    AND NOT EXISTS (SELECT 1 FROM aibridge_interceptions WHERE {_MINE})
    """,
    "DELETE FROM session_facets WHERE session_id = :session_id AND initiator_id = :initiator_id",
    f"""
    INSERT INTO session_facets ({_FACET_COLUMNS}, on_behalf_of, first_at, last_at, n)
    SELECT {_FACET_COLUMNS}, coalesce(on_behalf_of, ''), min(started_at), max(started_at), count(*)
    FROM aibridge_interceptions WHERE {_MINE} GROUP BY {_FACET_COLUMNS}, coalesce(on_behalf_of, '')
    """,
)
"""Statements that compute one session anew, with ``:session_id`` and ``:initiator_id``."""


async def lock_sessions(connection: AsyncConnection, keys: Sequence[SessionKey]) -> None:
    """Lock the rows of *keys*, which are sorted. (In SQLite the transaction is the lock.)"""
    if connection.dialect.name == "postgresql" and keys:
        query = select(sessions.c.id).where(tuple_(sessions.c.id, sessions.c.initiator_id).in_(keys))
        await connection.execute(query.order_by(sessions.c.id, sessions.c.initiator_id).with_for_update())


async def recount(connection: AsyncConnection, keys: Sequence[SessionKey] | None = None) -> None:
    """Compute the roll-up of the sessions *keys* from their rows; of all sessions when None (slow)."""
    keys = sorted(await _all_keys(connection) if keys is None else keys)
    for start in range(0, len(keys), _CHUNK):
        await _recount_some(connection, keys[start : start + _CHUNK])


async def _recount_some(connection: AsyncConnection, keys: Sequence[SessionKey]) -> None:
    mine = tuple_(interceptions.c.session_id, interceptions.c.initiator_id).in_(keys)
    present = select(interceptions.c.session_id, interceptions.c.initiator_id).where(
        mine, interceptions.c.ended_at.is_not(None)
    )
    left = {(row[0], row[1]) for row in await connection.execute(present.distinct())}
    if gone := [key for key in keys if key not in left]:
        await connection.execute(delete(sessions).where(tuple_(sessions.c.id, sessions.c.initiator_id).in_(gone)))
        facet = tuple_(session_facets.c.session_id, session_facets.c.initiator_id)
        await connection.execute(delete(session_facets).where(facet.in_(gone)))
    for session_id, initiator_id in sorted(left):
        for statement in RECOUNT:
            await connection.execute(text(statement), {"session_id": session_id, "initiator_id": initiator_id})


async def _all_keys(connection: AsyncConnection) -> list[SessionKey]:
    mine = select(interceptions.c.session_id, interceptions.c.initiator_id)
    rolled = select(sessions.c.id, sessions.c.initiator_id)
    facets = select(session_facets.c.session_id, session_facets.c.initiator_id)
    return sorted((row[0], row[1]) for row in await connection.execute(mine.union(rolled, facets)))
