"""Retention by hand, and people who are forgotten."""

import pytest

from tests.api.building import record, start
from tests.api.conftest import Api
from tests.store.building import call, thought, usage

DUE = ("interceptions", "user_prompts", "token_usages", "tool_usages", "model_thoughts", "api_keys", "audit_logs")
NOTHING = dict.fromkeys(DUE, 0)


@pytest.fixture
async def filled(api: Api) -> Api:
    """Mia asked long ago (the records' year has hardly begun), and had an answer with everything."""
    await record(api.store, api.ids["mia"], -60 * 24 * 300, usage(), call("c"), thought(), prompt="hello")
    await record(api.store, api.ids["max"], prompt="lately")
    return api


async def test_a_look_says_what_would_go(filled: Api) -> None:
    body = (await filled.get("ai/retention", ai_records="100d", audit_logs="1h")).body
    assert body == {
        "configured": False,
        "ai_records": "100d",
        "api_keys": "0",
        "audit_logs": "1h",
        "oldest_record": "2026-01-24T12:00:00Z",
        "due": NOTHING | dict.fromkeys(DUE[:5], 1),
    }


async def test_a_run_deletes_and_notes_it(filled: Api) -> None:
    answer = await filled.post("ai/retention/run", {"ai_records": "100d"})
    assert answer.body == {"deleted": NOTHING | dict.fromkeys(DUE[:5], 1), "left": 0}
    assert (await filled.get("aibridge/interceptions")).body["count"] == 1
    (entry,) = (await filled.get("audit", resource_type="retention")).body["audit_logs"]
    assert (entry["description"], entry["action"]) == ("olga removed retention ai_records older than 100d", "delete")


async def test_nothing_is_deleted_by_guessing(filled: Api) -> None:
    answer = await filled.post("ai/retention/run", {})
    assert answer.body == {"deleted": NOTHING, "left": 0}
    assert (await filled.get("audit")).body["count"] == 0


async def test_an_age_without_a_unit_is_refused(api: Api) -> None:
    answer = await api.post("ai/retention/run", {"ai_records": "30"})
    assert (answer.status, answer.fields) == (400, ["ai_records"])
    assert (await api.get("ai/retention", api_keys="soon")).fields == ["api_keys"]


async def test_a_person_is_forgotten(filled: Api) -> None:
    mia = filled.ids["mia"]
    await filled.ask("PUT", "users/mia/profile", json={"name": "Mia the Great"})
    answer = await filled.post("users/mia/erase", {})
    tombstone = f"erased-{mia[-12:]}"
    assert answer.body == {
        "user_id": mia,
        "username": tombstone,
        "erased": {"interceptions": 1, "user_prompts": 1, "tool_usages": 1, "model_thoughts": 1},
        "done": True,
        "running": 0,
    }
    everything = [
        (await filled.get(path)).text for path in ("aibridge/interceptions", "aibridge/sessions", "audit", "users")
    ]
    assert [path for path in everything if "mia" in path.lower()] == []
    usage_of = (await filled.get("ai/usage", by="user")).body["groups"]
    assert (tombstone, 1) in [(each["user"]["username"], each["interceptions"]) for each in usage_of]
    assert (await filled.get("users/me", "mia")).status == 401


async def test_no_entry_of_the_log_names_the_person(filled: Api) -> None:
    await filled.post("users/mia/keys/tokens", {"token_name": "laptop"})
    await filled.ask("PUT", "users/mia/profile", json={"username": "maria"})
    await filled.post("users/maria/keys/tokens", {"token_name": "desktop"})
    await filled.post("users/maria/erase", {})
    log = (await filled.get("audit")).body["audit_logs"]
    tombstone = f"erased-{filled.ids['mia'][-12:]}"
    assert [entry["resource_target"] for entry in log if entry["resource_type"] == "api_key"] == [
        f"desktop of {tombstone}",
        f"laptop of {tombstone}",
    ]
    assert [name for name in ("mia", "maria") if name in str(log).lower()] == []


async def test_a_name_is_free_again(filled: Api) -> None:
    await filled.post("users/mia/erase", {})
    new = {"username": "mia", "email": "mia@example.com", "login_type": "none"}
    assert (await filled.post("users", new)).status == 201


async def test_who_was_deleted_before_is_erased_by_id(filled: Api) -> None:
    await filled.ask("DELETE", "users/mia")
    assert (await filled.post("users/mia/erase", {})).status == 404
    assert (await filled.post(f"users/{filled.ids['mia']}/erase", {})).body["erased"]["interceptions"] == 1
    assert (await filled.post(f"users/{filled.ids['mia']}/erase", {})).body["erased"]["interceptions"] == 0


async def test_what_still_runs_is_said(api: Api) -> None:
    await start(api.store, api.ids["mia"], prompt="hello")
    assert (await api.post("users/mia/erase", {})).body["running"] == 1


async def test_nobody_erases_themselves(api: Api) -> None:
    assert (await api.post("users/olga/erase", {})).status == 400
