"""Opening, creating, migrating and refusing databases."""

import asyncio
import sqlite3
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import Connection, inspect, text
from sqlalchemy.ext.asyncio import create_async_engine

from coderai.errors import StoreUnavailable, StoreUnusable
from coderai.settings import Settings
from coderai.store import engine as engines
from coderai.store.engine import Store, open_store, revision_of
from coderai.store.locations import locate, without_secrets
from coderai.store.migrations import HEAD, REVISIONS
from coderai.store.prepare import upgrade
from coderai.store.schema import metadata


async def test_a_new_database_gets_an_identity_that_stays(empty_database_url: str) -> None:
    async with open_store(empty_database_url) as store:
        first = store.deployment_id
    async with open_store(empty_database_url) as store:
        assert (store.deployment_id, store.schema_version) == (first, HEAD)


async def test_three_that_create_the_same_database_at_once_agree(empty_database_url: str) -> None:
    assert len(await identities(empty_database_url)) == 1


async def test_three_that_find_an_old_database_at_once_migrate_it_once(empty_database_url: str) -> None:
    old = engine_for(empty_database_url)
    async with old.begin() as connection:
        await connection.run_sync(upgrade, REVISIONS[0])
        await connection.execute(text("INSERT INTO coderai_meta (key, value) VALUES ('deployment_id', 'the old one')"))
    await old.dispose()
    assert await identities(empty_database_url) == {"the old one"}
    assert await revision_of(empty_database_url) == HEAD


async def identities(url: str) -> set[str]:
    """What three that open the database at the same moment take it for."""
    async with asyncio.TaskGroup() as tasks:
        three = [tasks.create_task(identity(url)) for _ in range(3)]
    return {each.result() for each in three}


async def identity(url: str) -> str:
    async with open_store(url) as store:
        return store.deployment_id


async def test_migrations_lead_to_the_schema(store: Store, postgres_or_file: str) -> None:
    fresh = await shape_of(store)
    other = engine_for(postgres_or_file)
    async with other.connect() as connection:
        await connection.run_sync(upgrade)
        assert await connection.run_sync(shape) == fresh
        await connection.rollback()
    await other.dispose()


def test_the_names_of_the_revisions_are_those_of_their_files() -> None:
    files = (Path(engines.__file__).parent / "migrations" / "versions").glob("[0-9]*.py")
    assert tuple(sorted(file.name[:4] for file in files)) == REVISIONS


def test_a_second_start_imports_no_alembic(tmp_path: Path) -> None:
    program = (
        "import asyncio, sys\n"
        "from coderai.store.engine import open_store\n"
        "async def main():\n"
        f"    async with open_store('sqlite:///{tmp_path}/c.db'): pass\n"
        "asyncio.run(main())\n"
        "print('alembic' in sys.modules)\n"
    )
    answers = [subprocess.run([sys.executable, "-c", program], capture_output=True, text=True) for _ in range(2)]
    assert [answer.stdout for answer in answers] == ["False\n", "False\n"]


async def test_a_foreign_database_is_refused_and_left_alone(empty_database_url: str) -> None:
    foreign = engine_for(empty_database_url)
    async with foreign.begin() as connection:
        await connection.execute(text("CREATE TABLE workspaces (id INTEGER)"))
    with pytest.raises(StoreUnusable, match=r"tables that are not coderai's \(workspaces\)"):
        async with open_store(empty_database_url):
            pass
    async with foreign.connect() as connection:
        assert await connection.run_sync(lambda sync: inspect(sync).get_table_names()) == ["workspaces"]
    await foreign.dispose()


async def test_a_newer_schema_is_refused(database_url: str) -> None:
    async with open_store(database_url) as store, store.transaction() as connection:
        await connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(StoreUnusable, match="newer coderai"):
        async with open_store(database_url):
            pass


async def test_an_empty_database_stays_empty_unless_creating_is_wanted(empty_database_url: str) -> None:
    with pytest.raises(StoreUnusable, match="coderai server"):
        async with open_store(empty_database_url, create=False):
            pass


async def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    (tmp_path / "c.db").write_text("dear diary, " * 100)
    with pytest.raises(StoreUnusable, match="not an SQLite database"):
        async with open_store(f"sqlite:///{tmp_path}/c.db"):
            pass


async def test_a_directory_that_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(StoreUnusable, match="No such file or directory"):
        async with open_store(f"sqlite:///{tmp_path}/none/c.db"):
            pass


async def test_only_the_owner_can_read_the_file(tmp_path: Path) -> None:
    async with open_store(f"sqlite:///{tmp_path}/c.db"):
        files = sorted(tmp_path.iterdir())
        assert [stat.S_IMODE(file.stat().st_mode) for file in files] == [0o600] * len(files)


@pytest.mark.parametrize(
    ("url", "path", "dsn"),
    [
        ("sqlite:///c.db", "c.db", ""),
        ("sqlite:////var/c.db", "/var/c.db", ""),
        ("sqlite:////var/100%25 ours%3F/c.db?mode=rw", "/var/100% ours?/c.db", ""),
        ("postgres://h/d", None, "postgresql://h/d"),
        ("postgresql://u:p%40@[::1]:1,h:2/d?host=/run", None, "postgresql://u:p%40@[::1]:1,h:2/d?host=/run"),
        ("postgresql+asyncpg://u:p@h/d?sslmode=require", None, "postgresql://u:p@h/d?sslmode=require"),
    ],
)
def test_urls(url: str, path: str | None, dsn: str) -> None:
    location = locate(url)
    assert (location.path and str(location.path), location.dsn) == (path, dsn)


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///:memory:", "mysql://h/d", "coderai.db"])
def test_urls_that_are_refused(url: str) -> None:
    with pytest.raises(StoreUnusable):
        locate(url)


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://u:can/ary@h:1/d",
        "postgresql://u:can?ary@h:1/d",
        "postgresql://u:can#ary@h:1/d",
        "postgresql://u:canary@[::1/d",
        "postgresql://u:canary@h:port/d",
        "u:canary@h/d",
        "canary",
    ],
)
def test_a_url_that_says_something_else_than_was_meant_is_refused_without_being_repeated(url: str) -> None:
    with pytest.raises(StoreUnusable) as caught:
        locate(url)
    assert "ary" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://u:secret@h:5432/d", "postgresql://u:…@h:5432/d"),
        ("postgresql://u:se/c?r@et@[::1/d", "postgresql://u:…@[::1/d"),
        ("postgresql://u@h/d?password=secret&x=1", "postgresql://u@h/d?password=…&x=1"),
        ("postgresql://h:5432/d", "postgresql://h:5432/d"),
        ("sqlite:////var/a:b@c/c.db", "sqlite:////var/a:b@c/c.db"),
    ],
)
def test_a_url_without_secrets(url: str, shown: str) -> None:
    assert without_secrets(url) == shown


async def test_a_directory_may_have_any_name(tmp_path: Path) -> None:
    directory = tmp_path / "50%25 of what? #1 日本"
    directory.mkdir()
    async with open_store(Settings(data_dir=directory).database) as store:
        assert store.schema_version == HEAD
    assert [file.name for file in directory.iterdir()] == ["coderai.db"]
    assert list(tmp_path.iterdir()) == [directory]


async def test_a_server_that_cannot_be_reached_is_named() -> None:
    with pytest.raises(StoreUnavailable, match=r"\(postgresql://me:…@127.0.0.1:1/d\)"):
        await revision_of("postgresql://me:canary@127.0.0.1:1/d")


async def test_what_the_driver_does_not_take_is_told() -> None:
    with pytest.raises(StoreUnavailable, match="sslmode"):
        await revision_of("postgresql://127.0.0.1:1/d?sslmode=bogus")


async def test_every_sqlite_connection_syncs_fully_and_waits(tmp_path: Path) -> None:
    async with open_store(f"sqlite:///{tmp_path}/c.db") as store, store.reading() as connection:
        pragmas = ("synchronous", "journal_mode", "foreign_keys", "busy_timeout", "auto_vacuum")
        values = [(await connection.exec_driver_sql(f"PRAGMA {name}")).scalar_one() for name in pragmas]
        assert values == [2, "wal", 1, 5000, 2]


async def test_who_only_reads_waits_for_no_writer(tmp_path: Path) -> None:
    """Not even with a connection that is opened while another process holds the lock."""
    async with open_store(f"sqlite:///{tmp_path}/c.db") as store:
        other = sqlite3.connect(tmp_path / "c.db", isolation_level=None)
        other.execute("BEGIN EXCLUSIVE")
        async with asyncio.timeout(2), store.reading(), store.reading(), store.reading() as connection:
            assert (await connection.exec_driver_sql("PRAGMA auto_vacuum")).scalar_one() == 2
        other.close()


@pytest.fixture
def postgres_or_file(request: pytest.FixtureRequest, dialect: str, tmp_path: Path) -> str:
    """A second, empty database of the same kind."""
    if dialect == "sqlite":
        return f"sqlite:///{tmp_path}/other.db"
    return str(request.getfixturevalue("postgres_server").empty())


def engine_for(url: str):  # type: ignore[no-untyped-def]
    """A plain engine, without anything of ours."""
    location = locate(url)
    if location.path:
        sqlite3.connect(location.path).close()
        return create_async_engine(f"sqlite+aiosqlite:///{location.path}")
    return engines._postgres_engine(location.dsn)


async def shape_of(store: Store) -> dict[str, object]:
    async with store.reading() as connection:
        return await connection.run_sync(shape)


def shape(connection: Connection) -> dict[str, object]:
    """Everything the database itself says about our tables and indices."""
    if connection.dialect.name == "sqlite":
        rows = connection.execute(text("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL"))
        return {name: " ".join(sql.split()) for name, sql in rows if name != "alembic_version"}
    columns = connection.execute(
        text(
            "SELECT table_name || '.' || column_name, data_type, is_nullable, column_default, collation_name"
            " FROM information_schema.columns WHERE table_schema = 'public'"
        )
    )
    indices = connection.execute(text("SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'"))
    keys = connection.execute(text("SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint"))
    everything = {row[0]: tuple(row) for rows in (columns, indices, keys) for row in rows}
    assert set(metadata.tables) <= {name.partition(".")[0] for name in everything}
    return {name: value for name, value in everything.items() if "alembic" not in name}
