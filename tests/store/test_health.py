"""How providers do, told by the records."""

from dataclasses import replace
from datetime import timedelta

from coderai.store.engine import Store, open_store
from coderai.store.health import Doing, provider_doings
from coderai.store.hours import settle
from tests.api.building import failed, record, start
from tests.store.building import NOON, begun, ended, interception


async def doing(store: Store, minute: float) -> Doing:
    """How anthropic does so many minutes after noon."""
    async with store.reading() as db:
        return (await provider_doings(db, NOON + timedelta(minutes=minute), ["anthropic"])).by_name["anthropic"]


async def test_the_last_hour_is_counted(store: Store) -> None:
    await record(store, "mia", 0)
    await record(store, "mia", 61)
    await record(store, "mia", 62, provider_name="other")
    await start(store, "mia", 63)
    bad = interception(64)
    await store.records.commit([begun(bad)])
    await store.records.commit([failed(bad)])
    found = await doing(store, 65)
    assert (found.requests, found.errors) == (2, 1)
    assert found.last_error is not None
    assert (found.last_error.status, found.last_error.message, found.last_error.interception_id) == (
        529,
        "try later",
        bad.id,
    )


async def test_first_bytes_are_waited_for(store: Store) -> None:
    for seconds in (3, 1, 2):
        it = interception(seconds)
        whole = ended(it)
        await store.records.commit([begun(it)])
        first = it.started_at + timedelta(seconds=seconds)
        await store.records.commit([replace(whole, end=replace(whole.end, first_byte_at=first))])
    assert (await doing(store, 30)).waits == tuple(timedelta(seconds=each) for each in (1, 2, 3))


async def test_an_older_error_is_found_by_the_roll_up(database_url: str) -> None:
    async with open_store(database_url, clock=lambda: NOON + timedelta(days=2)) as store:
        old, newer = interception(0), interception(70)
        await store.records.commit([begun(old), begun(newer)])
        await store.records.commit([failed(old), failed(newer)])
        await record(store, "mia", 71)
        assert (await doing(store, 2 * 24 * 60)).last_error is None
        await settle(store)
        found = (await doing(store, 2 * 24 * 60)).last_error
        assert found is not None
        assert found.interception_id == newer.id
