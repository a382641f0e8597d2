"""What pages need of one session beside its threads: search, one thread, totals, its state, labels with counts."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from coderai.records import Ending, Thought, ToolCall
from tests.api.building import end, record, start
from tests.api.conftest import Api
from tests.store.building import NOON, ended, usage


async def three_threads(api: Api) -> list[str]:
    """A loop of two steps, and two questions; their ids."""
    mia, mine = api.ids["mia"], {"client_session_id": "s"}
    arguments = ToolCall("Grep", "c1", '{"pattern":"100%_ \\\\d"}', "msg_1")
    steps = [
        await record(api.store, mia, 0, Thought("I wonder"), arguments, usage(), prompt="find Müller", **mine),
        await record(api.store, mia, 2, usage(), tool_result_id="c1", model="claude-haiku", **mine),
        await record(api.store, mia, 4, usage(), prompt="find it again", **mine),
        await record(api.store, mia, 6, Thought("FINDINGS"), usage(), prompt="thanks", **mine),
    ]
    return [step.id for step in steps]


HITS = {
    "find": [0, 2, 3],
    "MÜLLER": [0],
    "müller": [0],
    "i wonder": [0],
    "grep": [0],
    "100%_": [0],
    "0%%": [],
    "_it": [],
    "haiku": [1],
    "nothing of the kind": [],
}


async def test_a_session_is_searched(api: Api) -> None:
    ids = await three_threads(api)
    bodies = {text: (await api.get("aibridge/sessions/s", search=text)).body for text in HITS}
    found = {text: [each for thread in body["threads"] for each in thread["found"]] for text, body in bodies.items()}
    assert found == {text: [ids[hit] for hit in hits] for text, hits in HITS.items()}
    counts = {text: body["search"]["steps"] for text, body in bodies.items()}
    assert counts == {text: len(hits) for text, hits in HITS.items()}
    assert bodies["find"]["search"] == {"threads": 3, "steps": 3, "capped": False}


async def test_a_search_comes_in_pages(api: Api) -> None:
    ids = await three_threads(api)
    first = (await api.get("aibridge/sessions/s", search="find", limit="1")).body
    rest = (await api.get("aibridge/sessions/s", search="find", limit="1", after_id=ids[0])).body
    assert [body["threads"][0]["id"] for body in (first, rest)] == [ids[0], ids[2]]
    assert first["search"] == rest["search"]


async def test_totals_are_the_whole_sessions(api: Api) -> None:
    await three_threads(api)
    for parameters in ({}, {"limit": "1"}, {"search": "thanks"}):
        body = (await api.get("aibridge/sessions/s", **parameters)).body
        assert (body["thread_count"], body["interception_count"], body["tool_call_count"]) == (3, 4, 1)
        assert body["token_usage_summary"]["metadata"] == {"reasoning": 28}


async def test_one_thread_by_any_of_its_steps(api: Api) -> None:
    ids = await three_threads(api)
    (thread,) = (await api.get("aibridge/sessions/s", thread=ids[1])).body["threads"]
    assert [step["interception_id"] for step in thread["steps"]] == ids[:2]


@pytest.mark.parametrize("dialect", ["sqlite"])
@pytest.mark.parametrize(("name", "value"), [("thread", "x"), ("search", "y" * 257), ("thread", "0" * 36)])
async def test_a_bad_parameter_is_named(api: Api, name: str, value: str) -> None:
    await three_threads(api)
    answer = await api.get("aibridge/sessions/s", **{name: value})
    assert (answer.status, answer.fields) == (400, [name])


async def test_a_step_says_how_it_was_asked_and_answered(api: Api) -> None:
    mine: dict[str, Any] = {"client_session_id": "s", "credential_hint": "sk-a...ijkl", "user_agent": "claude-cli/2"}
    it = await start(api.store, api.ids["mia"], prompt="go", **mine)
    whole = end(it)
    first_byte = it.started_at + timedelta(seconds=2)
    await api.store.records.commit([replace(whole, end=replace(whole.end, first_byte_at=first_byte))])
    step = (await api.get("aibridge/sessions/s")).body["threads"][0]["steps"][0]
    assert {name: step[name] for name in STEP} == STEP


STEP = {
    "provider": "anthropic",
    "provider_name": "anthropic",
    "client": "Claude Code",
    "api": "messages",
    "stream": True,
    "user_agent": "claude-cli/2",
    "credential_kind": "centralized",
    "credential_hint": "sk-a...ijkl",
    "started_at": "2026-11-20T12:00:00Z",
    "first_byte_at": "2026-11-20T12:00:02Z",
    "ended_at": "2026-11-20T12:01:00Z",
    "http_status": 200,
    "provider_response_ids": ["msg_1"],
}


async def state(api: Api) -> str:
    return str((await api.get("aibridge/sessions/s", include_running="true")).body["state"])


@pytest.mark.parametrize(
    ("ending", "expected"),
    [(Ending.COMPLETE, "ended"), (Ending.INCOMPLETE, "ended"), (Ending.CLIENT_LEFT, "interrupted")],
)
async def test_the_last_ending_tells_whether_a_session_was_interrupted(api: Api, ending: Ending, expected: str) -> None:
    await record(api.store, api.ids["mia"], client_session_id="s")
    it = await start(api.store, api.ids["mia"], 2, client_session_id="s")
    assert await state(api) == "running"
    await api.store.records.commit([ended(it, ending=ending)])
    assert await state(api) == expected


async def test_a_session_of_this_moment_is_idle_and_not_over(api: Api) -> None:
    minutes = (datetime.now(UTC) - NOON).total_seconds() / 60 - 5
    await record(api.store, api.ids["mia"], minutes, client_session_id="s")
    assert await state(api) == "idle"


async def test_labels_are_counted_by_sessions(api: Api) -> None:
    mia, olga = api.ids["mia"], api.ids["olga"]
    await record(api.store, mia, 0, client_session_id="a", model="m1")
    await record(api.store, mia, 2, client_session_id="a", model="m2", client="Codex")
    await record(api.store, olga, 4, client_session_id="a", model="m1", provider_name="corp")
    body = (await api.get("ai/labels")).body
    counts = {kind: {each["name"]: each["sessions"] for each in body[kind]} for kind in KINDS}
    assert counts == {
        "models": {"m1": 2, "m2": 1},
        "clients": {"Claude Code": 2, "Codex": 1},
        "providers": {"anthropic": 1, "corp": 1},
    }
    assert [(each["username"], each["sessions"]) for each in body["initiators"]] == [("mia", 1), ("olga", 1)]
    assert [each["name"] for each in (await api.get("ai/labels", limit="1")).body["models"]] == ["m1"]


KINDS = ("models", "clients", "providers")


async def test_members_count_what_they_see(api: Api) -> None:
    await record(api.store, api.ids["mia"], 0, client_session_id="a", model="m1")
    await record(api.store, api.ids["olga"], 2, client_session_id="b", model="m2")
    await record(api.store, api.ids["bot"], 4, client_session_id="c", model="m1", on_behalf_of=api.ids["mia"])
    body = (await api.get("ai/labels", "mia")).body
    assert body["models"] == [{"name": "m1", "sessions": 2, "sessions_capped": False}]
    assert body["initiators"] == []
