"""Transactions, the news they spread, and what callers see of a database in trouble."""

import asyncio
import sys
from collections.abc import AsyncIterator

import pytest
from sqlalchemy import insert, select, text
from sqlalchemy.exc import IntegrityError

from coderai.errors import StoreUnavailable, StoreUnusable
from coderai.store import schema
from coderai.store.engine import Store, open_store
from coderai.store.watching import EVERYTHING
from tests.postgres import Server
from tests.store.building import begun, interception


@pytest.fixture
async def news(store: Store) -> AsyncIterator[AsyncIterator[frozenset[str]]]:
    """A watcher that has heard the first word, which is always "everything"."""
    watcher = store.changes()
    assert await anext(watcher) == EVERYTHING
    yield watcher
    await watcher.aclose()  # type: ignore[attr-defined]


async def test_a_watcher_hears_what_changed_elsewhere(
    store: Store, news: AsyncIterator[frozenset[str]], database_url: str
) -> None:
    async with open_store(database_url, jobs=False) as other, asyncio.timeout(5), asyncio.TaskGroup() as tasks:
        heard = tasks.create_task(anext(news))  # type: ignore[arg-type]
        async with other.transaction(["tokens", "users"]):
            pass
    assert heard.result() == {"tokens", "users"}


async def test_a_change_whose_notice_is_lost_is_found_by_asking(
    database_url: str, news: AsyncIterator[frozenset[str]]
) -> None:
    """A pooler that lends connections by transactions swallows LISTEN; a writer's word is in the table all the same."""
    async with open_store(database_url, jobs=False) as other, asyncio.timeout(5):
        async with other.transaction() as connection:
            await connection.execute(insert(schema.changes).values(topic="users", revision=1))
        assert await anext(news) == {"users"}


@pytest.mark.parametrize("dialect", ["postgresql"], indirect=True)
async def test_a_notice_is_not_found_again_by_asking(store: Store, news: AsyncIterator[frozenset[str]]) -> None:
    heard: list[frozenset[str]] = []
    for topics in (["tokens", "users"], ["tokens"]):
        async with store.transaction(topics):
            pass
        heard.append(await anext(news))
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(1.1):
            heard.append(await anext(news))
    assert heard == [{"tokens", "users"}, {"tokens"}]


async def test_a_transaction_that_failed_is_no_news(store: Store, news: AsyncIterator[frozenset[str]]) -> None:
    async with asyncio.timeout(5), asyncio.TaskGroup() as tasks:
        heard = tasks.create_task(anext(news))  # type: ignore[arg-type]
        with pytest.raises(ZeroDivisionError):
            await change_and_fail(store)
        async with store.transaction(["providers"]):
            pass
    assert heard.result() == {"providers"}


async def change_and_fail(store: Store) -> None:
    async with store.transaction(["users"]):
        raise ZeroDivisionError


async def test_records_are_no_news(store: Store) -> None:
    await store.records.commit([begun(interception())])
    async with store.reading() as connection:
        assert (await connection.execute(select(schema.changes))).all() == []


async def test_a_lost_connection_means_everything_may_have_changed(postgres_server: Server) -> None:
    async with open_store(postgres_server.fresh()) as store, asyncio.timeout(10):
        watcher = store.changes()
        await anext(watcher)
        async with store.transaction() as connection:
            await connection.execute(
                text("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'SELECT topic, rev%'")
            )
        assert await anext(watcher) == EVERYTHING
        await watcher.aclose()  # type: ignore[attr-defined]


async def test_reading_shows_one_moment(store: Store) -> None:
    async with store.reading() as connection:
        before = (await connection.execute(select(schema.meta))).all()
        async with store.transaction() as writing:
            await writing.execute(insert(schema.meta).values(key="k", value="v"))
        assert (await connection.execute(select(schema.meta))).all() == before


async def test_a_name_that_is_taken_is_for_the_caller_to_judge(store: Store) -> None:
    with pytest.raises(IntegrityError):
        async with store.transaction() as connection:
            await connection.execute(insert(schema.meta).values(key="deployment_id", value="v"))


async def test_ping(store: Store) -> None:
    await store.ping()


async def test_a_server_that_is_not_there_is_unavailable() -> None:
    with pytest.raises(StoreUnavailable, match="not available"):
        async with open_store("postgresql://coderai@127.0.0.1:1/coderai"):
            pass


async def test_a_missing_driver_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "asyncpg", None)  # what the import system does for a package that is absent
    with pytest.raises(StoreUnusable, match=r"coderai\[postgres\]"):
        async with open_store("postgresql://localhost/coderai"):
            pass


async def test_moments_keep_their_microseconds(store: Store) -> None:
    it = interception(minute=0.123456)
    await store.records.commit([begun(it)])
    async with store.reading() as connection:
        assert (await connection.execute(select(schema.interceptions.c.started_at))).scalar_one() == it.started_at
