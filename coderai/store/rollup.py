"""The roll-up of ended interceptions: what a batch adds to it, and the same computed anew from the rows.

Whoever changes ended interceptions of a session locks its ``sessions`` row first (in key order, after the locks on
interceptions), so that both ways agree also when many processes write.
"""

# ruff: noqa: S608 — the texts are put together from names of columns; values are parameters

from collections.abc import Iterable, Sequence
from datetime import datetime

import msgspec
from sqlalchemy import bindparam, select, text, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from coderai.store.schema import interceptions, session_facets, sessions
from coderai.store.types import Moment

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
_ENDED = "i.session_id = a.session_id AND i.initiator_id = a.initiator_id AND i.ended_at IS NOT NULL"
# In this form no index serves it: SQLite would go along all that the initiator ever asked for.
_STARTED = "coalesce(i.started_at, i.started_at)"
_FACET_COLUMNS = "session_id, initiator_id, provider, provider_name, model, client"
_TOKENS = _SUMS[2:]
_TOKEN_SUMS = ", ".join(f"CAST(sum(u.{name}) AS BIGINT) AS {name}" for name in _TOKENS)
_FACETS = ", ".join(f"i.{name}" for name in _FACET_COLUMNS.split(", "))


def _recounting(keys: str) -> tuple[str, ...]:
    """Return statements that compute anew the sessions whose keys the query *keys* yields, as session_id, initiator_id.

    Keys come first in every join: SQLite takes the tables of a CROSS JOIN in the order in which they are written.
    """
    return (
        f"""
        WITH k AS ({keys}), a AS (
            SELECT i.session_id, i.initiator_id, max(i.ended_at) AS ended_at, count(*) AS interceptions,
                count(DISTINCT coalesce(i.thread_root_id, i.id)) AS threads
            FROM k AS a CROSS JOIN aibridge_interceptions AS i WHERE {_ENDED} GROUP BY i.session_id, i.initiator_id
        ), t AS (
            SELECT i.session_id, i.initiator_id, {_TOKEN_SUMS}
            FROM k AS a CROSS JOIN aibridge_interceptions AS i
            CROSS JOIN aibridge_token_usages AS u
            WHERE {_ENDED} AND u.interception_id = i.id GROUP BY i.session_id, i.initiator_id
        )
        INSERT INTO sessions ({_COLUMNS})
        SELECT a.session_id, a.initiator_id, f.started_at, f.id, f.client, f.metadata, a.ended_at,
            coalesce(p.created_at, f.started_at), p.created_at, p.interception_id, a.interceptions, a.threads,
            {", ".join(f"coalesce(t.{name}, 0)" for name in _TOKENS)}
        FROM a
        LEFT JOIN t ON t.session_id = a.session_id AND t.initiator_id = a.initiator_id
        JOIN aibridge_interceptions f ON f.id = (
            SELECT i.id FROM aibridge_interceptions i WHERE {_ENDED} ORDER BY {_STARTED}, i.id LIMIT 1
        )
        LEFT JOIN aibridge_user_prompts p ON p.interception_id = (
            SELECT q.interception_id FROM aibridge_interceptions i
            JOIN aibridge_user_prompts q ON q.interception_id = i.id
            WHERE {_ENDED} ORDER BY q.created_at DESC, q.interception_id DESC LIMIT 1
        )
        WHERE true
        ON CONFLICT (id, initiator_id) DO UPDATE SET {_REPLACE}
        """,
        f"""
        WITH k AS ({keys}) DELETE FROM sessions WHERE (id, initiator_id) IN (
            SELECT a.session_id, a.initiator_id FROM k AS a
            WHERE NOT EXISTS (SELECT 1 FROM aibridge_interceptions AS i WHERE {_ENDED})
        )
        """,
        f"""
        WITH k AS ({keys}) DELETE FROM session_facets
        WHERE (session_id, initiator_id) IN (SELECT session_id, initiator_id FROM k)
        """,
        f"""
        WITH k AS ({keys})
        INSERT INTO session_facets ({_FACET_COLUMNS}, on_behalf_of, first_at, last_at, n)
        SELECT {_FACETS}, coalesce(i.on_behalf_of, ''), min(i.started_at), max(i.started_at), count(*)
        FROM k AS a CROSS JOIN aibridge_interceptions AS i WHERE {_ENDED}
        GROUP BY {_FACETS}, coalesce(i.on_behalf_of, '')
        """,
    )


RECOUNT_ONE = _recounting("SELECT CAST(:session_id AS TEXT) AS session_id, CAST(:initiator_id AS TEXT) AS initiator_id")
"""Statements that compute one session anew, with ``:session_id`` and ``:initiator_id``."""

# With ``:keys``, a JSON array of pairs.
_KEYS = {
    "sqlite": (
        "SELECT json_extract(value, '$[0]') AS session_id, json_extract(value, '$[1]') AS initiator_id"
        " FROM json_each(:keys)"
    ),
    "postgresql": (
        "SELECT value ->> 0 AS session_id, value ->> 1 AS initiator_id FROM json_array_elements(CAST(:keys AS json))"
    ),
}
_RECOUNT = {dialect: _recounting(keys) for dialect, keys in _KEYS.items()}
_IN_SESSIONS = {
    dialect: (
        f"WITH a AS ({keys}) SELECT i.id, i.session_id, i.initiator_id FROM a CROSS JOIN aibridge_interceptions AS i"
        " WHERE i.session_id = a.session_id AND i.initiator_id = a.initiator_id"
        f" AND {_STARTED} < :before ORDER BY i.session_id, i.initiator_id, {_STARTED} LIMIT :most"
    )
    for dialect, keys in _KEYS.items()
}
_IN_SESSIONS["postgresql"] += " FOR UPDATE OF i SKIP LOCKED"


async def lock_older(
    connection: AsyncConnection, keys: Sequence[SessionKey], before: datetime, most: int
) -> tuple[Sequence[str], Sequence[SessionKey]]:
    """Lock interceptions of the sessions *keys* that started *before*, *most* at most, one session after the other.

    Returns their ids and the keys of their sessions. What somebody else has locked is left out.
    """
    query = text(_IN_SESSIONS[connection.dialect.name]).bindparams(bindparam("before", type_=Moment))
    asked = {"keys": msgspec.json.encode(keys).decode(), "before": before, "most": most}
    rows = (await connection.execute(query, asked)).all()
    return [row.id for row in rows], sorted({(row.session_id, row.initiator_id) for row in rows})


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
    asked = {"keys": msgspec.json.encode(keys).decode()}
    for statement in _RECOUNT[connection.dialect.name]:
        await connection.execute(text(statement), asked)


async def _all_keys(connection: AsyncConnection) -> list[SessionKey]:
    mine = select(interceptions.c.session_id, interceptions.c.initiator_id)
    rolled = select(sessions.c.id, sessions.c.initiator_id)
    facets = select(session_facets.c.session_id, session_facets.c.initiator_id)
    return sorted((row[0], row[1]) for row in await connection.execute(mine.union(rolled, facets)))
