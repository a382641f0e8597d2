"""The list of sessions."""

import re
from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.web.conftest import Browsing
from tests.web.living import Living
from tests.web.reading import look
from tests.web.recorded import HOSTILE, call, recording, used

LIST = "/aibridge/sessions"
_ROW = re.compile(r'<tr role="row">\s*<td.*?</tr>', re.DOTALL)
_LINK = re.compile(r'<a id="s-[0-9a-f-]+" class="whole-row two-lines" href="([^"]+)">(.*?)</a>', re.DOTALL)


def links(page: str) -> list[tuple[str, str]]:
    """Return address and prompt of every row."""
    return [(address.replace("&amp;", "&"), prompt) for address, prompt in _LINK.findall(page)]


async def test_the_numbers_are_those_of_the_api(house: Living, browse: Browsing):
    async with recording(house) as records:
        for step in (1, 2):
            await records.exchange(used(step), client_session_id="numbers", prompt=f"count {step}", client="Numbers")
    admin = browse("admin")
    async with admin.get("/api/v2/aibridge/sessions", params={"client": "Numbers"}) as answer:
        (said,) = (await answer.json())["sessions"]
    (row,) = _ROW.findall((await look(admin, f"{LIST}?filter=client:Numbers")).text)
    tokens = said["token_usage_summary"]
    assert f"{tokens['input_tokens']:,} in, {tokens['output_tokens']:,} out, " in row
    assert f"{tokens['cache_read_input_tokens']:,} read from cache, {tokens['cache_write_input_tokens']:,} wri" in row
    assert re.search(rf">Threads</span> {said['threads']}</td>", row)
    assert f'datetime="{said["last_active_at"]}"' in row
    assert all(f">{name}<" in row for name in (*said["models"], said["last_prompt"], said["client"]))
    assert "Mia" in row


async def test_the_day_is_shown_and_what_is_older_is_told(house: Living, browse: Browsing):
    async with recording(house) as records:
        await records.exchange(client_session_id="new", client="Older", prompt="young")
        await records.exchange(client_session_id="old", client="Older", prompt="old", ago=timedelta(days=3))
    admin = browse("admin")
    day = (await look(admin, f"{LIST}?filter=client:Older")).text
    assert [prompt for _, prompt in links(day)] == ["young"]
    assert "1 older session outside this range" in day
    assert f'href="{LIST}?filter=client%3AOlder&amp;range=all"' in day
    for longer in ("range=7d", "range=all", "range=custom&from=4d&to=now"):
        shown = (await look(admin, f"{LIST}?filter=client:Older&{longer}")).text
        assert [prompt for _, prompt in links(shown)] == ["young", "old"]
        assert "outside this range" not in shown
    only_old = (await look(admin, f"{LIST}?filter=client:Older&from=4d&to=2d")).text
    assert [prompt for _, prompt in links(only_old)] == ["old"]


async def test_times_of_the_search_take_the_place_of_the_range(house: Living, browse: Browsing):
    async with recording(house) as records:
        await records.exchange(client_session_id="own", client="Own times", ago=timedelta(days=3), prompt="old")
    q = 'client%3A"Own times" started_after%3A"2026-01-01T00:00:00Z"'
    assert [prompt for _, prompt in links((await look(browse("admin"), f"{LIST}?filter={q}")).text)] == ["old"]


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("filter=alice", "has no search key"),
        ("filter=foo:bar", "is no search key here"),
        ("filter=initiator:nobody", "no user that you may see has this name"),
        ("from=tomorrow", "is no time"),
        ("from=1d&to=2d", "must be later than the beginning"),
        ("cursor=x", "must be the next_cursor of a page"),
    ],
)
async def test_what_cannot_be_understood_is_told_and_kept(browse: Browsing, query: str, said: str):
    answer = await look(browse("admin"), f"{LIST}?{query}")
    assert answer.status == 400
    assert said in answer.text
    value = parse_qs(query).get("filter", [""])[0]
    assert f'name="filter" value="{value}"' in answer.text


async def test_a_picker_changes_the_search(browse: Browsing):
    answer = await look(browse("admin"), f"{LIST}?filter=model:x client:Codex&range=7d&set-client=Claude+Code")
    assert answer.status == 303
    assert parse_qs(urlsplit(answer.location).query) == {"filter": ['model:x client:"Claude Code"'], "range": ["7d"]}
    answer = await look(browse("admin"), f"{LIST}?filter=client:Codex&set-client=")
    assert answer.location == LIST


async def test_pickers_offer_what_was_recorded_with_counts(house: Living, browse: Browsing):
    async with recording(house) as records:
        for name in ("one", "two"):
            await records.exchange(client_session_id=name, client="Picked tool", model="picked-model")
    page = (await look(browse("admin"), f"{LIST}?filter=client:Gone")).text
    assert re.search(r'<option value="Picked tool">Picked tool \(2\)', page)
    assert re.search(r'<option value="picked-model">picked-model \(2\)', page)
    assert re.search(r'<option value="mia">Mia \(\d+', page)
    assert '<option value="Gone" selected>Gone</option>' in page
    assert 'name="set-initiator"' not in (await look(browse("mia"), LIST)).text


async def test_pages_follow_each_other_without_gap_or_repetition(house: Living, browse: Browsing):
    async with recording(house) as records:
        for n in range(27):
            await records.exchange(client_session_id=f"page-{n}", client="Paged", prompt=f"p{n}")
    admin = browse("admin")
    first = (await look(admin, f"{LIST}?filter=client:Paged")).text
    following = re.search(r'rel="next" href="([^"]+)"', first)
    assert following
    second = (await look(admin, following[1].replace("&amp;", "&"))).text
    prompts = [prompt for _, prompt in links(first) + links(second)]
    assert sorted(prompts) == sorted(f"p{n}" for n in range(27))
    assert "1–25 of 27 sessions" in first
    assert "26–27 of 27 sessions" in second
    assert 'rel="next"' not in second


async def test_members_see_their_own(house: Living, browse: Browsing):
    async with recording(house) as records:
        await records.exchange(client_session_id="hers", client="Whose", prompt="of mia")
        await records.exchange(client_session_id="his", client="Whose", prompt="of max", who="max")
        await records.exchange(
            client_session_id="for", client="Whose", prompt="for mia", who="max", on_behalf_of=records.ids["mia"]
        )
    pages = {who: (await look(browse(who), f"{LIST}?filter=client:Whose")).text for who in ("mia", "max", "audrey")}
    assert {who: {prompt for _, prompt in links(page)} for who, page in pages.items()} == {
        "mia": {"of mia", "for mia"},
        "max": {"of max", "for mia"},
        "audrey": {"of mia", "of max", "for mia"},
    }
    assert "<h1>My sessions</h1>" in pages["mia"]
    assert "<h1>Sessions</h1>" in pages["audrey"]


async def test_running_sessions_are_looked_at_again_for_a_while(house: Living, browse: Browsing):
    async with recording(house) as records:
        await records.exchange(client_session_id="runs", client="Runs", prompt="go", ending=None, ago=timedelta())
    admin = browse("admin")
    page = (await look(admin, f"{LIST}?filter=client:Runs")).text
    assert "running</span>" in page
    assert f'hx-get="{LIST}?filter=client%3ARuns&amp;polls=120" hx-trigger="every 5s"' in page
    rows = await look(admin, f"{LIST}?filter=client:Runs&polls=2", **{"HX-Request": "true"})
    assert rows.text.lstrip().startswith("<tbody")
    assert "polls=1" in rows.text
    last = await look(admin, f"{LIST}?filter=client:Runs&polls=1", **{"HX-Request": "true"})
    assert "hx-get" not in last.text
    assert "No longer brought up to date" in last.text


async def test_nothing_is_looked_at_again_where_nothing_runs(house: Living, browse: Browsing):
    async with recording(house) as records:
        await records.exchange(client_session_id="done", client="Done")
    assert "hx-trigger" not in (await look(browse("admin"), f"{LIST}?filter=client:Done")).text


async def test_empty_lists_say_why(browse: Browsing):
    admin = browse("admin")
    assert "No session matches" in (await look(admin, f"{LIST}?filter=client:Nothing&range=all")).text
    assert "Set up a tool" in (await look(browse("audrey"), f"{LIST}?filter=initiator:me&range=all")).text


async def test_hostile_names_are_names(house: Living, browse: Browsing):
    async with recording(house) as records:
        facts = call(HOSTILE, HOSTILE), used()
        await records.exchange(*facts, client_session_id="hostile-list", prompt=HOSTILE, model=HOSTILE, client=HOSTILE)
    page = (await look(browse("admin"), f"{LIST}?filter=session_id:hostile-list")).text
    assert "<img src=x" not in page
    assert "<script>" not in page
    assert "\u202e" not in page
    assert "\u200b" not in page
    assert "{{7*7}}" in page
    assert "U+202E" in page


@pytest.mark.parametrize("name", ["..", ".", "a/b c?d%e#\u00fc&x=1", "<b>'\"", "%2e%2e", "export"])
async def test_every_session_can_be_opened_whatever_its_client_called_it(house: Living, browse: Browsing, name: str):
    async with recording(house) as records:
        await records.exchange(client_session_id=name, client="Odd names", prompt=f"odd {len(name)}")
    admin = browse("admin")
    page = (await look(admin, f'{LIST}?filter=client:"Odd names"')).text
    address = next(address for address, prompt in links(page) if prompt == f"odd {len(name)}")
    assert not re.search(r"/\.{1,2}(/|\?|$)", address)
    shown = await look(admin, address)
    assert shown.status == 200
    assert f"odd {len(name)}" in shown.text


async def test_both_prefixes_are_the_same_page(house: Living, browse: Browsing):
    async with recording(house) as records:
        await records.exchange(client_session_id="prefix", client="Prefix")
    page = (await look(browse("admin"), "/ai-gateway/sessions?filter=client:Prefix")).text
    ((address, _),) = links(page)
    assert address.startswith("/ai-gateway/sessions/prefix?")
    assert (await look(browse("admin"), address)).status == 200
