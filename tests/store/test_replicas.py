"""Several processes on one database, as behind a balancer without sticky sessions."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import func, select

from coderai.recorder import Recorder, recording
from coderai.records import Answer, End, Ending, Interception, ToolCall, Usage
from coderai.store import retention, schema
from coderai.store.engine import Store, open_store
from tests.store.building import NOON, begun, interception
from tests.store.looking import interception as row_of
from tests.store.looking import only, recounted, roll_up


@pytest.fixture
async def replicas(database_url: str) -> AsyncIterator[list[Recorder]]:
    """Recorders of two processes."""
    async with AsyncExitStack() as stack:
        stores = [await stack.enter_async_context(open_store(database_url)) for _ in range(2)]
        yield [await stack.enter_async_context(recording(each.records)) for each in stores]


def completed(*calls: str) -> End:
    """The end of an answer that asked for tools."""
    facts = (Usage("msg_1", 1), *(ToolCall("Bash", call) for call in calls))
    return End(Answer("msg_1", facts, Ending.COMPLETE), Ending.COMPLETE, 200)


async def asked(recorder: Recorder, it: Interception, *calls: str) -> None:
    """One exchange through one process."""
    await recorder.begin(it)
    await recorder.end(it, completed(*calls))


async def test_a_session_whose_requests_alternate_is_one_session_with_linked_threads(
    replicas: list[Recorder], store: Store
) -> None:
    turns = [interception(minute, prompt=f"turn {minute}", client_session_id="chat") for minute in range(4)]
    turns = [replace(turn, tool_result_id=f"call_{n - 1}" if n else None) for n, turn in enumerate(turns)]
    for number, turn in enumerate(turns):
        await asked(replicas[number % 2], turn, f"call_{number}")
    links = [await row_of(store, turn.id) for turn in turns]
    ids = [turn.id for turn in turns]
    assert [row["thread_parent_id"] for row in links] == [None, *ids[:-1]]
    assert {row["thread_root_id"] or row["id"] for row in links} == {ids[0]}
    session = await only(store, schema.sessions)
    assert (session["interceptions"], session["threads"], session["input_tokens"]) == (4, 1, 4)
    assert await roll_up(store) == await recounted(store)


@pytest.mark.parametrize("dialect", ["postgresql"], indirect=True)
async def test_one_process_deletes_at_a_time(database_url: str, store: Store) -> None:
    await store.records.commit([begun(interception())])
    await store.records.commit([begun(interception(1))])
    later = NOON + timedelta(days=1)
    async with open_store(database_url) as other, store.reading() as busy:
        await busy.execute(select(func.pg_advisory_xact_lock(retention._LOCK)))
        assert await retention.purge(other, later) == retention.Purged()
        await busy.rollback()
        assert (await retention.purge(other, later)).interceptions == 2


@pytest.mark.parametrize("dialect", ["postgresql"], indirect=True)
async def test_a_change_is_heard_long_before_anybody_asks(database_url: str, store: Store) -> None:
    """PostgreSQL tells; asking comes only after 0.8 s of silence."""
    loop, watcher = asyncio.get_running_loop(), store.changes()
    await anext(watcher)
    took: list[float] = []
    async with open_store(database_url, jobs=False) as other:
        for _ in range(5):
            async with asyncio.timeout(5), asyncio.TaskGroup() as tasks:
                heard: asyncio.Task[Any] = tasks.create_task(anext(watcher))  # type: ignore[arg-type]
                async with other.transaction(["tokens"]):
                    pass
                began = loop.time()
            took.append(loop.time() - began)
            assert heard.result() == {"tokens"}
    await watcher.aclose()  # type: ignore[attr-defined]
    assert sorted(took)[2] < 0.2
