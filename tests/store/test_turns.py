"""Who writes to SQLite when several tasks of one process want to."""

import asyncio
from pathlib import Path

import pytest

from coderai.errors import StoreUnavailable
from coderai.store.engine import open_store
from coderai.store.turns import Turns
from tests.store.building import begun, interception


async def test_turns_come_in_the_order_of_asking() -> None:
    turns, came = Turns(patience=60), []

    async def take(name: str) -> None:
        async with turns.mine():
            came.append(name)

    async with asyncio.TaskGroup() as tasks:
        async with turns.mine():
            for name in ("first", "second", "third"):
                tasks.create_task(take(name))
                await asyncio.sleep(0)
            came.append("holder")
        tasks.create_task(take("last"))
    assert came == ["holder", "first", "second", "third", "last"]


async def test_who_waits_too_long_is_told_so_and_holds_up_nobody() -> None:
    turns = Turns(patience=0.01)
    async with turns.mine():
        with pytest.raises(StoreUnavailable, match="locked for more than"):
            async with turns.mine():
                pass
    async with turns.mine():
        pass


async def test_a_commit_waits_for_a_transaction_of_the_same_process(tmp_path: Path) -> None:
    async with open_store(f"sqlite:///{tmp_path}/c.db", jobs=False) as store, asyncio.TaskGroup() as tasks:
        async with store.transaction() as connection:
            commit = tasks.create_task(store.records.commit([begun(interception())]))
            await asyncio.sleep(0)
            await connection.exec_driver_sql("SELECT 1")
            assert not commit.done()
        await commit
