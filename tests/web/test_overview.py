"""The overview: its numbers are the API's."""

import re
from datetime import UTC, datetime

import pytest

from coderai.web.charts import chart
from coderai.web.overview import RANGES
from tests.web.conftest import Browsing
from tests.web.living import PASSWORD, Living
from tests.web.reading import look, send
from tests.web.recorded import HOSTILE, call, recording, used
from tests.web.slowly import asked_slowly

FIGURE = re.compile(r'<div class="figure"(?: title="([\d,]+)">|>([\d,]+))')


def figures(page: str) -> list[int]:
    """The large numbers; of those that are shortened the exact ones."""
    return [int((exact or number).replace(",", "")) for exact, number in FIGURE.findall(page)]


@pytest.mark.parametrize("who", ["admin", "mia"])
@pytest.mark.parametrize("name", RANGES)
async def test_its_numbers_are_those_of_the_api(house: Living, browse: Browsing, who: str, name: str):
    await house.exchange("one", who="mia", X_Claude_Code_Session_Id="overview-1")
    reader, chosen = browse(who), RANGES[name]
    window = {"started_after": chosen.since(datetime.now(UTC)), "interval": chosen.interval}
    async with reader.get("/api/v2/ai/usage/series", params=window) as answer:
        series = await answer.json()
    page = (await look(reader, f"/overview?range={name}")).text
    total = series["total"]
    tokens = sum(total["token_usage_summary"].values())
    people = [total["users"]] if who == "admin" else []
    assert figures(page) == [total["interceptions"], tokens, total["errors"], *people, total["sessions"]]
    assert page.count('class="room"') == (3 + len(people)) * len(series["buckets"])


async def test_the_most_of_each_are_those_of_the_api(house: Living, browse: Browsing):
    await house.exchange("two")
    page = (await look(browse("audrey"), "/overview")).text
    row = re.search(r">claude-opus-4-6</a></th><td class=\"right\">([\d,]+)</td>", page)
    async with browse("audrey").get("/api/v2/ai/usage", params={"by": "model"}) as answer:
        (group,) = [each for each in (await answer.json())["groups"] if each["model"] == "claude-opus-4-6"]
    assert row is not None
    assert int(row.group(1).replace(",", "")) == group["interceptions"]
    assert "filter=initiator%3A%22mia%22" in page


async def test_how_the_providers_do_is_shown_to_whom_it_concerns(house: Living, browse: Browsing):
    await house.exchange("three")
    async with browse("audrey").get("/api/v2/ai/provider-health") as answer:
        providers = {each["name"]: each for each in (await answer.json())["providers"]}
    assert providers["anthropic"]["requests"] > 0
    assert providers["anthropic"]["keys"] == [{"number": 1, "state": "ok", "until": None}]
    assert "key 1: ok" in (await look(browse("audrey"), "/overview")).text
    assert "Providers in the last hour" not in (await look(browse("mia"), "/overview")).text


async def test_hostile_names_are_names(house: Living, browse: Browsing):
    async with recording(house) as records:
        names = {"model": HOSTILE, "client": HOSTILE}
        await records.exchange(used(100_000), *[call(HOSTILE, "{}") for _ in range(300)], **names)
    async with asked_slowly(house, "hostile-now", HOSTILE):
        pages = [(await look(browse("admin"), path)).text for path in ("/overview", "/live")]
    for page in pages:
        assert "&lt;script&gt;alert(2)&lt;/script&gt;" in page
        assert "<script>alert" not in page
        assert "onerror=alert(1)>" not in page
        assert "\u202e" not in page


async def test_who_has_asked_nothing_is_led_on(browse: Browsing):
    newcomer = {"username": "newcomer", "email": "newcomer@example.com", "password": PASSWORD}
    async with browse("admin").post("/api/v2/users", json=newcomer) as made:
        assert made.status == 201
    reader = browse("")
    await send(reader, "/login", email="newcomer", password=PASSWORD)
    page = await look(reader, "/overview?range=nonsense")
    assert page.status == 200
    assert "Nothing was asked in this time" in page.text
    assert 'href="/welcome"' in page.text


def test_what_is_not_nothing_can_be_seen():
    made = chart("Requests", [("a", 0, 0), ("b", 1, 0), ("c", 10_000, 5_000)])
    assert (made.most, [bar.height for bar in made.bars], made.bars[2].lower) == (10_000, [0.0, 1.5, 96.0], 48.0)


def test_without_anything_there_is_no_bar():
    assert [bar.height for bar in chart("Requests", [("a", 0, 0)]).bars] == [0.0]
