"""What changes when there are many: counts that stop, and two ways to find the same."""

import random
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import insert, update

from coderai.store.matching import RecordFilter, driven_keys, find_sessions, walking
from coderai.store.schema import session_facets, sessions
from coderai.store.sessions import SessionPage, Sessions
from tests.api.building import record
from tests.api.conftest import Api
from tests.store.building import NOON

Row = dict[str, Any]
CLIENTS = ("Codex", "Zed", "Unknown")
MODELS = ("m1", "m2", "m3", "m4")


def rolled_up(number: int, chance: random.Random, users: list[str]) -> tuple[Row, list[Row]]:
    """A session and its facets, made up."""
    key = {"session_id": f"s{number:05}", "initiator_id": chance.choice(users)}
    client = chance.choice(CLIENTS)
    facets = []
    for model in chance.sample(MODELS, chance.randint(1, 2)):
        first = NOON + timedelta(minutes=chance.randrange(1000))
        times = {"first_at": first, "last_at": first + timedelta(minutes=chance.randrange(60))}
        names = {"provider": "openai", "provider_name": "azure", "model": model, "client": client, "on_behalf_of": ""}
        facets.append({**key, **names, **times, "n": 1})
    begin = min(facet["first_at"] for facet in facets)
    end = max(facet["last_at"] for facet in facets)
    session = {"id": key["session_id"], "initiator_id": key["initiator_id"], "started_at": begin, "first_id": "x"}
    return {**session, "client": client, "ended_at": end, "last_active_at": begin, "interceptions": 1}, facets


async def fill(api: Api, count: int) -> tuple[list[Row], list[Row]]:
    """Put *count* sessions into the roll-up, without the interceptions below."""
    chance, users = random.Random(7), [api.ids[name] for name in ("mia", "max", "bot")]
    made = [rolled_up(number, chance, users) for number in range(count)]
    facets = [facet for _, group in made for facet in group]
    async with api.store.transaction() as db:
        await db.execute(insert(sessions), [session for session, _ in made])
        await db.execute(insert(session_facets), facets)
    return [session for session, _ in made], facets


async def test_counts_stop_at_ten_thousand(api: Api) -> None:
    made, facets = await fill(api, 10_050)
    for parameters in ({}, {"provider": "openai"}, {"provider": "openai", "provider_name": "azure"}):
        body = (await api.get("aibridge/sessions", limit="3", **parameters)).body
        assert (body["count"], body["count_capped"]) == (10_000, True)
        latest = sorted(made, key=lambda row: (row["last_active_at"], row["id"]), reverse=True)[:3]
        assert [each["id"] for each in body["sessions"]] == [row["id"] for row in latest]
    few = (await api.get("aibridge/sessions", model="m1", limit="1")).body
    assert few["count_capped"] is False
    # Nobody uses the provider any more; one of its sessions goes on with another.
    lasting = await go_over(api, made[0], facets[0])
    body = (await api.get("aibridge/sessions", limit="3", provider="openai")).body
    assert [each["id"] for each in body["sessions"]] == [
        lasting,
        *[row["id"] for row in latest if row is not made[0]][:2],
    ]


async def go_over(api: Api, session: Row, facet: Row) -> str:
    """Have all the newest activity at another provider: in new sessions and in *session*, whose id it returns."""
    later = NOON + timedelta(days=2)
    other = {**facet, "provider": "anthropic", "first_at": later, "last_at": later}
    new = [{**session, "id": f"t{number}", "started_at": later, "last_active_at": later} for number in range(5)]
    async with api.store.transaction() as db:
        await db.execute(insert(sessions), new)
        await db.execute(insert(session_facets), [other, *({**other, "session_id": row["id"]} for row in new)])
        lasts = sessions.c.id == session["id"]
        await db.execute(update(sessions).where(lasts).values(last_active_at=later, ended_at=later))
    return str(session["id"])


def matches(facet: Row, wanted: RecordFilter) -> bool:
    """The rule in the plainest words."""
    return (
        all(getattr(wanted, name) in ("", facet[name]) for name in ("provider", "model", "client", "initiator_id"))
        and (wanted.started_after is None or facet["last_at"] >= wanted.started_after)
        and (wanted.started_before is None or facet["first_at"] <= wanted.started_before)
    )


def some_filter(chance: random.Random, users: list[str]) -> RecordFilter:
    moments: list[datetime | None] = [None, None, *(NOON + timedelta(minutes=chance.randrange(1000)) for _ in range(2))]
    after, before = chance.choice(moments), chance.choice(moments)
    return RecordFilter(
        initiator_id=chance.choice(["", "", *users]),
        provider=chance.choice(["", "openai", "anthropic"]),
        model=chance.choice(["", "", *MODELS]),
        client=chance.choice(["", "", *CLIENTS]),
        started_after=after,
        started_before=before,
    )


async def test_walking_and_driving_find_what_the_rule_says(api: Api) -> None:
    made, facets = await fill(api, 300)
    chance = random.Random(11)
    places = {(row["id"], row["initiator_id"]): (row["last_active_at"], row["id"], row["initiator_id"]) for row in made}
    async with api.store.reading(limit=None) as db:  # all sixty may take longer than one request is allowed to
        for _ in range(60):
            wanted = some_filter(chance, list(api.ids.values()))
            expected = {(facet["session_id"], facet["initiator_id"]) for facet in facets if matches(facet, wanted)}
            driven = {(row[0], row[1]) for row in await db.execute(await driven_keys(db, wanted))}
            walked = {(row[0], row[1]) for row in await db.execute(_walk(wanted))}
            assert driven == walked == expected
            page, count = await Sessions(db).list(wanted, SessionPage(limit=20))
            in_order = sorted(expected, key=places.__getitem__, reverse=True)
            assert [(each.id, each.initiator.id) for each in page] == in_order[:20]
            assert count.value == (await find_sessions(db, wanted)).count.value == len(expected)


def _walk(wanted: RecordFilter) -> Any:
    return sessions.select().with_only_columns(sessions.c.id, sessions.c.initiator_id).where(*walking(wanted))


async def test_interceptions_that_are_too_many_to_count_are_still_found(api: Api) -> None:
    """One facet says that it stands for many, so that the list walks instead of fetching all."""
    made = [await record(api.store, api.ids["mia"], minute, client="Codex") for minute in range(3)]
    await record(api.store, api.ids["mia"], 9, client="Zed")
    async with api.store.transaction() as db:
        await db.execute(update(session_facets).values(n=4_000))
    body = (await api.get("aibridge/interceptions", client="Codex")).body
    assert (body["count"], body["count_capped"]) == (10_000, True)
    assert [each["id"] for each in body["results"]] == [it.id for it in reversed(made)]
