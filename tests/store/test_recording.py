"""What a batch leaves in the tables, on both databases."""

import sys
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from coderai.errors import StoreError, StoreUnavailable
from coderai.records import Ending, Link, Thought, ToolCall, Usage
from coderai.store import schema
from coderai.store.engine import Store, open_store
from tests.store.building import NOON, begun, call, ended, interception, thought, usage
from tests.store.looking import interception as row_of
from tests.store.looking import only, recounted, roll_up, rows


async def test_a_start_and_its_prompt_are_kept_at_once(store: Store) -> None:
    it = interception(prompt="fix it", client_session_id="chat-1", on_behalf_of="bob", user_agent="claude-cli/2")
    await store.records.commit([begun(it)])
    row = await row_of(store, it.id)
    assert (row["ended_at"], row["session_id"], row["on_behalf_of"]) == (None, "chat-1", "bob")
    assert (row["started_at"], row["process_id"], row["metadata"]) == (NOON, store.process_id, {"Username": "ada"})
    assert (await only(store, schema.user_prompts))["prompt"] == "fix it"
    assert await rows(store, schema.sessions) == []


async def test_an_end_brings_everything_that_was_learned(store: Store) -> None:
    it = interception(prompt="fix it")
    await store.records.commit([begun(it)])
    await store.records.commit([ended(it, thought(), call("toolu_1"), usage(2))])
    row = await row_of(store, it.id)
    assert (row["ending"], row["http_status"], row["ended_at"]) == ("complete", 200, NOON + timedelta(minutes=1))
    assert (await only(store, schema.model_thoughts))["metadata"] == {"source": "thinking"}
    assert (await only(store, schema.tool_usages))["provider_tool_call_id"] == "toolu_1"
    tokens = await only(store, schema.token_usages)
    assert (tokens["input_tokens"], tokens["cache_write_input_tokens"], tokens["metadata"]) == (
        2,
        2000,
        {"reasoning": 7},
    )
    assert (await only(store, schema.user_prompts))["provider_response_id"] == "msg_1"


async def test_the_session_adds_up(store: Store) -> None:
    first = interception(0, prompt="one", client_session_id="s", model="a")
    second = interception(5, prompt="two", client_session_id="s", model="b")
    third = interception(9, client_session_id="s", model="b")
    batch = [begun(it) for it in (first, second, third)]
    await store.records.commit([*batch, ended(second, usage(1)), ended(third, usage(2))])
    await store.records.commit([ended(first, usage(4))])
    session = await only(store, schema.sessions)
    assert (session["started_at"], session["first_id"], session["interceptions"]) == (NOON, first.id, 3)
    assert session["last_active_at"] == session["last_prompt_at"] == NOON + timedelta(minutes=5)
    assert session["last_prompt_interception_id"] == second.id
    assert (session["threads"], session["input_tokens"], session["output_tokens"]) == (3, 7, 70)
    assert session["ended_at"] == NOON + timedelta(minutes=10)
    facets = await rows(store, schema.session_facets)
    assert [(facet["model"], facet["n"], facet["first_at"]) for facet in facets] == [
        ("a", 1, NOON),
        ("b", 2, NOON + timedelta(minutes=5)),
    ]


async def test_a_session_without_a_prompt_was_active_when_it_started(store: Store) -> None:
    later, earlier = interception(3, client_session_id="s"), interception(1, client_session_id="s")
    await store.records.commit([begun(later), ended(later)])
    await store.records.commit([begun(earlier), ended(earlier)])
    session = await only(store, schema.sessions)
    assert session["last_active_at"] == session["started_at"] == earlier.started_at


async def test_the_same_session_id_of_two_people_is_two_sessions(store: Store) -> None:
    mine, yours = interception(client_session_id="s"), interception(client_session_id="s", initiator_id="you")
    await store.records.commit([begun(mine), begun(yours), ended(mine), ended(yours)])
    assert [row["interceptions"] for row in await rows(store, schema.sessions)] == [1, 1]


async def test_repeating_a_batch_changes_nothing(store: Store) -> None:
    root, follower = interception(prompt="go"), interception(2, tool_result_id="toolu_1")
    batch = [begun(root), ended(root, usage(), call("toolu_1")), begun(follower), ended(follower, usage())]
    links = await store.records.commit(batch)
    before = await roll_up(store)
    assert await store.records.commit(batch) == links
    assert await store.records.commit(batch[1:]) == links[1:]
    assert await roll_up(store) == before
    assert len(await rows(store, schema.token_usages)) == 2


async def test_a_follower_is_linked_to_the_newest_call_with_its_id(store: Store) -> None:
    old, new, follower, last = (interception(minute) for minute in range(4))
    await store.records.commit([begun(old), ended(old, call("call_0")), begun(new), ended(new, call("call_0"))])
    follower, last = replace(follower, tool_result_id="call_0"), replace(last, tool_result_id="call_1")
    (link,) = await store.records.commit([begun(follower)])
    assert link == Link(new.id, new.id)
    await store.records.commit([ended(follower, call("call_1"))])
    assert await store.records.commit([begun(last)]) == [Link(follower.id, new.id)]
    assert (await row_of(store, last.id))["session_id"] == new.id


async def test_a_whole_conversation_in_one_batch_is_one_thread(store: Store) -> None:
    first = interception(0, prompt="go")
    second = interception(1, tool_result_id="call_1")
    third = interception(2, tool_result_id="call_2")
    batch = [begun(first), ended(first, call("call_1")), begun(second), ended(second, call("call_2"))]
    links = await store.records.commit([*batch, begun(third), ended(third)])
    assert links[-1] == Link(second.id, first.id)
    assert (await only(store, schema.sessions))["threads"] == 1


@pytest.mark.parametrize(
    ("caller", "follower"),
    [
        ({"initiator_id": "you"}, {}),
        ({"client_session_id": "a"}, {"client_session_id": "b"}),
    ],
)
async def test_no_link_to_another_person_or_another_session(
    store: Store, caller: dict[str, str], follower: dict[str, str]
) -> None:
    root = interception(**caller)
    await store.records.commit([begun(root), ended(root, call("call_0"))])
    assert await store.records.commit([begun(interception(1, tool_result_id="call_0", **follower))]) == [Link()]


async def test_a_link_where_only_one_has_a_session_key(store: Store) -> None:
    root, follower = interception(), interception(1, tool_result_id="call_0", client_session_id="b")
    await store.records.commit([begun(root), ended(root, call("call_0")), begun(follower), ended(follower)])
    assert (await row_of(store, follower.id))["thread_root_id"] == root.id
    assert [row["threads"] for row in await rows(store, schema.sessions)] == [1, 1]


async def test_a_known_link_wins_over_the_table(store: Store) -> None:
    follower = interception(tool_result_id="call_0")
    link = Link("parent", "root")
    assert await store.records.commit([begun(follower)], {follower.id: link}) == [link]


async def test_a_follower_that_ends_first_makes_no_second_thread(store: Store) -> None:
    root, follower = interception(), interception(1, tool_result_id="call_0")
    known = {follower.id: Link(root.id, root.id)}
    await store.records.commit([begun(root), begun(follower)], known)
    await store.records.commit([ended(follower)])
    await store.records.commit([ended(root, call("call_0"))])
    assert (await only(store, schema.sessions))["threads"] == 1


POISON = "a\0b\ud800c\udc00é"


async def test_poison_is_made_harmless(store: Store) -> None:
    it = interception(prompt=POISON, client_session_id=POISON, model=POISON, metadata={"Username": POISON})
    facts = (
        Thought(POISON),
        ToolCall(POISON, POISON, POISON, POISON, POISON, POISON),
        Usage(POISON, 2**70, -5, extra={POISON: 2**70}),
    )
    healthy = interception()
    await store.records.commit([begun(it), begun(healthy), ended(it, *facts, response_id=POISON), ended(healthy)])
    assert (await only(store, schema.user_prompts))["prompt"] == "a\ufffdb\ufffdc\ufffdé"
    tokens = await only(store, schema.token_usages)
    assert (tokens["input_tokens"], tokens["output_tokens"]) == (2**53 - 1, 0)
    assert store.records.indigestible == 0


async def test_long_names_are_cut_to_what_an_index_takes(store: Store) -> None:
    long = "\N{SNOWMAN}é" * 3000
    it = interception(client_session_id=long, model=long, client=long, on_behalf_of=long)
    follower = interception(1, tool_result_id=long, client_session_id=long)
    links = await store.records.commit([begun(it), ended(it, call(long)), begun(follower), ended(follower)])
    assert links[-1].parent_id == it.id
    row = await row_of(store, it.id)
    assert (len(row["client_session_id"]), len(row["client"]), len(row["model"].encode())) == (256, 64, 510)


async def test_a_record_that_the_database_refuses_is_reduced_and_harms_no_other(store: Store) -> None:
    good, bad = interception(prompt="hello"), interception(prompt="hello", client_session_id="s")
    strange = ended(bad, usage(2))
    strange = replace(strange, end=replace(strange.end, http_status=2**70))
    await store.records.commit([begun(good), begun(bad), strange, ended(good)])
    assert store.records.indigestible == 1
    assert ((await row_of(store, bad.id))["http_status"], (await row_of(store, good.id))["http_status"]) == (None, 200)
    assert [row["input_tokens"] for row in await rows(store, schema.sessions)] == [0, 2]
    assert await roll_up(store) == await recounted(store)


async def test_a_record_that_can_never_be_stored_is_refused(store: Store) -> None:
    impossible = interception(credential_kind=None)
    with pytest.raises(StoreError) as caught:
        await store.records.commit([begun(impossible)])
    assert not isinstance(caught.value, StoreUnavailable)


async def test_the_end_of_what_was_purged_brings_it_back(store: Store) -> None:
    it = interception(prompt="hello")
    await store.records.commit([ended(it, usage())])
    assert (await only(store, schema.sessions))["last_prompt_interception_id"] == it.id
    assert await roll_up(store) == await recounted(store)


async def test_a_real_end_replaces_an_assumed_one(store: Store) -> None:
    it, other = interception(client_session_id="s"), interception(1, client_session_id="s")
    await store.records.commit([begun(it), begun(other), ended(it, ending=Ending.INTERRUPTED)])
    await store.records.commit([ended(it, usage(3)), ended(other, usage(1))])
    assert (await row_of(store, it.id))["ending"] == "complete"
    session = await only(store, schema.sessions)
    assert (session["interceptions"], session["input_tokens"]) == (2, 4)
    before = await roll_up(store)
    await store.records.commit([ended(it, usage(3)), ended(it, ending=Ending.INTERRUPTED)])
    assert await roll_up(store) == before == await recounted(store)


async def test_more_rows_than_one_statement_takes(store: Store) -> None:
    its = [interception(n, prompt="hello", client_session_id=f"s{n % 7}") for n in range(300)]
    await store.records.commit([begun(it) for it in its])
    await store.records.commit([ended(it, usage(), usage(2), call("c"), thought()) for it in its])
    assert len(await rows(store, schema.token_usages)) == 600
    assert sum(row["interceptions"] for row in await rows(store, schema.sessions)) == 300
    assert await roll_up(store) == await recounted(store)


async def test_a_busy_event_loop_gives_the_writer_its_turn(tmp_path: Path) -> None:
    before = sys.getswitchinterval()
    async with open_store(f"sqlite:///{tmp_path}/c.db"):
        assert sys.getswitchinterval() < 0.001
    assert sys.getswitchinterval() == before
