"""Emptying a person's records: nothing of what was said stays, all that was counted does."""

from pathlib import Path
from typing import Any

import pytest

from coderai.records import ToolCall
from coderai.store import schema
from coderai.store.audit import AuditLog, Entry
from coderai.store.engine import Store, open_store
from coderai.store.erasure import Erased, erase_records, running
from tests.store.building import NOON, begun, ended, interception, thought, usage
from tests.store.looking import recounted, roll_up, rows

ADA, BOT, EVE = (f"01900000-0000-7000-8000-00000000000{n}" for n in (1, 2, 3))
SAID = "the secret word"


async def talk(store: Store, user: str, minute: float, **fields: object) -> None:
    """One exchange that is full of words."""
    given = {"prompt": SAID, "user_agent": SAID, "metadata": {"Username": SAID}, "credential_hint": "sk-a...xyz"}
    it = interception(minute, **{"initiator_id": user, **given, **fields})
    await store.records.commit([begun(it), ended(it, usage(), ToolCall("Bash", "c", SAID, "msg_1"), thought(SAID))])


@pytest.fixture
async def filled(store: Store) -> Store:
    """Ada had three exchanges in two sessions, the bot one for her, one for a name, one for itself; eve one."""
    for minute, session in ((0, "a"), (1, "a"), (2, "b")):
        await talk(store, ADA, minute, client_session_id=session, credential_kind="byok")
    await talk(store, BOT, 3, on_behalf_of=ADA)
    await talk(store, BOT, 4, on_behalf_of="ada")
    await talk(store, BOT, 5)
    await talk(store, EVE, 6)
    return store


def words(found: list[dict[str, object]]) -> int:
    """In how many of the rows the secret still is."""
    return sum(SAID in str(row) for row in found)


async def test_the_words_go_and_the_counts_stay(filled: Store) -> None:
    before = [len(await rows(filled, table)) for table in schema.metadata.sorted_tables]
    tokens = await rows(filled, schema.token_usages)
    assert await erase_records(filled, ADA, "ada", batch=2) == (Erased(5, 5, 5, 5), True)
    assert [len(await rows(filled, table)) for table in schema.metadata.sorted_tables] == before
    assert await rows(filled, schema.token_usages) == tokens
    children = (schema.interceptions, schema.user_prompts, schema.tool_usages, schema.model_thoughts)
    assert [words(await rows(filled, table)) for table in children] == [2, 2, 2, 2]


async def test_the_roll_up_stays_right(filled: Store) -> None:
    await erase_records(filled, ADA, "ada")
    assert words(await rows(filled, schema.sessions)) == 2
    assert await roll_up(filled) == await recounted(filled)


async def test_a_name_becomes_the_id(filled: Store) -> None:
    await erase_records(filled, ADA, "ada")
    assert {row["on_behalf_of"] for row in await rows(filled, schema.session_facets)} == {"", ADA}


async def test_hints_of_own_keys_go_those_of_central_ones_stay(filled: Store) -> None:
    await erase_records(filled, ADA, "ada")
    hints = {(row["credential_kind"], row["credential_hint"]) for row in await rows(filled, schema.interceptions)}
    assert hints == {("byok", ""), ("centralized", "sk-a...xyz")}


async def test_it_stops_in_time_and_goes_on_where_it_was(filled: Store) -> None:
    done, whole = Erased(), False
    calls = 0
    while not whole:
        some, whole = await erase_records(filled, ADA, "ada", batch=1, seconds=0)
        done, calls = done + some, calls + 1
    assert (done, calls) == (Erased(5, 5, 5, 5), 6)


async def test_twice_is_once(filled: Store) -> None:
    await erase_records(filled, ADA, "ada")
    assert await erase_records(filled, ADA, "ada") == (Erased(), True)


async def test_what_goes_on_is_left_for_later(filled: Store) -> None:
    it = interception(9, prompt=SAID, initiator_id=EVE)
    await filled.records.commit([begun(it)])
    assert await erase_records(filled, EVE, "eve") == (Erased(1, 1, 1, 1), True)
    assert await running(filled, EVE) == 1
    await filled.records.commit([ended(it)])
    assert await erase_records(filled, EVE, "eve") == (Erased(1, 1), True)
    assert await running(filled, EVE) == 0


async def test_nothing_stays_in_the_file(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/c.db"
    async with open_store(url) as store:
        for minute in range(20):
            await talk(store, ADA, minute, prompt=f"{SAID} {minute} " * 500)
        await erase_records(store, ADA, "ada")
    async with open_store(url) as store, store.engine.connect() as connection:
        await connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    assert SAID.encode() not in (tmp_path / "c.db").read_bytes()


async def test_the_audit_log_forgets_every_name_that_the_person_had(store: Store) -> None:
    told: dict[str, tuple[str, str, str, dict[str, Any]]] = {
        "renamed": ("user", ADA, "ada", {"username": {"old": "lady", "new": "ada", "secret": False}}),
        "token": ("api_key", "k", "laptop of lady", {}),
        "key": ("user_key", "p", "openai", {"user": {"old": None, "new": "ada", "secret": False}}),
        "other": ("api_key", "k", "laptop of canada", {"user": {"old": None, "new": "canada", "secret": False}}),
    }
    async with store.transaction() as db:
        for name, (kind, about, target, diff) in told.items():
            entry = Entry(name, NOON, "write", kind, ADA, about, target, diff, ip="1.2.3.4", user_agent="curl")
            await AuditLog(db).insert(entry)
        await AuditLog(db).forget(ADA, "ada", "nobody")
    found = {row["id"]: row for row in await rows(store, schema.audit_logs)}
    assert {name: row["resource_target"] for name, row in found.items()} == {
        "renamed": "nobody",
        "token": "laptop of nobody",
        "key": "openai",
        "other": "laptop of canada",
    }
    assert found["key"]["diff"] == {"user": {"old": None, "new": "nobody", "secret": False}}
    assert (found["renamed"]["diff"], found["other"]["diff"]) == ({}, told["other"][3])
    assert {(row["ip"], row["user_agent"], row["user_id"]) for row in found.values()} == {("", "", ADA)}
