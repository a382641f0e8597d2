"""Open the database, whichever of the two it is. All differences between them that queries must not see end here."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from sqlalchemy import URL, event, func, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DBAPIError, InvalidatePoolError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from coderai.errors import StoreError, StoreUnavailable, StoreUnusable
from coderai.ids import new_id
from coderai.store import processes, watching
from coderai.store.locations import Location, claim_file, locate, without_secrets
from coderai.store.migrations import HEAD
from coderai.store.prepare import prepare, revision
from coderai.store.schema import changes
from coderai.store.trouble import driver_errors, translated, unavailable
from coderai.store.turns import Turns
from coderai.store.writer import RecordStore

Synchronous = Literal["FULL", "NORMAL"]
Dialect = Literal["sqlite", "postgresql"]


_BUSY_MS = 5_000
_READERS = 8
_POOL_SECONDS = 5.0
"""For a connection to become free."""

# A PostgreSQL server that takes everything and says nothing (paused, or behind a dead router) is noticed by time only.
_CONNECT_SECONDS = 5.0
_PING_SECONDS = 2.0
_READ_SECONDS = 10.0
_WRITE_SECONDS = 60.0
_GOODBYE_SECONDS = 0.5


def _now() -> datetime:
    return datetime.now(UTC)


class Store:
    """What the rest of the program gets. Connections are SQLAlchemy's ``AsyncConnection`` on both databases."""

    def __init__(
        self,
        engine: AsyncEngine,
        location: Location,
        records: RecordStore,
        deployment_id: str,
        clock: Callable[[], datetime] = _now,
        turns: Turns | None = None,
    ) -> None:
        self.engine = engine
        self.records = records
        """Where the recorder writes."""
        self.deployment_id = deployment_id
        self.clock = clock
        """Of this process; see ``processes.ago``."""
        self.schema_version = HEAD
        self.process_id = records.process_id
        self.introduction: Mapping[str, Sequence[str]] = {}
        """What this process has said of itself; see ``processes.introduce``."""
        self.dialect: Dialect = "postgresql" if location.path is None else "sqlite"
        self._location = location
        self._turns = turns
        self._driver_errors = driver_errors(self.dialect)

    @asynccontextmanager
    async def transaction(self, topics: Iterable[str] = ()) -> AsyncIterator[AsyncConnection]:
        """A transaction that may write; left without an error it is committed and every watcher learns *topics*.

        Raises StoreUnavailable. IntegrityError passes, for the noun to judge.
        """
        with translated(*self._driver_errors):
            async with self.engine.connect() as connection, _cutting(connection) as cut_after:
                await connection.execution_options(coderai_writes=True)
                cut_after(_WRITE_SECONDS)
                async with self.turn(), connection.begin():
                    try:
                        yield connection
                        await self.changed(connection, *topics)
                    finally:
                        cut_after(_READ_SECONDS)

    @asynccontextmanager
    async def reading(self, *, limit: float | None = _READ_SECONDS) -> AsyncIterator[AsyncConnection]:
        """One unchanging view of the database for statements that must agree, for *limit* seconds.

        Raises StoreUnavailable.
        """
        with translated(*self._driver_errors):
            async with self.engine.connect() as connection, _cutting(connection) as cut_after:
                if self.dialect == "postgresql":
                    await connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
                cut_after(limit)
                async with connection.begin():
                    try:
                        yield connection
                    finally:
                        cut_after(_READ_SECONDS)

    def turn(self) -> AbstractAsyncContextManager[None]:
        """The turn to write: in SQLite one task at a time, the recorder among them; in PostgreSQL everybody's."""
        return nullcontext() if self._turns is None else self._turns.mine()

    async def changed(self, connection: AsyncConnection, *topics: str) -> None:
        """Let every watcher of ``changes()`` know *topics* once the transaction of *connection* is committed."""
        insert = sqlite.insert if self.dialect == "sqlite" else postgresql.insert
        for topic in sorted(topics):
            bump = insert(changes).values(topic=topic, revision=1)
            bump = bump.on_conflict_do_update(index_elements=["topic"], set_={"revision": changes.c.revision + 1})
            await connection.execute(bump)
            if self.dialect == "postgresql":
                await connection.execute(select(func.pg_notify(watching.CHANNEL, topic)))

    def changes(self) -> AsyncIterator[frozenset[str]]:
        """Yield sets of changed topics, of all processes, within a quarter of a second.

        ``EVERYTHING`` comes first and whenever something may have been missed: drop every cache.
        """
        if self._location.path is None:
            return watching.listen(self._location.dsn)
        return watching.poll(self.engine)

    async def ping(self, limit: float = 2.0) -> None:
        """Raises StoreUnavailable if the database does not answer within *limit* seconds."""
        try:
            async with asyncio.timeout(limit), self.reading() as connection:
                await connection.execute(select(1))
        except TimeoutError as error:
            raise StoreUnavailable(f"the database did not answer within {limit:g} s") from error


@asynccontextmanager
async def _cutting(connection: AsyncConnection) -> AsyncIterator[Callable[[float | None], None]]:
    """Give what sets the time after which *connection* to PostgreSQL is cut; None for as long as it takes.

    A statement that is merely cancelled waits for the server's consent, and a silent server gives none. SQLite has its
    busy_timeout.
    """
    raw: Any = (await connection.get_raw_connection()).driver_connection
    sqlite, loop = connection.dialect.name == "sqlite", asyncio.get_running_loop()
    running: asyncio.TimerHandle | None = None

    def cut_after(seconds: float | None) -> None:
        nonlocal running
        if running is not None:
            running.cancel()
        running = None if seconds is None or sqlite else loop.call_later(seconds, raw.terminate)

    try:
        yield cut_after
    finally:
        cut_after(None)


@asynccontextmanager
async def open_store(
    url: str,
    *,
    synchronous: Synchronous = "FULL",
    create: bool = True,
    jobs: bool = True,
    clock: Callable[[], datetime] = _now,
) -> AsyncIterator[Store]:
    """Open, and if need be create or migrate, the database at *url*.

    With *jobs* this process is entered in ``processes`` (run ``processes.attend`` beside it) and orphans of dead ones
    are closed; *clock* is this process's. Raises StoreUnusable for a database we must not touch, StoreUnavailable for
    one we cannot reach.
    """
    location = locate(url)
    if location.path is not None:
        claim_file(location.path, create=create)
    engine = _sqlite_engine(location.path, synchronous) if location.path else _postgres_engine(location.dsn)
    try:
        deployment_id = await _prepare(engine, location, create=create)
        turns = Turns(_BUSY_MS / 1000) if location.path is not None else None
        async with _records(location, synchronous, turns) as records:
            store = Store(engine, location, records, deployment_id, clock, turns)
            if jobs:
                await processes.register(store)
                await processes.close_orphans(store)
            try:
                yield store
            finally:
                if jobs:
                    await processes.leave(store)
    finally:
        await engine.dispose()


async def revision_of(url: str) -> str | None:
    """Return the schema that the database at *url* has; None for one without. Raises as ``open_store`` does."""
    location = locate(url)
    if location.path is not None and not location.path.exists():
        return None
    engine = _sqlite_engine(location.path, "FULL") if location.path else _postgres_engine(location.dsn)
    try:
        async with engine.connect() as connection:
            return await connection.run_sync(revision)
    except (DBAPIError, OSError) as error:
        raise _refused(location, error) from error
    finally:
        await engine.dispose()


async def _prepare(engine: AsyncEngine, location: Location, *, create: bool) -> str:
    try:
        async with engine.connect() as connection:
            await connection.execution_options(coderai_writes=True)
            async with connection.begin():
                return await connection.run_sync(prepare, create=create)
    except (DBAPIError, OSError) as error:
        raise _refused(location, error) from error


def _refused(location: Location, error: Exception) -> StoreError:
    if "not a database" in str(error):
        return StoreUnusable(f"{location.path} is not an SQLite database")
    return StoreUnavailable(f"{unavailable(error)} ({location.path or without_secrets(location.dsn)})")


def _records(
    location: Location, synchronous: Synchronous, turns: Turns | None
) -> AbstractAsyncContextManager[RecordStore]:
    if location.path is None or turns is None:
        from coderai.store.writer_postgres import open_records as open_postgres

        return open_postgres(location.dsn, new_id())
    from coderai.store.writer_sqlite import open_records as open_sqlite

    return open_sqlite(location.path, new_id(), sqlite_pragmas(synchronous), turns)


def sqlite_pragmas(synchronous: Synchronous) -> Sequence[str]:
    """What every connection to SQLite is told first."""
    return (
        f"PRAGMA busy_timeout={_BUSY_MS}",
        f"PRAGMA synchronous={synchronous}",
        "PRAGMA foreign_keys=ON",
        "PRAGMA wal_autocheckpoint=4000",  # 16 MB: fewer, larger checkpoints
    )


def _sqlite_engine(path: Path, synchronous: Synchronous) -> AsyncEngine:
    engine = create_async_engine(
        URL.create("sqlite+aiosqlite", database=str(path)),  # in a text, % would have a meaning
        connect_args={"isolation_level": None},
        pool_size=_READERS,
        max_overflow=0,
        pool_timeout=_POOL_SECONDS,
    )

    # Heard only before the first table; lets retention give space back. It waits for the write lock in any case, so
    # readers must not say it.
    only_first = ["PRAGMA auto_vacuum=INCREMENTAL"]

    @event.listens_for(engine.sync_engine, "connect")
    def _set_up(connection: Any, _record: object) -> None:
        cursor = connection.cursor()
        for pragma in sqlite_pragmas(synchronous):
            cursor.execute(pragma)
        for pragma in only_first:
            cursor.execute(pragma)
        only_first.clear()
        cursor.close()

    @event.listens_for(engine.sync_engine, "begin")
    def _begin(connection: Any) -> None:
        # A reader that becomes a writer would fail at once when another one wrote meanwhile: say so at the beginning.
        writes = connection.get_execution_options().get("coderai_writes")
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine


def _postgres_engine(dsn: str) -> AsyncEngine:
    try:
        import asyncpg
    except ImportError as error:
        raise StoreUnusable("PostgreSQL needs a further package: pip install 'coderai[postgres]'") from error

    async def connect(*_arguments: object, **_options: object) -> Any:
        return await asyncpg.connect(dsn, timeout=_CONNECT_SECONDS, server_settings=watching.POSTGRES_SETTINGS)

    engine = create_async_engine(
        "postgresql+asyncpg://",
        async_creator=connect,
        pool_size=_READERS,
        max_overflow=0,
        pool_timeout=_POOL_SECONDS,
    )

    @event.listens_for(engine.sync_engine, "checkout")
    def _ping(connection: Any, record: Any, _lent: object) -> None:
        # pool_pre_ping would wait for ever for a server that is silent.
        if not record.info.setdefault("lent before"):  # empty again for every new connection
            record.info["lent before"] = True
            return
        raw = connection.driver_connection
        limit = asyncio.get_running_loop().call_later(_PING_SECONDS, raw.terminate)
        try:
            connection.ping()
        except (engine.dialect.loaded_dbapi.Error, asyncpg.InternalClientError, OSError) as error:
            raise InvalidatePoolError from error
        finally:
            limit.cancel()

    @event.listens_for(engine.sync_engine, "close")
    def _goodbye(connection: Any, _record: object) -> None:
        asyncio.get_running_loop().call_later(_GOODBYE_SECONDS, connection.driver_connection.terminate)

    return engine
