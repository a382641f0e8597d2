"""How a process learns of changes that another one made: polling in SQLite, LISTEN in PostgreSQL.

What LISTEN does not hear, behind a pooler that lends connections by transactions for example, is found by asking when
nothing was heard for a while.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

from sqlalchemy import exc, select
from sqlalchemy.ext.asyncio import AsyncEngine

from coderai.store.schema import changes

if TYPE_CHECKING:
    import asyncpg

EVERYTHING = frozenset({"*"})
"""Any topic may have changed."""

CHANNEL = "coderai_changes"
POSTGRES_SETTINGS = {"application_name": "coderai", "jit": "off"}

_POLL_SECONDS = 0.25
_TROUBLE_SECONDS = 1.0
_SILENCE_SECONDS = 0.8
"""Without a notice, after which the revisions are compared."""
_COMMAND_SECONDS = 5.0


async def poll(engine: AsyncEngine) -> AsyncIterator[frozenset[str]]:
    """Compare revisions four times a second. ``PRAGMA data_version`` would move with every record."""
    known: dict[str, int] | None = None
    query = select(changes.c.topic, changes.c.revision)
    while True:
        try:
            async with engine.connect() as connection:
                while True:
                    async with connection.begin():
                        rows = (await connection.execute(query)).all()
                    seen = {row.topic: row.revision for row in rows}
                    if known is None:
                        yield EVERYTHING  # what happened before the first look
                    elif seen != known:
                        yield frozenset(topic for topic in seen if seen[topic] != known.get(topic))
                    known = seen
                    await asyncio.sleep(_POLL_SECONDS)
        except (exc.DBAPIError, exc.TimeoutError):
            # Nothing is lost: the revisions are compared with those known before the trouble.
            await asyncio.sleep(_TROUBLE_SECONDS)


async def listen(dsn: str) -> AsyncIterator[frozenset[str]]:
    """Wait for notices; after a lost connection everything may have changed."""
    import asyncpg

    while True:
        try:
            connection = await asyncpg.connect(
                dsn, timeout=10, command_timeout=_COMMAND_SECONDS, server_settings=POSTGRES_SETTINGS
            )
        except (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError, TimeoutError):
            yield EVERYTHING
            await asyncio.sleep(_TROUBLE_SECONDS)
            continue
        try:
            async for topics in _notices(connection):
                yield topics
        finally:
            connection.terminate()


async def _notices(connection: "asyncpg.Connection[asyncpg.Record]") -> AsyncIterator[frozenset[str]]:
    """Yield until the connection is lost. A connection that died silently is found by asking now and then."""
    import asyncpg

    heard: asyncio.Queue[str | None] = asyncio.Queue()
    connection.add_termination_listener(lambda _connection: heard.put_nowait(None))
    try:
        await connection.add_listener(CHANNEL, lambda _c, _pid, _channel, topic: heard.put_nowait(str(topic)))
        known = await _revisions(connection)
        yield EVERYTHING  # what happened before LISTEN began
        while True:
            try:
                async with asyncio.timeout(_SILENCE_SECONDS):
                    topic = await heard.get()
            except TimeoutError:
                seen = await _revisions(connection)
                if seen != known:
                    yield frozenset(topic for topic in seen if seen[topic] != known.get(topic))
                known = seen
                continue
            if topic is None:
                return
            topics = Counter([topic])
            while not heard.empty() and (more := heard.get_nowait()) is not None:
                topics[more] += 1
            for each, count in topics.items():
                known[each] = known.get(each, 0) + count
            yield frozenset(topics)
    except (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError, TimeoutError):
        return


async def _revisions(connection: "asyncpg.Connection[asyncpg.Record]") -> dict[str, int]:
    return {row["topic"]: row["revision"] for row in await connection.fetch("SELECT topic, revision FROM changes")}
