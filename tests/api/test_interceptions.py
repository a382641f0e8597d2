"""Single exchanges, models and clients; rest-api 6.1 and 6.4."""

import pytest

from coderai.records import Thought
from tests.api.building import failed, record, start
from tests.api.conftest import Api
from tests.store.building import call, usage


async def listed(api: Api, who: str = "olga", **parameters: str) -> list[str]:
    answer = await api.get("aibridge/interceptions", who, **parameters)
    return [each["id"] for each in answer.body["results"]]


async def test_an_interception_has_all_members(api: Api) -> None:
    it = await record(api.store, api.ids["mia"], 0, Thought("hm"), usage(), call("c"), prompt="go", model="m")
    body = (await api.get("aibridge/interceptions")).body
    assert (body["count"], body["count_capped"]) == (1, False)
    (row,) = body["results"]
    children = {name: row.pop(name) for name in ("token_usages", "user_prompts", "tool_usages")}
    assert row == {
        "id": it.id,
        "api_key_id": "aaaaaaaaaa",
        "initiator": {"id": api.ids["mia"], "username": "mia", "name": "Mia M"},
        "provider": "anthropic",
        "provider_name": "anthropic",
        "model": "m",
        "client": "Claude Code",
        "session_id": it.id,
        "metadata": {"Username": "ada"},
        "started_at": "2026-11-20T12:00:00Z",
        "ended_at": "2026-11-20T12:01:00Z",
        "ending": "complete",
    }
    (tokens,), (prompt,), (tool,) = children.values()
    assert tokens | {"id": ""} == {
        "id": "",
        "interception_id": it.id,
        "provider_response_id": "msg_1",
        "input_tokens": 1,
        "output_tokens": 10,
        "cache_read_input_tokens": 100,
        "cache_write_input_tokens": 1000,
        "metadata": {"reasoning": 7},
        "created_at": "2026-11-20T12:01:00Z",
    }
    assert prompt | {"id": ""} == {
        "id": "",
        "interception_id": it.id,
        "provider_response_id": "msg_1",
        "prompt": "go",
        "metadata": {},
        "created_at": "2026-11-20T12:00:00Z",
    }
    assert (tool["tool"], tool["input"], tool["server_url"], tool["invocation_error"]) == (
        "Bash",
        '{"command":"ls"}',
        "",
        "",
    )


async def test_a_bare_term_is_the_initiator(api: Api) -> None:
    it = await record(api.store, api.ids["mia"])
    await record(api.store, api.ids["max"])
    assert await listed(api, q="mia") == [it.id]
    assert (await api.get("aibridge/interceptions", q="nobody")).fields == ["initiator"]


SEARCHES: list[tuple[dict[str, str], list[int]]] = [
    ({}, [2, 1, 0]),
    ({"model": "m1"}, [1]),
    ({"client": "Codex"}, [2]),
    ({"model": "m1", "client": "Codex"}, []),
    ({"provider": "openai"}, [2]),
    ({"session_id": "s"}, [2, 0]),
    ({"session_id": "s", "model": "m0"}, [0]),
    ({"started_after": "2026-11-20T12:01:00Z"}, [2, 1]),
    ({"started_after": "2026-11-20T12:01:00Z", "session_id": "s"}, [2]),
    ({"started_before": "2026-11-20T12:01:00Z", "model": "m0"}, [0]),
    ({"initiator": "mia"}, [2, 1, 0]),
    ({"initiator": "max"}, []),
]


async def test_interceptions_are_searched(api: Api) -> None:
    mia = api.ids["mia"]
    made = [
        await record(api.store, mia, 0, model="m0", client_session_id="s"),
        await record(api.store, mia, 1, model="m1"),
        await record(api.store, mia, 2, model="m2", client_session_id="s", client="Codex", provider="openai"),
    ]
    ids = [it.id for it in made]
    assert [(asked, [ids.index(each) for each in await listed(api, **asked)]) for asked, _ in SEARCHES] == SEARCHES
    counts = [(await api.get("aibridge/interceptions", **asked)).body["count"] for asked, _ in SEARCHES]
    assert counts == [len(found) for _, found in SEARCHES]


async def test_the_count_is_of_all_pages(api: Api) -> None:
    for minute in range(3):
        await record(api.store, api.ids["mia"], minute)
    pages = [{"limit": "1"}, {"limit": "1", "offset": "1"}, {"started_after": "2026-11-20T12:01:00Z"}]
    counts = [(await api.get("aibridge/interceptions", **page)).body["count"] for page in pages]
    assert counts == [3, 3, 2]


async def test_pages_by_the_last_id(api: Api) -> None:
    ids = [(await record(api.store, api.ids["mia"], minute)).id for minute in (3, 2, 2, 1)]
    whole = await listed(api)
    assert sorted(whole) == sorted(ids)
    assert await listed(api, after_id=whole[1]) == whole[2:]


@pytest.mark.parametrize("dialect", ["sqlite"])
@pytest.mark.parametrize(
    ("parameters", "field"),
    [
        ({"after_id": "x"}, "after_id"),
        ({"after_id": "01900000-0000-7000-8000-000000000001"}, "after_id"),
        ({"after_id": "01900000-0000-7000-8000-000000000001", "offset": "1"}, "offset"),
        ({"limit": "1001"}, "limit"),
    ],
)
async def test_a_bad_parameter_is_named(api: Api, parameters: dict[str, str], field: str) -> None:
    answer = await api.get("aibridge/interceptions", **parameters)
    assert (answer.status, answer.fields) == (400, [field])


async def test_running_ones_are_shown_on_request_only(api: Api) -> None:
    ended = await record(api.store, api.ids["mia"], 1)
    running = await start(api.store, api.ids["mia"], 2)
    assert await listed(api) == [ended.id]
    body = (await api.get("aibridge/interceptions", include_running="true")).body
    assert [(each["id"], each["ended_at"] is None) for each in body["results"]] == [
        (running.id, True),
        (ended.id, False),
    ]
    assert body["count"] == 2
    assert await listed(api, include_running="true", offset="1") == [ended.id]


async def test_one_interception_with_everything(api: Api) -> None:
    root = await record(api.store, api.ids["mia"], 0, call("c"))
    it = await record(
        api.store,
        api.ids["mia"],
        2,
        Thought("hm"),
        usage(),
        tool_result_id="c",
        credential_hint="sk-a...ijkl",
        user_agent="claude-cli/2",
        on_behalf_of="somebody",
    )
    body = (await api.get(f"aibridge/interceptions/{it.id}")).body
    assert (body["thread_root_id"], body["thread_parent_id"], body["session_id"]) == (root.id, root.id, root.id)
    assert [(thought["content"], thought["metadata"]) for thought in body["model_thoughts"]] == [
        ("hm", {"source": "thinking"})
    ]
    assert (body["credential_hint"], body["user_agent"], body["api"]) == ("sk-a...ijkl", "claude-cli/2", "messages")
    assert (body["http_status"], body["stream"], body["on_behalf_of"]["id"]) == (200, True, "somebody")


async def test_how_it_failed(api: Api) -> None:
    it = await start(api.store, api.ids["mia"])
    await api.store.records.commit([failed(it)])
    body = (await api.get(f"aibridge/interceptions/{it.id}")).body
    assert (body["ending"], body["error_type"], body["http_status"]) == ("upstream_error", "overloaded", 529)


async def test_a_hint_that_is_no_mask_is_not_shown(api: Api) -> None:
    it = await record(api.store, api.ids["mia"], credential_hint="sk-whole-key")
    answer = await api.get(f"aibridge/interceptions/{it.id}")
    assert answer.body["credential_hint"] == "..."


async def test_unknown_and_invisible_look_alike(api: Api) -> None:
    it = await record(api.store, api.ids["mia"])
    answers = [await api.get(f"aibridge/interceptions/{name}", "max") for name in (it.id, api.ids["max"], "x")]
    assert {(answer.status, answer.text) for answer in answers} == {(404, answers[0].text)}
    assert (await api.get(f"aibridge/interceptions/{it.id}", "mia")).status == 200


async def test_everybody_sees_what_their_role_allows(api: Api) -> None:
    mine = await record(api.store, api.ids["mia"], 1)
    for_mia = await record(api.store, api.ids["bot"], 2, on_behalf_of=api.ids["mia"])
    other = await record(api.store, api.ids["max"], 3)
    assert await listed(api, "audrey") == [other.id, for_mia.id, mine.id]
    assert await listed(api, "mia") == [for_mia.id, mine.id]
    assert await listed(api, "mia", model="claude-sonnet-4-5") == [for_mia.id, mine.id]
    assert await listed(api, "uwe") == []
    assert (await api.get("aibridge/interceptions", "uwe")).body["count"] == 0


async def models(api: Api) -> None:
    for who, model, client in (
        ("mia", "gpt-4o", "Codex"),
        ("mia", "gpt 4o mini", "Codex"),
        ("max", "GPT-5", "Unknown"),
        ("max", "100%", "Claude Code"),
    ):
        await record(api.store, api.ids[who], model=model, client=client)


MODELS: list[tuple[str, dict[str, str], list[str]]] = [
    ("olga", {}, ["100%", "GPT-5", "gpt 4o mini", "gpt-4o"]),
    ("olga", {"q": "gpt 4o"}, ["gpt 4o mini"]),
    ("olga", {"q": "gpt"}, ["gpt 4o mini", "gpt-4o"]),
    ("olga", {"q": "model:gpt-"}, ["gpt-4o"]),
    ("olga", {"q": "%"}, []),
    ("olga", {"q": "1_0"}, []),
    ("olga", {"model": "100%"}, ["100%"]),
    ("olga", {"limit": "2", "offset": "1"}, ["GPT-5", "gpt 4o mini"]),
    ("mia", {}, ["gpt 4o mini", "gpt-4o"]),
    ("mia", {"q": "G"}, []),
    ("uwe", {}, []),
]


async def test_models(api: Api) -> None:
    await models(api)
    found = [(who, asked, (await api.get("aibridge/models", who, **asked)).body) for who, asked, _ in MODELS]
    assert found == MODELS


async def test_clients(api: Api) -> None:
    await models(api)
    found = {q: (await api.get("ai-gateway/clients", q=q)).body for q in ("", "C", "Claude Code")}
    assert found == {
        "": ["Claude Code", "Codex", "Unknown"],
        "C": ["Claude Code", "Codex"],
        "Claude Code": ["Claude Code"],
    }


@pytest.mark.parametrize("dialect", ["sqlite"])
@pytest.mark.parametrize("path", ["models", "clients"])
async def test_lists_of_labels_know_only_their_key(api: Api, path: str) -> None:
    assert (await api.get(f"aibridge/{path}", q="foo:bar")).fields == ["foo"]
    assert (await api.get(f"aibridge/{path}", limit="1001")).fields == ["limit"]
    assert (await api.get(f"aibridge/{path}")).body == []
