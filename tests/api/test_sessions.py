"""The list of sessions: rest-api 5 and 6.2 with the decisions of the design."""

from typing import Any

import pytest

from tests.api.building import record, start
from tests.api.conftest import Api
from tests.store.building import call, usage


async def two_clients(api: Api) -> str:
    """``chat`` by Coder Agents with two models, ``code`` by Claude Code; both of mia. Returns the first id there."""
    mia = api.ids["mia"]
    agents: dict[str, Any] = {"client": "Coder Agents", "client_session_id": "chat", "provider": "openai"}
    first = await record(api.store, mia, 0, model="gpt-5", provider_name="azure", prompt="first", **agents)
    await record(api.store, mia, 10, model="gpt-4o", provider_name="azure", prompt="last", **agents)
    await record(api.store, mia, 5, client="Claude Code", client_session_id="code", prompt="hi")
    return first.id


async def test_a_session_has_all_members(api: Api) -> None:
    first = await two_clients(api)
    body = (await api.get("aibridge/sessions", client="Coder Agents")).body
    assert body == {
        "count": 1,
        "count_capped": False,
        "sessions": [
            {
                "id": "chat",
                "initiator": {"id": api.ids["mia"], "username": "mia", "name": "Mia M"},
                "providers": ["openai"],
                "provider_names": ["azure"],
                "models": ["gpt-4o", "gpt-5"],
                "client": "Coder Agents",
                "metadata": {"Username": "ada"},
                "started_at": "2026-11-20T12:00:00Z",
                "ended_at": "2026-11-20T12:11:00Z",
                "threads": 2,
                "interceptions": 2,
                "token_usage_summary": {
                    "input_tokens": 2,
                    "output_tokens": 20,
                    "cache_read_input_tokens": 200,
                    "cache_write_input_tokens": 2000,
                },
                "last_prompt": "last",
                "last_active_at": "2026-11-20T12:10:00Z",
                "first_interception_id": first,
            }
        ],
    }


async def test_both_prefixes_say_the_same(api: Api) -> None:
    await two_clients(api)
    assert (await api.get("aibridge/sessions")).text == (await api.get("ai-gateway/sessions")).text


SEARCHES = {
    "": ["chat", "code"],
    'client:"Coder Agents"': ["chat"],
    'CLIENT:"Coder Agents" provider:openai': ["chat"],
    'client:"Coder Agents" provider:anthropic': [],
    "client:Unknown": [],
    "model:gpt-5": ["chat"],
    "model:gpt": [],
    "provider_name:azure": ["chat"],
    "session_id:code": ["code"],
    "session_id:code model:gpt-5": [],
    "initiator:mia": ["chat", "code"],
    "initiator:MIA model:gpt-5": ["chat"],
    "initiator:me": [],
    "initiator:00000000-0000-0000-0000-000000000000": [],
    'started_after:"2026-11-20T12:05:00Z"': ["chat", "code"],
    'started_after:"2026-11-20T12:05:00.000001Z"': ["chat"],
    'started_before:"2026-11-20T12:04:59Z"': ["chat"],
    'started_before:"2026-11-20T11:59:59Z"': [],
    'started_after:"2026-11-20T12:01:00Z" started_before:"2026-11-20T12:06:00Z"': ["code"],
    'started_after:"2026-11-20T12:01:00Z" model:gpt-5': [],
    'started_after:"2026-11-20T12:01:00Z" model:gpt-4o provider:openai': ["chat"],
}


async def test_sessions_are_searched(api: Api) -> None:
    await two_clients(api)
    assert {q: await api.session_ids(q=q) for q in SEARCHES} == SEARCHES


async def test_the_count_is_of_all_that_match(api: Api) -> None:
    await two_clients(api)
    counts = {q: (await api.get("aibridge/sessions", q=q, limit="1")).body["count"] for q in SEARCHES}
    assert counts == {q: len(found) for q, found in SEARCHES.items()}


async def test_plain_parameters_do_the_same(api: Api) -> None:
    await two_clients(api)
    assert await api.session_ids(client="Coder Agents", model="gpt-5") == ["chat"]
    assert await api.session_ids(initiator=api.ids["mia"], started_after="2026-11-20T12:05:00.5Z") == ["chat"]


@pytest.mark.parametrize("dialect", ["sqlite"])
@pytest.mark.parametrize(
    ("parameters", "field"),
    [
        ({"q": "alice"}, "q"),
        ({"q": "a:b:c"}, "q"),
        ({"q": "foo:bar"}, "foo"),
        ({"q": "initiator:nobody"}, "initiator"),
        ({"initiator": "nobody"}, "initiator"),
        ({"q": "model:a", "model": "b"}, "model"),
        ({"q": "provider_name:nowhere"}, "provider_name"),
        ({"limit": "1001"}, "limit"),
        ({"limit": "-1"}, "limit"),
        ({"limit": "x"}, "limit"),
        ({"limit": "1.5"}, "limit"),
        ({"offset": "-1"}, "offset"),
        ({"offset": "9999999999"}, "offset"),
        ({"after_session_id": "a", "offset": "5"}, "offset"),
        ({"after_session_id": "a"}, "after_session_id"),
        ({"cursor": "nonsense"}, "cursor"),
        ({"include_running": "maybe"}, "include_running"),
    ],
)
async def test_a_bad_parameter_is_named(api: Api, parameters: dict[str, str], field: str) -> None:
    answer = await api.get("aibridge/sessions", **parameters)
    assert (answer.status, answer.fields) == (400, [field])


async def test_limit_zero_is_the_default(api: Api) -> None:
    await two_clients(api)
    assert await api.session_ids(limit="0", q="") == ["chat", "code"]


async def test_a_filter_selects_sessions_and_changes_none(api: Api) -> None:
    await two_clients(api)
    whole = (await api.get("aibridge/sessions", session_id="chat")).body["sessions"]
    assert (await api.get("aibridge/sessions", model="gpt-5")).body["sessions"] == whole


async def test_a_time_window_must_meet_the_facet_that_matches(api: Api) -> None:
    await two_clients(api)
    window = {"started_after": "2026-11-20T12:09:00Z"}
    assert await api.session_ids(model="gpt-4o", **window) == ["chat"]
    assert await api.session_ids(model="gpt-5", **window) == []


async def test_one_id_of_two_users_is_two_sessions(api: Api) -> None:
    for name in ("mia", "max"):
        await record(api.store, api.ids[name], client_session_id="same", prompt=name)
    sessions = (await api.get("aibridge/sessions")).body["sessions"]
    assert {(each["id"], each["last_prompt"], each["threads"]) for each in sessions} == {
        ("same", "mia", 1),
        ("same", "max", 1),
    }


async def test_a_tool_loop_is_one_session_with_one_thread(api: Api) -> None:
    root = await record(api.store, api.ids["mia"], 0, call("c1"), prompt="go")
    await record(api.store, api.ids["mia"], 2, usage(), tool_result_id="c1")
    (session,) = (await api.get("aibridge/sessions")).body["sessions"]
    assert (session["id"], session["threads"], session["interceptions"]) == (root.id, 1, 2)


async def test_everybody_sees_what_their_role_allows(api: Api) -> None:
    await two_clients(api)
    seen = {name: await api.session_ids(name) for name in ("olga", "audrey", "uwe", "mia", "max")}
    assert seen == {"olga": ["chat", "code"], "audrey": ["chat", "code"], "uwe": [], "mia": ["chat", "code"], "max": []}
    assert (await api.get("aibridge/sessions", "max")).body == {"count": 0, "count_capped": False, "sessions": []}


async def test_a_member_cannot_ask_for_somebody_else(api: Api) -> None:
    answers = [await api.get("aibridge/sessions", "mia", initiator=name) for name in ("max", "nobody")]
    assert [answer.status for answer in answers] == [400, 400]
    assert answers[0].text == answers[1].text
    assert await api.session_ids("mia", initiator=api.ids["max"]) == []
    assert await api.session_ids("mia", initiator="me") == await api.session_ids("mia")


async def test_what_was_done_for_somebody_is_theirs_too(api: Api) -> None:
    bot, mia = api.ids["bot"], api.ids["mia"]
    await record(api.store, bot, client_session_id="for-mia", on_behalf_of=mia)
    await record(api.store, bot, client_session_id="for-both", on_behalf_of=mia)
    await record(api.store, bot, client_session_id="for-both", on_behalf_of=api.ids["max"])
    await record(api.store, bot, client_session_id="for-nobody")
    assert await api.session_ids("mia") == ["for-mia"]
    assert await api.session_ids("max") == []
    (session,) = (await api.get("aibridge/sessions", "mia")).body["sessions"]
    assert (session["initiator"]["username"], session["on_behalf_of"][0]["username"]) == ("bot", "mia")


async def test_sessions_are_searched_by_who_they_were_for(api: Api) -> None:
    await record(api.store, api.ids["bot"], client_session_id="a", on_behalf_of=api.ids["mia"])
    await record(api.store, api.ids["bot"], client_session_id="b", on_behalf_of="somebody")
    for path in ("sessions", "sessions?include_running=true"):
        (session,) = (await api.get(f"aibridge/{path}", on_behalf_of="somebody")).body["sessions"]
        assert session["on_behalf_of"] == [{"id": "somebody", "username": "somebody"}]
    names = ("mia", "me", "somebody", "nobody")
    assert [await api.session_ids(on_behalf_of=name) for name in names] == [["a"], [], ["b"], []]
    assert await api.session_ids(q="on_behalf_of:mia", client="Claude Code") == ["a"]
    assert await api.session_ids("mia", on_behalf_of="me") == ["a"]


async def test_pages_by_cursor_cover_everything_once(api: Api) -> None:
    for minute in (0, 1, 1, 1, 2):
        await record(api.store, api.ids["mia"], minute, prompt="x")
    whole = await api.session_ids()
    first = (await api.get("aibridge/sessions", limit="2")).body
    second = (await api.get("aibridge/sessions", limit="2", cursor=first["next_cursor"])).body
    third = (await api.get("aibridge/sessions", limit="2", cursor=second["next_cursor"])).body
    pages = [[each["id"] for each in page["sessions"]] for page in (first, second, third)]
    assert pages == [whole[:2], whole[2:4], whole[4:]]
    assert [page["count"] for page in (first, second, third)] == [5, 5, 5]
    assert "next_cursor" not in third


async def test_pages_by_the_last_id_and_by_offset(api: Api) -> None:
    for minute in range(4):
        await record(api.store, api.ids["mia"], minute, prompt="x")
    whole = await api.session_ids()
    assert await api.session_ids(limit="2", after_session_id=whole[1]) == whole[2:]
    assert await api.session_ids(limit="2", offset="1") == whole[1:3]
    assert await api.session_ids(offset="9") == []


async def test_a_session_of_somebody_else_is_no_cursor(api: Api) -> None:
    await record(api.store, api.ids["mia"], client_session_id="mine")
    assert (await api.get("aibridge/sessions", "max", after_session_id="mine")).fields == ["after_session_id"]


async def test_a_user_who_is_gone_is_still_shown(api: Api) -> None:
    await record(api.store, "01900000-0000-7000-8000-00000000dead")
    (session,) = (await api.get("aibridge/sessions")).body["sessions"]
    assert session["initiator"] == {"id": "01900000-0000-7000-8000-00000000dead", "username": "deleted-user"}


async def test_a_long_prompt_is_cut_in_the_list(api: Api) -> None:
    await record(api.store, api.ids["mia"], prompt="ä" * 5000)
    (session,) = (await api.get("aibridge/sessions")).body["sessions"]
    assert session["last_prompt"] == "ä" * 4096


async def test_running_ones_are_shown_on_request_only(api: Api) -> None:
    await two_clients(api)
    await start(api.store, api.ids["mia"], 7, client_session_id="alone", prompt="now")
    await start(api.store, api.ids["mia"], 20, client_session_id="chat", client="Coder Agents", model="gpt-6")
    assert await api.session_ids() == ["chat", "code"]
    body = (await api.get("aibridge/sessions", include_running="true")).body
    assert [(each["id"], each["running"]) for each in body["sessions"]] == [("chat", 1), ("alone", 1), ("code", 0)]
    assert body["count"] == 3
    alone = body["sessions"][1]
    assert "ended_at" not in alone
    assert (alone["last_prompt"], alone["threads"]) == ("now", 1)


async def test_running_ones_are_searched_too(api: Api) -> None:
    await two_clients(api)
    await start(api.store, api.ids["mia"], 20, client_session_id="chat", model="gpt-6")
    (session,) = (await api.get("aibridge/sessions", include_running="true", model="gpt-6")).body["sessions"]
    assert (session["id"], session["interceptions"], session["running"]) == ("chat", 2, 1)
    assert await api.session_ids(include_running="true", model="gpt-7") == []


async def test_pages_with_running_ones_cover_everything_once(api: Api) -> None:
    for minute in range(4):
        await record(api.store, api.ids["mia"], minute * 2, prompt="x")
        await start(api.store, api.ids["mia"], minute * 2 + 1, prompt="x")
    whole = await api.session_ids(include_running="true")
    assert len(whole) == 8
    first = (await api.get("aibridge/sessions", include_running="true", limit="3")).body
    rest = await api.session_ids(include_running="true", cursor=first["next_cursor"])
    assert [each["id"] for each in first["sessions"]] + rest == whole
    assert await api.session_ids(include_running="true", limit="3", offset="2") == whole[2:5]
    assert await api.session_ids(include_running="true", after_session_id=whole[3]) == whole[4:]


async def test_a_parameter_given_twice_is_refused(api: Api) -> None:
    for noun in ("sessions", "interceptions", "models", "clients", "sessions/chat"):
        answer = await api.ask("GET", f"aibridge/{noun}?limit=1&client=Codex&limit=2&client=Mux")
        assert (answer.status, answer.fields) == (400, ["client", "limit"]), noun
