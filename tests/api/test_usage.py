"""Summaries of what was used."""

import pytest

from coderai.records import Ending
from tests.api.building import failed, record, start
from tests.api.conftest import Api
from tests.store.building import begun, call, ended, interception, usage


@pytest.fixture
async def busy(api: Api) -> Api:
    """Two days: mia with two models, max with one; something of mia still runs."""
    mia, max_ = api.ids["mia"], api.ids["max"]
    await record(api.store, mia, 0, usage(1), usage(2), model="opus", client="Codex")
    await record(api.store, mia, 24 * 60, usage(4), model="haiku", provider_name="")
    await record(api.store, max_, 24 * 60 + 1, usage(8), model="opus")
    await start(api.store, mia, 24 * 60 + 2, model="opus")
    return api


async def groups(api: Api, by: str, who: str = "olga", **parameters: str) -> list[tuple[object, ...]]:
    """The values of the dimensions, exchanges and input tokens of each group."""
    body = (await api.get("ai/usage", who, by=by, **parameters)).body
    return [
        (
            *(each[name]["username"] if name == "user" else each[name] for name in by.split(",")),
            each["interceptions"],
            each["token_usage_summary"]["input_tokens"],
        )
        for each in body["groups"]
    ]


GROUPS = {
    "user": [("max", 1, 8), ("mia", 2, 7)],
    "model": [("opus", 2, 11), ("haiku", 1, 4)],
    "client": [("Claude Code", 2, 12), ("Codex", 1, 3)],
    "provider": [("anthropic", 3, 15)],
    "day": [("2026-11-21", 2, 12), ("2026-11-20", 1, 3)],
    "user,model": [("max", "opus", 1, 8), ("mia", "haiku", 1, 4), ("mia", "opus", 1, 3)],
    "day,user": [("2026-11-21", "max", 1, 8), ("2026-11-21", "mia", 1, 4), ("2026-11-20", "mia", 1, 3)],
}


async def test_what_was_used_is_grouped(busy: Api) -> None:
    assert {by: await groups(busy, by) for by in GROUPS} == GROUPS


async def test_all_four_kinds_of_tokens_are_summed_up(busy: Api) -> None:
    body = (await busy.get("ai/usage", by="user", limit="1")).body
    assert (body["by"], body["count"], len(body["groups"])) == (["user"], 2, 1)
    assert body["total"] == {
        "interceptions": 3,
        "errors": 0,
        "token_usage_summary": {
            "input_tokens": 15,
            "output_tokens": 150,
            "cache_read_input_tokens": 1500,
            "cache_write_input_tokens": 15000,
        },
    }


FILTERS: list[tuple[dict[str, str], list[tuple[object, ...]]]] = [
    ({"model": "opus"}, [("max", 1, 8), ("mia", 1, 3)]),
    ({"initiator": "mia", "client": "Codex"}, [("mia", 1, 3)]),
    ({"started_after": "2026-11-21T00:00:00Z"}, [("max", 1, 8), ("mia", 1, 4)]),
    ({"q": "model:none"}, []),
]


async def test_the_filters_of_lists_apply(busy: Api) -> None:
    found = [await groups(busy, "user", **parameters) for parameters, _ in FILTERS]
    assert found == [expected for _, expected in FILTERS]


async def test_a_member_sees_the_own_usage_only(busy: Api) -> None:
    assert await groups(busy, "user", "mia") == [("mia", 2, 7)]


async def test_what_was_asked_for_on_somebodys_behalf_counts_for_them_too(api: Api) -> None:
    await record(api.store, api.ids["bot"], on_behalf_of=api.ids["mia"])
    assert await groups(api, "user", "mia") == [("bot", 1, 1)]


async def test_other_groups_are_refused(api: Api) -> None:
    for by in ("colour", "user,user"):
        answer = await api.get("ai/usage", by=by)
        assert (answer.status, answer.fields) == (400, ["by"]), by


async def test_usage_hour_by_hour_has_no_gaps(busy: Api) -> None:
    window = {"started_after": "2026-11-21T11:00:00Z", "started_before": "2026-11-21T13:30:00Z"}
    body = (await busy.get("ai/usage/series", **window)).body
    assert [(each["start"], each["interceptions"], each["users"], each["sessions"]) for each in body["buckets"]] == [
        ("2026-11-21T11:00:00Z", 0, 0, 0),
        ("2026-11-21T12:00:00Z", 2, 2, 2),
        ("2026-11-21T13:00:00Z", 0, 0, 0),
    ]
    assert (body["total"]["interceptions"], body["total"]["users"], body["total"]["sessions"]) == (2, 2, 2)


async def test_usage_day_by_day_counts_a_person_once(busy: Api) -> None:
    body = (await busy.get("ai/usage/series", interval="day", started_after="2026-11-20T00:00:00Z")).body
    days = [(each["start"], each["interceptions"], each["users"]) for each in body["buckets"][:2]]
    assert days == [("2026-11-20T00:00:00Z", 1, 1), ("2026-11-21T00:00:00Z", 2, 2)]
    assert (body["total"]["interceptions"], body["total"]["users"], body["total"]["sessions"]) == (3, 2, 3)
    assert body["total"]["token_usage_summary"]["input_tokens"] == 15


async def test_errors_are_counted_and_clients_that_left_are_none(api: Api) -> None:
    broken, left = (interception(minute, initiator_id=api.ids["mia"]) for minute in (0, 1))
    await api.store.records.commit([begun(broken), begun(left)])
    await api.store.records.commit([failed(broken), ended(left, ending=Ending.CLIENT_LEFT)])
    body = (await api.get("ai/usage", by="model")).body
    assert [(each["interceptions"], each["errors"]) for each in body["groups"]] == [(2, 1)]


@pytest.mark.parametrize(
    ("parameters", "field"),
    [({"interval": "week"}, "interval"), ({"started_after": "2001-01-01T00:00:00Z"}, "started_after")],
)
async def test_other_series_are_refused(api: Api, parameters: dict[str, str], field: str) -> None:
    answer = await api.get("ai/usage/series", **parameters)
    assert (answer.status, answer.fields) == (400, [field])


async def test_the_latest_day_is_what_a_series_shows_by_itself(api: Api) -> None:
    hours, days = [(await api.get("ai/usage/series", interval=each)).body["buckets"] for each in ("hour", "day")]
    assert (len(hours), len(days)) == (24, 30)


async def test_tools_are_counted(api: Api) -> None:
    await record(api.store, api.ids["mia"], 0, call("1"), call("2"), call("3", "Read"))
    await record(api.store, api.ids["max"], 1, call("4", "Grep"), model="haiku")
    body = (await api.get("ai/usage/tools", limit="2")).body
    assert body == {"count": 3, "tools": [{"tool": "Bash", "calls": 2}, {"tool": "Grep", "calls": 1}], "total": 4}
    mine = (await api.get("ai/usage/tools", "max")).body
    assert mine["tools"] == [{"tool": "Grep", "calls": 1}]
    assert (await api.get("ai/usage/tools", model="haiku")).body["total"] == 1
