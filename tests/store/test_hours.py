"""The roll-up of usage by the hour says what the rows say, whatever is settled, deleted or erased."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import timedelta

import pytest
from sqlalchemy import delete, select

from coderai.store.engine import Store, open_store
from coderai.store.erasure import erase_records
from coderai.store.hours import begin_anew, settle, settled_until, take_off, wrong_hours
from coderai.store.matching import RecordFilter
from coderai.store.retention import purge
from coderai.store.schema import interceptions, token_usages, tool_hours, tool_usages, usage_hours
from coderai.store.usage import Dimension, Used, tools_used, used
from coderai.store.users import Users
from tests.api.building import failed, record, start
from tests.api.conftest import person
from tests.store.building import NOON, begun, call, interception, usage
from tests.store.looking import rows

LATER = NOON + timedelta(days=30)
WINDOWS = [
    (None, None),
    (NOON + timedelta(minutes=20), None),
    (None, NOON + timedelta(minutes=130)),
    (NOON - timedelta(hours=2), NOON + timedelta(minutes=59)),
    (NOON + timedelta(minutes=10), NOON + timedelta(minutes=50)),
    (NOON + timedelta(hours=1), NOON + timedelta(hours=3)),
    (NOON + timedelta(days=40), None),
]
FILTERS = [
    RecordFilter(model="m1"),
    RecordFilter(client="Codex"),
    RecordFilter(provider="anthropic", provider_name="anthropic"),
    RecordFilter(initiator_id="other"),
    RecordFilter(on_behalf_of=("mia",)),
    RecordFilter(visible_to="mia"),
]


@pytest.fixture
async def busy(database_url: str) -> AsyncIterator[Store]:
    """Five hours with two people and two models, long ago; what started in the fourth hour still runs."""
    async with open_store(database_url, clock=lambda: LATER) as store:
        async with store.transaction() as db:
            await Users(db).insert(people := person("mia", ""))
        for minute in (0, 15, 45, 61, 100, 119, 120):
            await record(store, people.id, minute, usage(minute + 1), call(f"c{minute}"), model=f"m{minute % 2}")
        await record(store, people.id, 130, usage(3), usage(4), call("a", "Read"), call("b"), client="Codex")
        await record(store, "other", 140, usage(5), on_behalf_of="mia")
        bad = interception(150, initiator_id="other")
        await store.records.commit([begun(bad)])
        await store.records.commit([failed(bad)])
        await start(store, "other", 200)
        await record(store, people.id, 210, usage(9))
        yield store


async def test_what_is_deleted_while_the_first_hours_are_settled_is_not_counted(busy: Store):
    """Nothing was settled before: there is no mark whose row could be waited for."""
    async with asyncio.TaskGroup() as tasks, busy.transaction() as db:
        gone = (await db.execute(select(interceptions.c.id).order_by(interceptions.c.id).limit(2))).scalars().all()
        await take_off(db, gone)
        settling = tasks.create_task(settle_all(busy))
        await asyncio.wait([settling], timeout=0.3)
        for table in (token_usages, tool_usages):
            await db.execute(delete(table).where(table.c.interception_id.in_(gone)))
        await db.execute(delete(interceptions).where(interceptions.c.id.in_(gone)))
    async with busy.reading() as db:
        assert await settled_until(db) is not None
        assert list(await wrong_hours(db)) == []


async def settle_all(store: Store, at_once: int = 400) -> None:
    """Run the job until it has nothing to do."""
    for _ in range(100):
        if not await settle(store, at_once):
            return


async def said(store: Store, by: Sequence[Dimension], wanted: RecordFilter) -> tuple[Sequence[Used], object]:
    async with store.reading() as db:
        return await used(db, by, wanted), await tools_used(db, wanted)


@pytest.mark.parametrize("at_once", [2, 400])
async def test_settled_or_not_the_sums_are_the_same(busy: Store, at_once: int) -> None:
    wanted = [RecordFilter(started_after=after, started_before=before) for after, before in WINDOWS]
    before = [await said(busy, ["hour", "user", "model"], each) for each in wanted]
    await settle_all(busy, at_once)
    assert [await said(busy, ["hour", "user", "model"], each) for each in wanted] == before


async def test_filters_hold_for_the_roll_up(busy: Store) -> None:
    before = [await said(busy, ["provider", "client"], each) for each in FILTERS]
    assert all(groups for groups, _tools in before)
    await settle_all(busy)
    assert [await said(busy, ["provider", "client"], each) for each in FILTERS] == before


async def test_the_mark_stops_before_what_runs(busy: Store) -> None:
    await settle_all(busy)
    async with busy.reading() as db:
        assert await settled_until(db) == NOON + timedelta(minutes=200)


async def test_what_is_young_is_not_settled(database_url: str) -> None:
    async with open_store(database_url, clock=lambda: NOON + timedelta(minutes=20)) as store:
        await record(store, "mia", 0)
        await record(store, "mia", 10)
        assert not await settle(store)
        assert [row["n"] for row in await rows(store, usage_hours)] == [1]


async def test_what_is_deleted_counts_no_more(busy: Store) -> None:
    await settle_all(busy)
    await purge(busy, NOON + timedelta(minutes=110), batch=2)
    left = await said(busy, ["hour"], RecordFilter())
    await anew(busy)
    assert await said(busy, ["hour"], RecordFilter()) == left
    await purge(busy, LATER)
    assert [await rows(busy, usage_hours), await rows(busy, tool_hours)] == [[], []]


async def test_what_is_erased_counts_as_before(busy: Store) -> None:
    """A name on whose behalf something was asked becomes an id."""
    await settle_all(busy)
    await erase_records(busy, "0190-mia", "mia")
    settled = await rows(busy, usage_hours)
    await anew(busy)
    assert await rows(busy, usage_hours) == settled
    assert {row["on_behalf_of"] for row in settled} == {"", "0190-mia"}


async def anew(store: Store) -> None:
    """Make the roll-up again."""
    async with store.transaction() as db:
        await begin_anew(db)
    await settle_all(store)
