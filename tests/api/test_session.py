"""One session: threads, steps, actions; rest-api 6.3."""

import pytest

from coderai.records import Ending, Thought
from tests.api.building import failed, record, start
from tests.api.conftest import Api
from tests.store.building import call, usage


async def conversation(api: Api, who: str = "mia", session: str = "s", base: float = 0) -> list[str]:
    """Two threads: a tool loop of three steps, then a plain question. Returns the ids of all four."""
    mine = {"client_session_id": session, "credential_hint": "sk-a...ijkl"}
    steps = [
        await record(api.store, api.ids[who], base, Thought("hm"), call(f"{session}1"), usage(), prompt="go", **mine),
        await record(
            api.store, api.ids[who], base + 2, call(f"{session}2"), usage(), tool_result_id=f"{session}1", **mine
        ),
        await record(api.store, api.ids[who], base + 4, Thought("done"), usage(), tool_result_id=f"{session}2", **mine),
        await record(api.store, api.ids[who], base + 6, usage(), prompt="thanks", **mine),
    ]
    return [step.id for step in steps]


async def test_the_header_is_the_sessions(api: Api) -> None:
    await conversation(api)
    body = (await api.get("aibridge/sessions/s")).body
    assert body["initiator"]["username"] == "mia"
    assert (body["client"], body["providers"], body["models"]) == ("Claude Code", ["anthropic"], ["claude-sonnet-4-5"])
    assert (body["started_at"], body["ended_at"]) == ("2026-11-20T12:00:00Z", "2026-11-20T12:07:00Z")
    assert (body["page_started_at"], body["page_ended_at"]) == (body["started_at"], body["ended_at"])
    assert body["token_usage_summary"] == {
        "input_tokens": 4,
        "output_tokens": 40,
        "cache_read_input_tokens": 400,
        "cache_write_input_tokens": 4000,
        "metadata": {"reasoning": 28},
    }


async def test_a_thread_has_its_prompt_actions_and_steps(api: Api) -> None:
    ids = await conversation(api)
    loop, question = (await api.get("aibridge/sessions/s")).body["threads"]
    assert (loop["id"], loop["prompt"], loop["credential_hint"]) == (ids[0], "go", "sk-a...ijkl")
    assert (loop["started_at"], loop["ended_at"]) == ("2026-11-20T12:00:00Z", "2026-11-20T12:05:00Z")
    assert loop["token_usage"]["input_tokens"] == 3
    assert [[call["tool"] for call in action["tool_calls"]] for action in loop["agentic_actions"]] == [["Bash"]] * 2
    assert loop["agentic_actions"][0]["thinking"] == [{"text": "hm"}]
    assert [step["interception_id"] for step in loop["steps"]] == ids[:3]
    assert loop["steps"][2]["thinking"] == [{"text": "done", "source": "thinking"}]
    assert (question["id"], question["prompt"], question["agentic_actions"]) == (ids[3], "thanks", [])
    assert [step["prompt"] for step in question["steps"]] == ["thanks"]


async def test_a_tool_call_has_all_members(api: Api) -> None:
    ids = await conversation(api)
    thread = (await api.get("aibridge/sessions/s")).body["threads"][0]
    shown = thread["agentic_actions"][0]["tool_calls"][0]
    assert shown | {"id": ""} == {
        "id": "",
        "interception_id": ids[0],
        "provider_response_id": "msg_1",
        "provider_tool_call_id": "s1",
        "server_url": "",
        "tool": "Bash",
        "kind": "tool_use",
        "injected": False,
        "input": '{"command":"ls"}',
        "metadata": {},
        "created_at": "2026-11-20T12:01:00Z",
    }


async def test_threads_come_in_pages_both_ways(api: Api) -> None:
    roots = [(await record(api.store, api.ids["mia"], n, prompt=str(n), client_session_id="s")).id for n in range(5)]

    async def page(**parameters: str) -> list[str]:
        return [thread["id"] for thread in (await api.get("aibridge/sessions/s", **parameters)).body["threads"]]

    assert await page() == roots
    assert await page(limit="2") == roots[:2]
    assert await page(limit="2", after_id=roots[1]) == roots[2:4]
    assert await page(limit="2", before_id=roots[4]) == roots[2:4]
    assert await page(after_id=roots[4]) == []
    assert await page(before_id=roots[0]) == []


async def test_an_empty_page_has_no_times(api: Api) -> None:
    ids = await conversation(api)
    body = (await api.get("aibridge/sessions/s", after_id=ids[3])).body
    assert body["threads"] == []
    assert "page_started_at" not in body
    assert body["token_usage_summary"]["input_tokens"] == 4


@pytest.mark.parametrize("dialect", ["sqlite"])
@pytest.mark.parametrize(
    ("parameters", "field"),
    [
        ({"limit": "201"}, "limit"),
        ({"limit": "x"}, "limit"),
        ({"after_id": "x"}, "after_id"),
        ({"before_id": "x"}, "before_id"),
        ({"after_id": "01900000-0000-7000-8000-000000000001"}, "after_id"),
        ({"after_id": "a", "before_id": "b"}, "before_id"),
        ({"initiator": "nobody"}, "initiator"),
    ],
)
async def test_a_bad_parameter_is_named(api: Api, parameters: dict[str, str], field: str) -> None:
    await conversation(api)
    answer = await api.get("aibridge/sessions/s", **parameters)
    assert (answer.status, answer.fields) == (400, [field])


async def test_an_interception_of_another_session_is_no_cursor(api: Api) -> None:
    await conversation(api)
    other = await record(api.store, api.ids["mia"], client_session_id="other")
    assert (await api.get("aibridge/sessions/s", after_id=other.id)).fields == ["after_id"]


async def test_the_id_of_an_interception_leads_to_its_session(api: Api) -> None:
    ids = await conversation(api)
    assert (await api.get(f"aibridge/sessions/{ids[1]}")).body["id"] == "s"


async def test_a_session_id_may_hold_anything(api: Api) -> None:
    await record(api.store, api.ids["mia"], client_session_id="a/b c?d%e#ü")
    answer = await api.ask(
        "GET", f"{api.url}/api/v2/aibridge/sessions/a%2Fb%20c%3Fd%25e%23%C3%BC".removeprefix(api.url)
    )
    assert answer.body["id"] == "a/b c?d%e#ü"


async def test_unknown_and_invisible_look_alike(api: Api) -> None:
    ids = await conversation(api)
    paths = ["aibridge/sessions/s", "aibridge/sessions/nothing", f"aibridge/sessions/{ids[0]}"]
    answers = [await api.get(path, "max") for path in paths]
    assert {(answer.status, answer.text) for answer in answers} == {(404, answers[0].text)}
    assert (await api.get("aibridge/sessions/s", "mia")).status == 200


async def test_a_shared_id_is_bound_to_one_user(api: Api) -> None:
    for base, who in enumerate(("mia", "olga", "max")):
        await record(api.store, api.ids[who], base, client_session_id="same", prompt=who)

    async def seen(who: str, **parameters: str) -> list[str]:
        body = (await api.get("aibridge/sessions/same", who, **parameters)).body
        return [thread["prompt"] for thread in body["threads"]]

    assert await seen("olga") == ["olga"]
    assert await seen("audrey") == ["max"]
    assert await seen("audrey", initiator="mia") == ["mia"]
    assert await seen("audrey", initiator=api.ids["mia"]) == ["mia"]


async def test_a_follower_without_its_root_heads_its_thread(api: Api) -> None:
    root = await record(api.store, api.ids["mia"], 0, call("c"), prompt="elsewhere")
    follower = await record(api.store, api.ids["mia"], 2, tool_result_id="c", client_session_id="late")
    (thread,) = (await api.get("aibridge/sessions/late")).body["threads"]
    assert thread["id"] == follower.id != root.id
    assert "prompt" not in thread


async def test_an_unknown_client_is_left_out(api: Api) -> None:
    await record(api.store, api.ids["mia"], client_session_id="s", client="Unknown")
    assert "client" not in (await api.get("aibridge/sessions/s")).body


async def test_an_error_is_told(api: Api) -> None:
    it = await start(api.store, api.ids["mia"], client_session_id="s")
    await api.store.records.commit([failed(it)])
    (thread,) = (await api.get("aibridge/sessions/s")).body["threads"]
    assert (thread["error_type"], thread["error_message"]) == ("overloaded", "try later")
    assert thread["steps"][0]["error"] == {"type": "overloaded", "message": "try later"}
    assert thread["steps"][0]["ending"] == Ending.UPSTREAM_ERROR


async def test_what_runs_is_shown_on_request_only(api: Api) -> None:
    await conversation(api)
    running = await start(api.store, api.ids["mia"], 9, client_session_id="s", prompt="and now?")
    assert len((await api.get("aibridge/sessions/s")).body["threads"]) == 2
    body = (await api.get("aibridge/sessions/s", include_running="true")).body
    assert (body["running"], body["threads"][2]["id"]) == (1, running.id)
    assert "ended_at" not in body["threads"][2]


async def test_a_session_that_only_runs(api: Api) -> None:
    it = await start(api.store, api.ids["mia"], client_session_id="s", prompt="first")
    assert [(await api.get(f"aibridge/sessions/{name}")).status for name in ("s", it.id)] == [404, 404]
    bodies = [(await api.get(f"aibridge/sessions/{name}", include_running="1")).body for name in ("s", it.id)]
    assert [body["threads"][0]["prompt"] for body in bodies] == ["first", "first"]


async def test_steps_say_which_agent_took_them(api: Api) -> None:
    main = {"Username": "mia", "request_class": "main"}
    sub = {"Username": "mia", "request_class": "subagent", "agent_id": "a2", "parent_agent_id": "a1"}
    await record(api.store, api.ids["mia"], 0, call("c"), client_session_id="s", metadata=main)
    await record(api.store, api.ids["mia"], 1, client_session_id="s", tool_result_id="c", metadata=sub)
    body = (await api.get("aibridge/sessions/s")).body
    assert [step["metadata"] for thread in body["threads"] for step in thread["steps"]] == [main, sub]
    assert body["metadata"] == main


FIREWALL = {"agent_firewall_session_id": "5e55105e-0000-4000-8000-000000000001", "agent_firewall_sequence_number": "7"}


@pytest.mark.parametrize(
    ("metadata", "shown"),
    [
        (FIREWALL, {**FIREWALL, "agent_firewall_sequence_number": 7}),
        ({**FIREWALL, "agent_firewall_sequence_number": "x"}, {}),
        ({"agent_firewall_sequence_number": "7"}, {}),
        ({}, {}),
    ],
)
async def test_a_thread_says_what_the_agent_firewall_said(api: Api, metadata: dict, shown: dict) -> None:
    await record(api.store, api.ids["mia"], client_session_id="s", metadata=metadata)
    (thread,) = (await api.get("aibridge/sessions/s")).body["threads"]
    assert {name: value for name, value in thread.items() if name.startswith("agent_firewall")} == shown
