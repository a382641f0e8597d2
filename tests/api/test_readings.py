"""Opening records of others is itself noted: who, whose, when; once an hour."""

import pytest

from tests.api.building import record
from tests.api.conftest import Api


async def opened(api: Api, who: str = "olga") -> list[str]:
    """What the log says about openings."""
    entries = (await api.get("audit", who, action="read")).body["audit_logs"]
    return [entry["description"] for entry in entries]


async def test_opening_a_session_of_somebody_else_is_noted_once(api: Api) -> None:
    await record(api.store, api.ids["mia"], client_session_id="s")
    for _ in range(2):
        assert (await api.get("aibridge/sessions/s", "audrey")).status == 200
    assert await opened(api) == ["audrey opened session s of mia"]
    (entry,) = (await api.get("audit", resource_type="session")).body["audit_logs"]
    assert (entry["resource_id"], entry["additional_fields"]) == ("s", {"initiator_id": api.ids["mia"]})
    assert (entry["user"]["username"], entry["ip"], entry["diff"]) == ("audrey", "127.0.0.1", {})


async def test_each_reader_and_each_session_counts(api: Api) -> None:
    for name in ("one", "two"):
        await record(api.store, api.ids["mia"], client_session_id=name)
        await api.get(f"aibridge/sessions/{name}", "audrey")
    await api.get("aibridge/sessions/two", "olga")
    assert sorted(await opened(api)) == [
        "audrey opened session one of mia",
        "audrey opened session two of mia",
        "olga opened session two of mia",
    ]


async def test_the_own_sessions_and_those_on_ones_behalf_are_not_noted(api: Api) -> None:
    await record(api.store, api.ids["olga"], client_session_id="own")
    await record(api.store, api.ids["bot"], client_session_id="for", on_behalf_of=api.ids["olga"])
    for name in ("own", "for"):
        assert (await api.get(f"aibridge/sessions/{name}", "olga")).status == 200
    assert await opened(api) == []


async def test_what_is_not_found_is_not_noted(api: Api) -> None:
    await record(api.store, api.ids["mia"], client_session_id="s")
    assert (await api.get("aibridge/sessions/s", "max")).status == 404
    assert (await api.get("aibridge/sessions/s", "audrey", limit="x")).status == 400
    assert await opened(api) == []


async def test_a_single_exchange_counts_as_its_session(api: Api) -> None:
    it = await record(api.store, api.ids["mia"], client_session_id="s")
    await api.get(f"aibridge/interceptions/{it.id}", "audrey")
    await api.get("aibridge/sessions/s", "audrey")
    assert await opened(api) == ["audrey opened session s of mia"]


async def test_a_list_with_contents_of_others_is_noted(api: Api) -> None:
    await record(api.store, api.ids["mia"], client_session_id="s")
    await api.get("aibridge/interceptions", "mia")
    await api.get("aibridge/sessions", "audrey")
    assert await opened(api) == []
    await api.get("aibridge/interceptions", "audrey")
    assert await opened(api) == ["audrey opened session list of exchanges"]


@pytest.mark.parametrize("length", [256])
async def test_the_owners_name_stands_behind_any_id(api: Api, length: int) -> None:
    await record(api.store, api.ids["mia"], client_session_id="x" * length)
    await api.get("aibridge/sessions/" + "x" * length, "audrey")
    assert await opened(api) == [f"audrey opened session {'x' * 64} of mia"]


async def test_who_is_erased_is_not_named_by_who_opened_what(api: Api) -> None:
    await record(api.store, api.ids["mia"], client_session_id="s")
    await api.get("aibridge/sessions/s", "audrey")
    assert (await api.post("users/mia/erase", {})).status == 200
    assert await opened(api) == [f"audrey opened session s of erased-{api.ids['mia'][-12:]}"]
