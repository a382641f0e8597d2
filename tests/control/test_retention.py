"""The pruning job."""

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import func, select

from coderai.access.callers import Caller
from coderai.control.retention import keep_within, prune
from coderai.control.tokens import Lifetimes, NewToken, TokenControl
from coderai.control.users import NewUser, UserControl
from coderai.store.engine import Store
from coderai.store.schema import api_keys, audit_logs, interceptions, sessions
from tests.api.building import record
from tests.store.building import NOON

ROOT = Caller("", "root", frozenset({"owner"}))
ADA = "01900000-0000-7000-8000-000000000001"


@dataclass(frozen=True)
class Limits:
    aibridge_retention: timedelta = timedelta(days=60)
    api_keys_retention: timedelta = timedelta(days=7)
    audit_logs_retention: timedelta = timedelta()


async def counts(store: Store) -> tuple[int, int]:
    """Interceptions and sessions that are left."""
    async with store.reading() as db:
        records = await db.execute(select(func.count()).select_from(interceptions))
        return records.scalar_one(), (await db.execute(select(func.count()).select_from(sessions))).scalar_one()


@pytest.mark.parametrize(("days", "left"), [(60, (2, 2)), (1, (1, 1)), (0, (2, 2))])
async def test_records_are_kept_as_long_as_wanted(store: Store, days: int, left: tuple[int, int]) -> None:
    for day in (0, 5):
        await record(store, ADA, day * 24 * 60)
    await prune(store, Limits(timedelta(days=days)), lambda: NOON + timedelta(days=5, minutes=1))
    assert await counts(store) == left


async def test_expired_tokens_are_kept_for_a_while(store: Store) -> None:
    users = UserControl(store)
    await users.create(ROOT, NewUser("ada", "ada@example.com"))
    for name, hours in (("short", 1), ("long", 48)):
        await TokenControl(store, users, Lifetimes()).create(ROOT, "ada", NewToken(name, timedelta(hours=hours)))
    await prune(store, Limits(), lambda: datetime.now(UTC) + timedelta(days=7, hours=2))
    async with store.reading() as db:
        assert list((await db.execute(select(api_keys.c.token_name))).scalars()) == ["long"]


@pytest.mark.parametrize(("days", "left"), [(0, 2), (10, 2), (3, 1)])
async def test_changes_are_kept_as_long_as_wanted(store: Store, days: int, left: int) -> None:
    for day in (1, 5):
        users = UserControl(store, lambda day=day: NOON + timedelta(days=day))  # type: ignore[misc]
        await users.create(ROOT, NewUser(f"ada{day}", f"ada{day}@example.com"))
    await prune(store, Limits(audit_logs_retention=timedelta(days=days)), lambda: NOON + timedelta(days=6))
    async with store.reading() as db:
        assert (await db.execute(select(func.count()).select_from(audit_logs))).scalar_one() == left


async def test_the_job_repeats(store: Store) -> None:
    await record(store, ADA)
    again = asyncio.Event()
    rounds: list[datetime] = []

    def clock() -> datetime:
        rounds.append(NOON)
        if len(rounds) == 2:
            again.set()
        return NOON + timedelta(days=90)

    async with asyncio.TaskGroup() as group:
        job = group.create_task(keep_within(store, Limits(), every=timedelta(0), clock=clock))
        async with asyncio.timeout(10):
            await again.wait()
        job.cancel()
    assert await counts(store) == (0, 0)
