"""Whether the roll-up is what the rows say."""

import pytest
from sqlalchemy import delete, insert, update
from sqlalchemy.sql.dml import UpdateBase

from coderai.store import schema
from coderai.store.checking import check, repair
from coderai.store.engine import Store
from coderai.store.hours import settle
from tests.store.building import NOON, begun, call, ended, interception, thought, usage
from tests.store.looking import recounted, roll_up


@pytest.fixture
async def filled(store: Store) -> Store:
    """Session ``a`` has two exchanges, ``b`` one without tokens, and one still runs."""
    for session, minute, facts in (
        ("a", 0, (usage(), usage(2))),
        ("a", 1, (usage(), call("c"), thought())),
        ("b", 2, ()),
    ):
        it = interception(minute, prompt="hello", client_session_id=session, on_behalf_of=session * minute or None)
        await store.records.commit([begun(it), ended(it, *facts)])
    await store.records.commit([begun(interception(3, prompt="still running"))])
    return store


async def test_what_was_recorded_is_well(filled: Store) -> None:
    found = await check(filled)
    assert found.well, found
    assert (found.interceptions, found.sessions, found.running) == (4, 2, 1)


GHOST = {"session_id": "ghost", "initiator_id": "u", "provider": "", "provider_name": "", "model": "", "client": ""}
SPOILT: dict[str, tuple[UpdateBase, list[str]]] = {
    "tokens": (update(schema.sessions).where(schema.sessions.c.id == "a").values(input_tokens=99), ["a"]),
    "threads": (update(schema.sessions).values(threads=9), ["a", "b"]),
    "times": (update(schema.sessions).where(schema.sessions.c.id == "b").values(started_at=NOON), ["b"]),
    "missing": (delete(schema.sessions).where(schema.sessions.c.id == "b"), ["b"]),
    "facets": (update(schema.session_facets).values(n=7), ["a", "b"]),
    "ghost": (
        insert(schema.session_facets).values(**GHOST, on_behalf_of="", first_at=NOON, last_at=NOON, n=1),
        ["ghost"],
    ),
}


@pytest.mark.parametrize("kind", SPOILT)
async def test_what_is_wrong_is_found_and_repaired(filled: Store, kind: str) -> None:
    spoil, sessions = SPOILT[kind]
    async with filled.transaction() as db:
        await db.execute(spoil)
    found = await check(filled)
    assert sorted(key[0] for key in found.wrong_sessions) == sessions
    await repair(filled, found)
    assert (await check(filled)).well
    assert await roll_up(filled) == await recounted(filled)


async def test_rows_without_their_exchange_are_found_and_deleted(filled: Store) -> None:
    async with filled.transaction() as db:
        await db.execute(delete(schema.interceptions).where(schema.interceptions.c.session_id == "b"))
    found = await check(filled)
    assert (found.strays, [key[0] for key in found.wrong_sessions]) == (1, ["b"])
    await repair(filled, found)
    assert (await check(filled)).well


async def test_wrong_hours_are_found_and_made_anew(filled: Store) -> None:
    await settle(filled)
    assert (await check(filled)).well
    async with filled.transaction() as db:
        await db.execute(update(schema.usage_hours).values(n=7))
    found = await check(filled)
    assert found.wrong_hours == (NOON,)
    await repair(filled, found)
    await settle(filled)
    assert (await check(filled)).well
