"""One session, and one request of it."""

import re
from datetime import timedelta
from html import unescape

import pytest

from coderai.records import Ending, Thought
from tests.web.conftest import Browsing
from tests.web.living import Living
from tests.web.reading import Shown, look
from tests.web.recorded import HOSTILE, Recorder, call, recording, used

PAGE = "/aibridge/sessions/"


async def conversation(records: Recorder, session: str) -> list[str]:
    """A loop of two steps with a thought and a tool, a sub-agent, and a request that failed; their ids."""
    mine = {"client_session_id": session, "credential_hint": "sk-a...ijkl", "user_agent": "claude-cli/2.1"}
    sub = {"request_class": "subagent", "agent_id": "8c1f2a77-0001", "agent_type": "Explore"}
    arguments = '{"path":"a.py","lines":[1,2]}'
    steps = [
        await records.exchange(
            Thought("I should look first"), call("Read", arguments, f"{session}-1"), used(), prompt="Mend it", **mine
        ),
        await records.exchange(used(), tool_result_id=f"{session}-1", ago=timedelta(minutes=59), **mine),
        await records.exchange(used(2), prompt="Look around", metadata=sub, ago=timedelta(minutes=58), **mine),
        await records.exchange(prompt="Thanks", ago=timedelta(minutes=57), ending=Ending.UPSTREAM_ERROR, **mine),
    ]
    return [step.id for step in steps]


def facts(page: Shown) -> dict[str, str]:
    """Return what the summary says."""
    summary = page.text.split('<aside id="summary"')[1].split("</aside>")[0]
    pairs = re.findall(r"<dt[^>]*>(.*?)</dt><dd[^>]*>(.*?)</dd>", summary, re.DOTALL)
    return {name: unescape(re.sub(r"<[^>]+>", "", value)).strip() for name, value in pairs}


async def test_the_numbers_are_those_of_the_api(house: Living, browse: Browsing):
    async with recording(house) as records:
        await conversation(records, "same")
    admin = browse("admin")
    async with admin.get("/api/v2/aibridge/sessions/same") as answer:
        said = await answer.json()
    told = facts(await look(admin, PAGE + "same"))
    usage = said["token_usage_summary"]
    assert {name: told[name] for name in told if name in NUMBERS} == {
        "Threads": str(said["thread_count"]),
        "Requests": str(said["interception_count"]),
        "Tool calls": str(said["tool_call_count"]),
        "Tokens in": f"{usage['input_tokens']:,}",
        "Tokens out": f"{usage['output_tokens']:,}",
        "Cache read": f"{usage['cache_read_input_tokens']:,}",
        "Cache write": f"{usage['cache_write_input_tokens']:,}",
    }
    assert (said["thread_count"], said["interception_count"], said["tool_call_count"]) == (3, 4, 1)


NUMBERS = ("Threads", "Requests", "Tool calls", "Tokens in", "Tokens out", "Cache read", "Cache write")


async def test_every_step_tells_what_happened(house: Living, browse: Browsing):
    async with recording(house) as records:
        ids = await conversation(records, "told")
    page = (await look(browse("admin"), PAGE + "told")).text
    assert [page.count(f'id="s-{each}"') for each in ids] == [1] * 4
    for words in (
        *("Mend it", "I should look first", ">Read<", "Thanks", "central key sk-a...ijkl", "claude-cli/2.1"),
        *("first byte 1.0 s, took 4.0 s", "messages, streamed", "after 1.0 s", "status 200", "anthropic"),
        *("error of the provider", "overloaded", "(status 529)", "try &lt;b&gt;later&lt;/b&gt;"),
        "1 step did not end well",
        "The next request came 56.0 s after this answer",
    ):
        assert words in page
    assert "{\n  &#34;path&#34;: &#34;a.py&#34;,\n  &#34;lines&#34;: [\n    1,\n    2\n  ]\n}" in page


async def test_sub_agents_have_a_lane_of_their_own(house: Living, browse: Browsing):
    async with recording(house) as records:
        ids = await conversation(records, "lanes")
    page = (await look(browse("admin"), PAGE + "lanes")).text
    lanes = dict(re.findall(r'<article class="card thread (lane-\d(?: sub)?)" id="t-([0-9a-f-]+)"', page))
    assert lanes == {"lane-0": ids[3], "lane-1 sub": ids[2]} | {"lane-0": lanes["lane-0"]}
    assert "sub-agent Explore 8c1f2a77…" in page
    assert "Written by the main agent, not by a person" in page


@pytest.mark.parametrize(
    ("ending", "ago", "state"),
    [
        (Ending.COMPLETE, timedelta(hours=2), "Ended"),
        (Ending.COMPLETE, timedelta(minutes=5), "Idle"),
        (Ending.CLIENT_LEFT, timedelta(minutes=5), "Interrupted"),
        (None, timedelta(), "Running (1)"),
    ],
)
async def test_running_idle_ended_and_interrupted_are_told_apart(
    house: Living, browse: Browsing, ending: Ending | None, ago: timedelta, state: str
):
    async with recording(house) as records:
        await records.exchange(client_session_id=f"state {state}", ending=ending, ago=ago)
    page = (await look(browse("admin"), f"{PAGE}state {state}")).text
    assert re.search(rf'<span class="badge [a-z]*" title="[^"]+">{re.escape(state)}</span>', page)
    assert ('hx-trigger="every' in page) == (state in ("Idle", "Running (1)"))


async def test_what_runs_is_looked_at_again_from_where_it_began(house: Living, browse: Browsing):
    async with recording(house) as records:
        done = await records.exchange(client_session_id="live", prompt="first")
        await records.exchange(client_session_id="live", prompt="second", ending=None, ago=timedelta())
        admin = browse("admin")
        page = (await look(admin, PAGE + "live")).text
        again = unescape(re.search(r'<div id="tail" hx-get="([^"]+)" hx-trigger="every 5s"', page).group(1))
        assert f"after={done.id}" in again
        assert "polls=120" in again
        await records.exchange(client_session_id="live", prompt="third", ago=timedelta())
        part = (await look(admin, again, **{"HX-Request": "true"})).text
    assert part.lstrip().startswith('<div id="tail"')
    assert [f">{prompt}<" in part for prompt in ("first", "second", "third")] == [False, True, True]
    assert "Thread 3" in part
    assert 'id="summary"' in part
    assert 'hx-swap-oob="true"' in part
    assert "polls=119" in part
    last = (await look(admin, again.replace("polls=120", "polls=1"), **{"HX-Request": "true"})).text
    assert "hx-get" not in last
    assert "no longer looked at by itself" in last


async def test_a_session_is_searched_as_a_whole(house: Living, browse: Browsing):
    async with recording(house) as records:
        ids = await conversation(records, "searched")
    admin = browse("admin")
    found = (await look(admin, PAGE + "searched?search=LOOK")).text
    assert "2 threads, 2 steps with" in found
    assert "<mark>look</mark> first" in found
    assert "<mark>Look</mark> around" in found
    assert [f'id="s-{each}"' in found for each in ids] == [True, False, True, False]
    assert f'<details class="loop" id="l-{ids[0]}" open>' in found
    assert f'<details class="loop" id="l-{ids[2]}">' in found  # found in its prompt, which is seen anyway
    assert "Show the 1 other step<" in found
    nothing = (await look(admin, PAGE + "searched?search=<nothing>")).text
    assert "Nothing in this session holds" in nothing
    assert "&lt;nothing&gt;" in nothing


async def test_threads_come_in_pages(house: Living, browse: Browsing):
    async with recording(house) as records:
        for n in range(22):
            await records.exchange(client_session_id="many", prompt=f"p{n}.", ago=timedelta(minutes=60 - n))
    admin = browse("admin")
    first = (await look(admin, PAGE + "many")).text
    assert re.findall(r">(p\d+\.)<", first) == [f"p{n}." for n in range(20)]
    assert "Session ended" not in first
    second = (await look(admin, unescape(re.search(r'rel="next" href="([^"]+)"', first).group(1)))).text
    assert re.findall(r">(p\d+\.)<", second) == ["p20.", "p21."]
    assert ["Thread 21" in second, "Thread 22" in second, "Session ended" in second] == [True] * 3
    back = (await look(admin, unescape(re.search(r'rel="prev" href="([^"]+)"', second).group(1)))).text
    assert re.findall(r">(p\d+\.)<", back) == [f"p{n}." for n in range(20)]


async def test_a_long_loop_is_shown_as_a_whole_on_request(house: Living, browse: Browsing):
    async with recording(house) as records:
        for n in range(22):
            follows = {"tool_result_id": f"loop-{n - 1}"} if n else {"prompt": "long"}
            ago = timedelta(minutes=60 - n)
            await records.exchange(call("Bash", "{}", f"loop-{n}"), client_session_id="loop", ago=ago, **follows)
    admin = browse("admin")
    page = (await look(admin, PAGE + "loop")).text
    assert page.count("<li id=") == 20
    assert "22 steps, 22 tool calls" in page
    thread = unescape(re.search(r'href="([^"]+)" hx-get=[^>]+>Show the 2 other steps', page).group(1))
    assert (await look(admin, thread)).text.count("<li id=") == 22


async def test_a_request_has_a_page_of_its_own_with_all_of_it(house: Living, browse: Browsing):
    text = "long " * 5_000
    async with recording(house) as records:
        it = await records.exchange(
            Thought("think " * 3_000), call("Write", '{"x":"' + "y" * 30_000), client_session_id="whole", prompt=text
        )
    admin = browse("admin")
    session = (await look(admin, PAGE + "whole")).text
    assert text not in session
    assert f'href="/aibridge/interceptions/{it.id}"' in session
    page = (await look(admin, f"/aibridge/interceptions/{it.id}")).text
    assert all(whole in page for whole in (text, "think " * 3_000, "y" * 30_000))
    assert (await look(admin, unescape(re.search(r'href="([^"]+)">‹ Its session', page).group(1)))).status == 200


async def test_members_open_their_own_only(house: Living, browse: Browsing):
    async with recording(house) as records:
        it = await records.exchange(client_session_id="not hers", who="max", prompt="private")
    for path in (PAGE + "not hers", PAGE + it.id, f"/aibridge/interceptions/{it.id}", PAGE + "nothing"):
        refused = await look(browse("mia"), path)
        assert refused.status == 404
        assert "private" not in refused.text
        assert "There is no such thing" in refused.text
    assert (await look(browse("max"), PAGE + "not hers")).status == 200


async def test_hostile_contents_are_contents(house: Living, browse: Browsing):
    deep = "[" * 5_000
    async with recording(house) as records:
        it = await records.exchange(
            *(Thought(HOSTILE), call(HOSTILE, HOSTILE), call("deep", deep), call("broken", '{"a":'), used()),
            client_session_id="hostile",
            prompt=HOSTILE * 3,
            model=HOSTILE,
            client=HOSTILE,
            user_agent=HOSTILE,
            metadata={HOSTILE: HOSTILE, "agent_id": HOSTILE, "agent_name": HOSTILE, "request_class": "subagent"},
            ending=Ending.UPSTREAM_ERROR,
        )
    admin = browse("admin")
    paths = (f"{PAGE}hostile", f"{PAGE}hostile?search=<script>", f"{PAGE}hostile?thread={it.id}")
    for path in (*paths, f"/aibridge/interceptions/{it.id}"):
        page = await look(admin, path)
        assert page.status == 200
        for harm in ("<img src=x", "<script>", "</textarea>", "\u202e", "\u200b", "\ufeff"):
            assert harm not in page.text
        assert "U+202E" in page.text
        assert "{{7*7}}" in page.text
    assert deep in page.text
