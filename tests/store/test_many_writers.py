"""Three writers on one database, touching the same sessions in random order."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import timedelta

import pytest

from coderai.ids import new_id
from coderai.records import Begun, Ended, Interception
from coderai.store import retention, schema
from coderai.store.engine import Store, open_store
from coderai.store.writer import Item
from tests.store.building import NOON, begun, call, ended, interception, usage
from tests.store.looking import recounted, roll_up, rows

SESSIONS = [f"chat-{n}" for n in range(12)]
ROUNDS = 30
BATCH = 24


@pytest.fixture
async def three(database_url: str) -> AsyncIterator[list[Store]]:
    """Three open stores, each with its own writer."""
    async with AsyncExitStack() as stack:
        yield [await stack.enter_async_context(open_store(database_url)) for _ in range(3)]


async def test_no_deadlock_and_no_miscount(three: list[Store]) -> None:
    async with asyncio.TaskGroup() as tasks:
        for seed, store in enumerate(three):
            tasks.create_task(write_much(store, random.Random(seed)))
    total = sum(row["interceptions"] for row in await rows(three[0], schema.sessions))
    assert total == 3 * ROUNDS * BATCH
    assert await roll_up(three[0]) == await recounted(three[0])


async def test_the_same_batches_from_everywhere_count_once(three: list[Store]) -> None:
    chance = random.Random(7)
    batches = [batch_of(chance) for _ in range(10)]
    async with asyncio.TaskGroup() as tasks:
        for store in three:
            tasks.create_task(write_all(store, [shuffled(batch, chance) for batch in batches]))
    total = sum(row["interceptions"] for row in await rows(three[0], schema.sessions))
    assert total == 10 * BATCH
    assert await roll_up(three[0]) == await recounted(three[0])


async def test_retention_among_writers_keeps_the_roll_up_right(three: list[Store]) -> None:
    async with asyncio.TaskGroup() as tasks:
        for seed, store in enumerate(three[:2]):
            tasks.create_task(write_much(store, random.Random(seed)))
        tasks.create_task(purge_often(three[2]))
    assert await roll_up(three[0]) == await recounted(three[0])


async def write_much(store: Store, chance: random.Random) -> None:
    await write_all(store, [batch_of(chance) for _ in range(ROUNDS)])


async def write_all(store: Store, batches: list[list[Item]]) -> None:
    for batch in batches:
        await store.records.commit(batch)


async def purge_often(store: Store) -> None:
    for minute in range(0, 60, 6):
        await retention.purge(store, NOON + timedelta(minutes=minute), batch=50)


def batch_of(chance: random.Random) -> list[Item]:
    """Starts, then ends in another order; some follow others."""
    its = [one(chance) for _ in range(BATCH)]
    for place in range(1, BATCH, 3):
        its[place] = replace(
            its[place], tool_result_id=f"call-{its[place - 1].id}", client_session_id=its[place - 1].client_session_id
        )
    ends: list[Item] = [ended(it, usage(chance.randrange(9)), call(f"call-{it.id}")) for it in its]
    chance.shuffle(ends)
    return [*(begun(it) for it in its), *ends]


def one(chance: random.Random) -> Interception:
    """An interception of one of few sessions and models, at a random minute."""
    return interception(
        chance.randrange(60),
        id=new_id(),
        client_session_id=chance.choice(SESSIONS),
        model=chance.choice(["a", "b"]),
        prompt=chance.choice([None, "hello"]),
    )


def shuffled(batch: list[Item], chance: random.Random) -> list[Item]:
    """The same starts and ends in another order, starts first."""
    starts = [item for item in batch if isinstance(item, Begun)]
    ends = [item for item in batch if isinstance(item, Ended)]
    chance.shuffle(ends)
    return [*starts, *ends]
