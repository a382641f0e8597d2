"""Sessions as files."""

import json
from contextlib import AbstractAsyncContextManager
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from coderai.access.callers import Origin
from coderai.api.doors import CookieRules
from coderai.cli.export import SESSIONS
from coderai.records import Ending, Thought
from coderai.web.app import House, add_pages
from coderai.web.calls import Query, Reply, Sender, Streamed
from coderai.web.exports import COLUMNS
from coderai.web.markdown import thread_lines
from tests.web.conftest import Browsing
from tests.web.living import Living
from tests.web.reading import look
from tests.web.recorded import call, recording, used

ONE = "/aibridge/sessions/{}/export"
LIST = "/aibridge/sessions-export"
WORDS = {"prompts": "canary-prompt", "thinking": "canary-thought", "arguments": "canary-argument"}


async def spoken(house: Living, session: str) -> None:
    """A session of two steps that holds all of the words."""
    async with recording(house) as records:
        said = (Thought(WORDS["thinking"]), call("Read", f'{{"x":"{WORDS["arguments"]}"}}', f"{session}-1"), used())
        await records.exchange(*said, client_session_id=session, client=f"To {session}", prompt=WORDS["prompts"])
        again = {"prompt": WORDS["prompts"], "tool_result_id": f"{session}-1"}
        await records.exchange(client_session_id=session, ending=Ending.UPSTREAM_ERROR, **again)


async def test_a_session_as_json_is_what_the_api_says(house: Living, browse: Browsing):
    await spoken(house, "as-json")
    admin = browse("admin")
    async with admin.get("/api/v2/aibridge/sessions/as-json", params={"include_running": "true"}) as answer:
        said = await answer.json()
    page = await look(admin, ONE.format("as-json"))
    assert page.headers["Content-Disposition"] == 'attachment; filename="as-json.json"'
    file = json.loads(page.text)
    assert file.pop("left_out") == []
    assert file == {name: value for name, value in said.items() if not name.startswith("page_")}


@pytest.mark.parametrize("form", ["json", "markdown"])
@pytest.mark.parametrize("out", ["prompts", "thinking", "arguments"])
async def test_what_is_left_out_is_gone_and_the_rest_is_there(house: Living, browse: Browsing, form: str, out: str):
    await spoken(house, f"{form}-{out}")
    file = (await look(browse("admin"), f"{ONE.format(f'{form}-{out}')}?format={form}&leave_out={out}")).text
    assert {name: word in file for name, word in WORDS.items()} == {name: name != out for name in WORDS}
    assert "later" not in file  # an error may repeat anything
    assert "overloaded" in file


async def test_all_threads_are_in_the_file(house: Living, browse: Browsing):
    async with recording(house) as records:
        for n in range(201):
            await records.exchange(client_session_id="two hundred", prompt=f"p{n}")
    file = (await look(browse("admin"), ONE.format("two hundred"))).text
    assert sorted(thread["prompt"] for thread in json.loads(file)["threads"]) == sorted(f"p{n}" for n in range(201))


async def test_members_take_home_their_own_only(house: Living, browse: Browsing):
    async with recording(house) as records:
        await records.exchange(client_session_id="private", client="Private", who="max", prompt="=secret")
    assert (await look(browse("mia"), ONE.format("private"))).status == 404
    listed = (await look(browse("mia"), f"{LIST}?format=jsonl&filter=client:Private")).text
    assert listed == ""


async def test_a_list_is_for_spreadsheets_and_for_programs(house: Living, browse: Browsing):
    async with recording(house) as records:
        mine = {"client": "Listed", "model": "@SUM(1)"}
        await records.exchange(used(), client_session_id="=1+1", prompt='=HYPERLINK("http://x")', **mine)
        await records.exchange(client_session_id="plain", prompt="plain\nwords", **mine)
    admin = browse("admin")
    table = await look(admin, f"{LIST}?format=csv&filter=client:Listed")
    assert table.headers["Content-Disposition"] == 'attachment; filename="sessions.csv"'
    assert table.text.startswith(",".join(COLUMNS))
    assert "\n'=1+1,mia," in table.text
    assert ""","'=HYPERLINK(""http://x"")"\r\n""" in table.text
    assert ",'@SUM(1)," in table.text
    lines = [
        json.loads(line) for line in (await look(admin, f"{LIST}?format=jsonl&filter=client:Listed")).text.splitlines()
    ]
    async with admin.get("/api/v2/aibridge/sessions", params={"client": "Listed"}) as answer:
        assert lines == (await answer.json())["sessions"]
    bare = (await look(admin, f"{LIST}?format=csv&filter=client:Listed&leave_out=prompts")).text
    assert "HYPERLINK" not in bare
    assert "'=1+1" in bare


def test_a_table_has_the_columns_of_the_command():
    assert SESSIONS.heads == COLUMNS


@pytest.mark.parametrize("query", ["format=xml", "leave_out=all", "filter=alice", "from=x"])
async def test_what_cannot_be_exported_is_told(browse: Browsing, query: str):
    answer = await look(browse("admin"), f"{LIST}?{query}")
    assert answer.status == 400
    assert "This cannot be done" in answer.text


def test_text_closes_no_fence_and_no_span():
    text = "```\n````\n# no heading\n<script>"
    step = {
        "interception_id": "i`i",
        "model": "m``m\n# x",
        "provider": "p",
        "provider_name": "",
        "metadata": {},
        "started_at": "2026-11-21T12:00:00Z",
        "ended_at": "2026-11-21T12:00:01Z",
        "thinking": [],
        "prompt": text,
        "credential_kind": "byok",
        "credential_hint": "",
        "tool_calls": [{"tool": "t", "input": text}],
        "token_usage": dict.fromkeys(
            ("input_tokens", "output_tokens", "cache_read_input_tokens", "cache_write_input_tokens"), 0
        ),
    }
    thread = {"id": "i`i", "started_at": step["started_at"], "model": step["model"], "prompt": text, "steps": [step]}
    lines = "\n".join(thread_lines(thread, 1))
    assert lines.count("`````text\n" + text + "\n`````") == 2
    assert "``` m``m # x ```" in lines


class HalfAnApi:
    """Knows the reader, has one page of sessions, and refuses the next."""

    async def call(self, sender: Sender, method: str, path: str, query: Query, document: Any) -> Reply:
        if path.endswith("/users/me"):
            me = {"id": "1", "username": "mia", "name": "", "email": "", "roles": []}
            return Reply(200, json.dumps(me).encode())
        if "cursor" in query:
            return Reply(429, b'{"message": "too many requests"}')
        return Reply(200, b'{"sessions": [{"id": "first"}], "next_cursor": "x"}')

    def stream(self, sender: Sender, path: str, query: Query) -> AbstractAsyncContextManager[Streamed]:
        raise NotImplementedError


async def test_half_a_file_does_not_look_whole():
    app = web.Application()
    add_pages(app, House(HalfAnApi(), CookieRules(), lambda request: Origin()))
    cookies = {"coder_session_token": "x"}
    async with (
        TestServer(app) as server,
        aiohttp.ClientSession(cookies=cookies) as reader,
        reader.get(server.make_url(f"{LIST}?format=jsonl&range=all")) as answer,
    ):
        assert answer.status == 200
        with pytest.raises(aiohttp.ClientError):
            await answer.read()
