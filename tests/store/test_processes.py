"""Orphans of dead processes, and only those, are closed."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import update

from coderai.store import processes, schema
from coderai.store.engine import Store, open_store
from tests.store.building import begun, ended, interception, usage
from tests.store.looking import interception as row_of
from tests.store.looking import only, recounted, roll_up, rows


@pytest.fixture
async def other(database_url: str, store: Store) -> AsyncIterator[Store]:
    """A second process on the same database."""
    async with open_store(database_url) as opened:
        yield opened


async def fall_silent(store: Store) -> None:
    """Make *store* look as if its process died a minute ago."""
    mine = schema.processes.c.id == store.process_id
    long_ago = datetime.now(UTC) - timedelta(minutes=1)
    async with store.transaction() as connection:
        await connection.execute(update(schema.processes).where(mine).values(heartbeat_at=long_ago))


async def test_what_a_dead_process_left_open_is_interrupted(store: Store, other: Store) -> None:
    it = interception(prompt="hello", client_session_id="s")
    await other.records.commit([begun(it)])
    await fall_silent(other)
    assert await processes.close_orphans(store) == 1
    row = await row_of(store, it.id)
    assert (row["ending"], row["error_type"]) == ("interrupted", "unknown")
    assert (await only(store, schema.sessions))["interceptions"] == 1
    assert await roll_up(store) == await recounted(store)


async def test_running_ones_of_living_processes_are_left_alone(store: Store, other: Store) -> None:
    mine, its = interception(), interception()
    await store.records.commit([begun(mine)])
    await other.records.commit([begun(its)])
    assert await processes.close_orphans(store) == 0


@pytest.mark.parametrize("dialect", ["postgresql"], indirect=True)
@pytest.mark.parametrize("wrong_by", [timedelta(hours=1), timedelta(hours=-1)])
async def test_replicas_may_disagree_about_the_time(database_url: str, store: Store, wrong_by: timedelta) -> None:
    """Each looks at the other's heartbeat by the clock of the database."""
    async with open_store(database_url, clock=lambda: datetime.now(UTC) + wrong_by) as wrong:
        mine, its = interception(), interception()
        await store.records.commit([begun(mine)])
        await wrong.records.commit([begun(its)])
        assert await processes.close_orphans(wrong) == await processes.close_orphans(store) == 0
        async with store.reading() as db:
            assert [known.process_id for known in await processes.others_alive(store, db)] == [wrong.process_id]


async def test_our_own_are_never_orphans(store: Store) -> None:
    it = interception()
    await store.records.commit([begun(it)])
    await fall_silent(store)
    assert await processes.close_orphans(store) == 0


async def test_a_start_closes_orphans(store: Store, database_url: str) -> None:
    it = interception()
    await store.records.commit([begun(it)])
    await fall_silent(store)
    async with open_store(database_url):
        assert (await row_of(store, it.id))["ending"] == "interrupted"


async def test_a_late_end_tells_the_truth(store: Store, other: Store) -> None:
    it = interception(prompt="hello", client_session_id="s")
    await other.records.commit([begun(it)])
    await fall_silent(other)
    await processes.close_orphans(store)
    await other.records.commit([ended(it, usage(3))])
    row = await row_of(store, it.id)
    assert (row["ending"], row["error_type"], row["error_message"]) == ("complete", None, None)
    session = await only(store, schema.sessions)
    assert (session["interceptions"], session["threads"], session["input_tokens"]) == (1, 1, 3)
    assert await roll_up(store) == await recounted(store)


async def test_a_heartbeat_brings_a_process_back(store: Store, other: Store) -> None:
    await fall_silent(other)
    await processes.close_orphans(store)
    await processes.beat(other)
    assert {row["id"] for row in await rows(store, schema.processes)} == {store.process_id, other.process_id}


async def test_a_process_that_leaves_is_no_longer_listed(store: Store, database_url: str) -> None:
    async with open_store(database_url):
        pass
    assert [row["id"] for row in await rows(store, schema.processes)] == [store.process_id]


async def test_without_jobs_nothing_is_registered(database_url: str, store: Store) -> None:
    async with open_store(database_url, jobs=False):
        assert [row["id"] for row in await rows(store, schema.processes)] == [store.process_id]
