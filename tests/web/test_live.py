"""What is in flight."""

import asyncio
import json
import re

import aiohttp

from coderai.api.audience import MOST
from tests.web.conftest import Browsing
from tests.web.living import Living
from tests.web.reading import look
from tests.web.slowly import asked_slowly


async def test_what_is_in_flight_is_shown_as_the_api_tells_it(house: Living, browse: Browsing):
    async with asked_slowly(house, "slow-one", "patience-1"):
        async with browse("audrey").get("/api/v2/ai/live") as answer:
            (one,) = [each for each in (await answer.json())["running"] if each["model"] == "patience-1"]
        assert (one["initiator"]["username"], one["provider_name"], one["state"], one["bytes"]) == (
            "mia",
            "slow-one",
            "waiting",
            0,
        )
        page = (await look(browse("audrey"), "/live")).text
        assert "patience-1" in page
        assert "waits for the provider" in page
        row = re.search(r'<td><a href="([^"]+)">Mia</a>(?:(?!</tr>).)*>patience-1<', page, re.DOTALL)
        assert row is not None
        assert (await look(browse("audrey"), row.group(1).replace("&amp;", "&"))).status == 200


async def test_others_see_their_own_only(house: Living, browse: Browsing):
    async with asked_slowly(house, "slow-two", "patience-2"):
        assert "patience-2" in (await look(browse("mia"), "/live")).text
        assert "Nothing is in flight" in (await look(browse("uwe"), "/live")).text


async def test_the_rows_come_by_themselves(house: Living, browse: Browsing):
    async with browse("audrey").get("/live/stream") as stream, asyncio.timeout(10):
        assert stream.headers["Content-Type"] == "text/event-stream; charset=utf-8"
        assert "default-src 'none'" in stream.headers["Content-Security-Policy"]
        async with asked_slowly(house, "slow-three", "patience-3"):
            await until(stream.content, shown=True)
        await until(stream.content, shown=False)


async def until(content: aiohttp.StreamReader, *, shown: bool) -> None:
    """Read on until an event shows it, or does not any more."""
    event = b"" if shown else b"patience-3"
    while (b"patience-3" in event) is not shown:
        event = await content.readuntil(b"\n\n")


async def test_the_stream_of_the_api_tells_the_same(house: Living, browse: Browsing):
    reader = browse("audrey")
    async with reader.get("/api/v2/ai/live", headers={"Accept": "text/event-stream"}) as stream, asyncio.timeout(10):
        assert await stream.content.readline() == b"event: live\n"
        told = json.loads((await stream.content.readline()).removeprefix(b"data: "))
    assert told.keys() == {"count", "count_capped", "running"}


async def test_only_so_many_may_listen(house: Living, browse: Browsing):
    reader, events = browse("audrey"), {"Accept": "text/event-stream"}
    async with asyncio.timeout(30):
        streams = [await reader.get("/api/v2/ai/live", headers=events) for _ in range(MOST)]
        refused = await reader.get("/api/v2/ai/live", headers=events)
        assert (refused.status, "Retry-After" in refused.headers) == (429, True)
        page = await reader.get("/live/stream")
        assert b"too many people are watching" in await page.content.read()
        for each in streams:
            each.close()


async def test_who_only_looks_for_the_head_listens_to_nothing(browse: Browsing):
    async with browse("audrey").head("/live/stream") as answer:
        assert answer.status == 200


async def test_who_is_let_in_no_more_hears_no_more(house: Living, browse: Browsing):
    admin = browse("admin")
    async with admin.post("/api/v2/users/audrey/keys/tokens", json={"token_name": "listening"}) as answer:
        key = (await answer.json())["key"]
    async with browse("").get("/live/stream", headers={"Cookie": f"coder_session_token={key}"}) as stream:
        assert await stream.content.readline() == b"event: live\n"
        async with admin.delete(f"/api/v2/users/audrey/keys/{key.partition('-')[0]}") as answer:
            assert answer.status == 204
        async with asyncio.timeout(10):
            await stream.content.read()
