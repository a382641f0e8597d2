"""Deleting what is too old."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import insert, select

from coderai.store import schema
from coderai.store.engine import Store, open_store
from coderai.store.retention import Purged, purge, purge_api_keys
from tests.store.building import NOON, begun, call, ended, interception, thought, usage
from tests.store.looking import recounted, roll_up, rows

HALF_PAST = NOON + timedelta(minutes=30)


@pytest.fixture
async def filled(store: Store) -> Store:
    """Session ``old`` is all old, ``both`` half, ``new`` not at all; one more still runs."""
    for session, minutes in (("old", (0, 1)), ("both", (2, 40)), ("new", (45,))):
        for minute in minutes:
            it = interception(minute, prompt="hello", client_session_id=session, model=f"m{minute}")
            await store.records.commit([begun(it), ended(it, usage(), call("c"), thought())])
    await store.records.commit([begun(interception(3, prompt="still running"))])
    return store


async def test_old_interceptions_go_with_all_their_rows(filled: Store) -> None:
    assert await purge(filled, HALF_PAST, batch=2) == Purged(4, 4, 3, 3, 3)
    left = [len(await rows(filled, table)) for table in schema.metadata.sorted_tables if "aibridge" in table.name]
    assert left == [2] * 5


async def test_sessions_keep_what_is_left_of_them(filled: Store) -> None:
    await purge(filled, HALF_PAST)
    sessions = {row["id"]: row for row in await rows(filled, schema.sessions)}
    assert sorted(sessions) == ["both", "new"]
    assert (sessions["both"]["interceptions"], sessions["both"]["input_tokens"]) == (1, 1)
    assert sessions["both"]["started_at"] == NOON + timedelta(minutes=40)
    assert [row["model"] for row in await rows(filled, schema.session_facets)] == ["m40", "m45"]
    assert await roll_up(filled) == await recounted(filled)


async def test_a_dry_run_counts_and_deletes_nothing(filled: Store) -> None:
    before = await roll_up(filled)
    counted = await purge(filled, HALF_PAST, dry_run=True)
    assert await roll_up(filled) == before
    assert await purge(filled, HALF_PAST) == counted
    assert counted.total == 17


async def test_nothing_old_is_nothing_done(filled: Store) -> None:
    assert (await purge(filled, NOON)).total == 0


async def test_sqlite_gives_the_space_back(tmp_path: Path) -> None:
    async with open_store(f"sqlite:///{tmp_path}/c.db") as store:
        for _ in range(20):
            it = interception(prompt="x" * 100_000)
            await store.records.commit([begun(it), ended(it)])
        await purge(store, HALF_PAST)
        async with store.reading() as connection:
            pages = [(await connection.exec_driver_sql(f"PRAGMA {n}_count")).scalar_one() for n in ("freelist", "page")]
    assert pages[0] == 0
    assert pages[1] < 100


async def test_expired_tokens_go_after_their_time(store: Store) -> None:
    now = datetime.now(UTC)
    user = {"id": "u", "username": "ada", "created_at": now, "updated_at": now}
    keys = [
        {
            "id": name,
            "user_id": "u",
            "hashed_secret": b"x",
            "token_name": name,
            "expires_at": now - timedelta(days=days),
            "created_at": now,
            "updated_at": now,
        }
        for name, days in (("long ago", 9), ("lately", 3))
    ]
    async with store.transaction() as connection:
        await connection.execute(insert(schema.users), user)
        await connection.execute(insert(schema.api_keys), keys)
    assert await purge_api_keys(store, now - timedelta(days=7)) == 1
    async with store.reading() as connection:
        assert (await connection.execute(select(schema.api_keys.c.id))).scalars().all() == ["lately"]
