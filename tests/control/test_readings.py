"""Openings are noted again after an hour, by whichever process sees them first, and at most once where several do."""

import asyncio
from datetime import UTC, datetime, timedelta

from coderai.access.callers import Caller
from coderai.control.readings import Readings
from coderai.ids import new_id
from coderai.store.audit import AuditLog, EntryFilter
from coderai.store.engine import Store, open_store
from coderai.store.users import Person, User, Users

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
MIA = Person(new_id(), "mia", "", "")


class Clock:
    """Goes when it is told to."""

    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> datetime:
        return self.now


async def reader(store: Store) -> Caller:
    user = User(new_id(), "audrey", NOON, NOON, "audrey@example.com", "Audrey")
    async with store.transaction() as db:
        await Users(db).insert(user)
    return Caller(user.id, user.username)


async def noted(store: Store) -> int:
    async with store.reading() as db:
        return (await AuditLog(db).list(EntryFilter(action="read"), limit=1))[1]


async def test_it_is_noted_once_an_hour(database_url: str) -> None:
    clock = Clock()
    async with open_store(database_url, clock=clock) as store:
        audrey, readings = await reader(store), Readings(store)
        counts = []
        for minutes in (0, 59, 1, 59, 61):
            clock.now += timedelta(minutes=minutes)
            await readings.session(audrey, "s", MIA)
            counts.append(await noted(store))
    assert counts == [1, 1, 2, 2, 3]


async def test_many_at_once_are_noted_once_also_by_several_processes(database_url: str) -> None:
    async with open_store(database_url) as store, open_store(database_url) as other:
        audrey = await reader(store)
        processes = [Readings(store), Readings(other)]
        async with asyncio.TaskGroup() as group:
            for place in range(8):
                group.create_task(processes[place % 2].session(audrey, "s", MIA), name=f"reader {place}")
        assert await noted(store) == 1


async def test_a_local_owner_without_a_row_is_noted_too(database_url: str) -> None:
    async with open_store(database_url) as store:
        await Readings(store).session(Caller("", "local"), "s", MIA)
        await Readings(store).session(Caller("", "local"), "s", MIA)
        assert await noted(store) == 1
