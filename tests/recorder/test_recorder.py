"""The recorder by itself, with a store of paper."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from coderai.errors import StoreUnavailable
from coderai.ids import new_id
from coderai.recorder import Recorder, recording
from coderai.records import Answer, End, Ended, Ending, Interception, Link, ToolCall, Usage
from tests.recorder.paper import BrokenLog, Notebook, PaperStore
from tests.store.building import interception

COMPLETE = End(Answer("msg_1", (Usage("msg_1", 1), ToolCall("Bash", "call_1")), Ending.COMPLETE), Ending.COMPLETE, 200)


def numbered(n: int = 1) -> list[Interception]:
    return [replace(interception(), id=f"it-{place}") for place in range(n)]


async def test_a_start_is_stored_before_it_returns() -> None:
    store, (it,) = PaperStore(), numbered()
    async with recording(store) as recorder:
        await recorder.begin(it)
        assert store.kept() == [("it-0", "begun")]
        await recorder.end(it, COMPLETE)
        assert store.kept() == [("it-0", "begun"), ("it-0", "complete")]
        assert (recorder.queued, recorder.committed, recorder.failed) == (0, 2, 0)


async def test_facts_get_keys_in_their_order() -> None:
    store, (it,) = PaperStore(), numbered()
    async with recording(store) as recorder:
        await recorder.end(it, COMPLETE)
    (stored,) = store.batches[0]
    assert [stamped.fact for stamped in stored.facts] == list(COMPLETE.answer.facts)  # type: ignore[union-attr]
    assert stored.facts[0].id < stored.facts[1].id  # type: ignore[union-attr]


async def test_a_batch_is_what_arrived_during_the_last_commit() -> None:
    store, its = PaperStore(), numbered(20)
    store.open.clear()
    async with recording(store) as recorder, asyncio.TaskGroup() as tasks:
        tasks.create_task(recorder.begin(its[0]))
        await store.entered.wait()
        for it in its[1:]:
            tasks.create_task(recorder.begin(it))
        store.open.set()
    assert [len(batch) for batch in store.batches] == [1, 19]


async def test_what_a_running_exchange_asked_for_links_its_follower() -> None:
    store = PaperStore()
    caller = replace(interception(), id="caller")
    follower = replace(interception(), id="follower", tool_result_id="call_1")
    async with recording(store) as recorder:
        await recorder.begin(caller)
        recorder.saw_call(caller, "call_1")
        await recorder.begin(follower)
        recorder.saw_call(follower, "call_2")
        await recorder.begin(replace(interception(), id="third", tool_result_id="call_2"))
        await recorder.end(caller, COMPLETE)
        await recorder.begin(replace(follower, id="late"))
    assert store.known[1:3] == [{"follower": Link("caller", "caller")}, {"third": Link("follower", "caller")}]
    assert store.known[-1] == {}  # now the table knows


@pytest.mark.parametrize(
    ("caller", "follower"),
    [({"initiator_id": "you"}, {}), ({"client_session_id": "a"}, {"client_session_id": "b"})],
)
async def test_running_exchanges_of_others_are_no_callers(caller: dict[str, str], follower: dict[str, str]) -> None:
    store = PaperStore()
    async with recording(store) as recorder:
        running = interception(**caller)
        await recorder.begin(running)
        recorder.saw_call(running, "call_0")
        await recorder.begin(interception(tool_result_id="call_0", **follower))
    assert store.known[-1] == {}


async def test_a_start_that_takes_too_long_is_refused_and_closed_when_it_arrives_after_all() -> None:
    store, (it,) = PaperStore(), numbered()
    store.open.clear()
    async with recording(store, begin_wait=0.05) as recorder:
        with pytest.raises(StoreUnavailable):
            await recorder.begin(it)
        store.open.set()
    assert store.kept() == [("it-0", "begun"), ("it-0", "refused")]
    assert store.batches[-1][-1].served is False  # type: ignore[union-attr]


async def test_each_commit_is_told_with_its_size() -> None:
    told: list[int] = []
    async with recording(PaperStore(), told=lambda items, seconds: told.append(items)) as recorder:
        (it,) = numbered()
        await recorder.begin(it)
        await recorder.end(it, COMPLETE)
    assert told == [1, 1]


async def test_a_start_that_was_never_tried_leaves_nothing() -> None:
    store, its = PaperStore(), numbered(2)
    async with recording(store, begin_wait=0.05) as recorder:
        await recorder.begin(its[0])
        store.open.clear()
        async with asyncio.TaskGroup() as tasks:
            ending = tasks.create_task(recorder.end(its[0], COMPLETE))
            store.entered.clear()
            await store.entered.wait()
            with pytest.raises(StoreUnavailable):
                await recorder.begin(its[1])
            store.open.set()
            await ending
    assert store.kept() == [("it-0", "begun"), ("it-0", "complete")]


async def test_a_start_that_failed_and_was_given_up_is_closed() -> None:
    store, (it,) = PaperStore(), numbered()
    store.broken = True
    async with recording(store, begin_wait=0.05) as recorder:
        with pytest.raises(StoreUnavailable, match="the disk is full"):
            await recorder.begin(it)
        store.broken = False
    assert store.kept() == [("it-0", "refused")]


async def test_service_returns_by_itself_and_nothing_is_lost() -> None:
    store, its = PaperStore(), numbered(3)
    async with recording(store, begin_wait=0.05, end_wait=0.1) as recorder:
        await recorder.begin(its[0])
        store.broken = True
        with pytest.raises(StoreUnavailable):
            await recorder.end(its[0], COMPLETE)
        assert recorder.queued == 1
        with pytest.raises(StoreUnavailable):
            await recorder.begin(its[1])
        store.broken = False
        await began(recorder, its[2])
        assert recorder.failed > 0
    assert ("it-0", "complete") in store.kept()
    assert ("it-2", "begun") in store.kept()


async def began(recorder: Recorder, it: Interception) -> None:
    """Try until it works, as a client does."""
    while True:
        try:
            return await recorder.begin(it)
        except StoreUnavailable:
            continue


async def test_a_full_queue_refuses_at_once() -> None:
    store, its = PaperStore(), numbered(4)
    store.open.clear()
    async with recording(store, max_queued=3) as recorder, asyncio.TaskGroup() as tasks:
        for it in its[:3]:
            tasks.create_task(recorder.begin(it))
        await store.entered.wait()
        with pytest.raises(StoreUnavailable, match="too many"):
            await recorder.begin(its[3])
        store.open.set()


async def test_a_cancelled_end_is_stored_all_the_same() -> None:
    store, (it,) = PaperStore(), numbered()
    async with recording(store) as recorder:
        await recorder.begin(it)
        store.open.clear()
        store.entered.clear()
        async with asyncio.TaskGroup() as tasks:
            ending = tasks.create_task(recorder.end(it, COMPLETE))
            await store.entered.wait()
            ending.cancel()
        store.open.set()
    assert store.kept() == [("it-0", "begun"), ("it-0", "complete")]


async def test_a_cancelled_start_does_not_stay_open() -> None:
    store, (it,) = PaperStore(), numbered()
    store.open.clear()
    async with recording(store) as recorder:
        async with asyncio.TaskGroup() as tasks:
            beginning = tasks.create_task(recorder.begin(it))
            await store.entered.wait()
            beginning.cancel()
        store.open.set()
    assert store.kept() == [("it-0", "begun"), ("it-0", "refused")]


async def test_one_impossible_record_harms_no_other() -> None:
    store, its = PaperStore(), numbered(4)
    store.poison = {"it-2"}
    store.open.clear()
    async with recording(store) as recorder, asyncio.TaskGroup() as tasks:
        good = [tasks.create_task(recorder.begin(it)) for it in (its[0], its[1], its[3])]
        bad = tasks.create_task(refused(recorder, its[2]))
        store.open.set()
        await asyncio.wait([*good, bad])
        assert recorder.lost == 1
    assert sorted(store.kept()) == [("it-0", "begun"), ("it-1", "begun"), ("it-3", "begun")]


async def refused(recorder: Recorder, it: Interception) -> None:
    with pytest.raises(StoreUnavailable, match="takes no form"):
        await recorder.begin(it)


async def test_the_log_hears_of_it_after_the_commit() -> None:
    store, notebook = PaperStore(), Notebook()
    (it,) = numbered()
    follower = replace(interception(), id="next", tool_result_id="call_1")
    store.open.clear()
    async with recording(store, [notebook]) as recorder, asyncio.TaskGroup() as tasks:
        beginning = tasks.create_task(recorder.begin(it))
        await store.entered.wait()
        assert notebook.lines == []
        store.open.set()
        await beginning
        recorder.saw_call(it, "call_1")
        await recorder.begin(follower)
        await recorder.end(it, COMPLETE)
    assert notebook.lines == ["begun it-0 None", "begun next it-0", "ended it-0 complete"]


async def test_a_broken_log_harms_nothing(caplog: pytest.LogCaptureFixture) -> None:
    store, notebook = PaperStore(), Notebook()
    (it,) = numbered()
    async with recording(store, [BrokenLog(), notebook]) as recorder:
        await recorder.begin(it)
        await recorder.end(it, COMPLETE)
    assert len(store.kept()) == len(notebook.lines) == 2
    assert "stored but not logged" in caplog.text


async def test_an_exchange_does_not_end_before_it_began_whatever_the_clock_does() -> None:
    store, (it,) = PaperStore(), numbered()
    async with recording(store, clock=lambda: it.started_at - timedelta(hours=1)) as recorder:
        await recorder.begin(it)
        await recorder.end(it, COMPLETE)
    (ended,) = store.batches[1]
    assert isinstance(ended, Ended)
    assert ended.ended_at == it.started_at


async def test_leaving_stores_what_is_queued() -> None:
    store, (it,) = PaperStore(), numbered()
    async with recording(store) as recorder:
        await recorder.begin(it)
        store.broken = True
        ending = asyncio.gather(recorder.end(it, COMPLETE))
        store.entered.clear()
        await store.entered.wait()
        store.broken = False
    await ending
    assert store.kept()[-1] == ("it-0", "complete")


async def test_leaving_a_dead_store_does_not_last_for_ever(caplog: pytest.LogCaptureFixture) -> None:
    store, (it,) = PaperStore(), numbered()
    store.broken = True
    async with recording(store, end_wait=0.05) as recorder:
        with pytest.raises(StoreUnavailable):
            await recorder.end(it, COMPLETE)
    assert "1 records could not be stored" in caplog.text


async def test_no_start_while_stopping() -> None:
    store = PaperStore()
    async with recording(store) as recorder:
        await recorder.flush(1)
        with pytest.raises(StoreUnavailable, match="stopping"):
            await recorder.begin(replace(interception(), id=new_id()))
