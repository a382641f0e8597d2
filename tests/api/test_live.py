"""What is in flight, and how long a stream of it lasts."""

import asyncio
import json
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from coderai.api.app import Services, add_routes
from coderai.api.audience import Audience
from coderai.control.first_start import first_start
from coderai.control.tokens import Lifetimes
from coderai.errors import Busy
from coderai.settings import Settings
from coderai.store.engine import Store
from tests.api.building import record, start
from tests.api.conftest import Api

EVENTS = {"Accept": "text/event-stream"}


async def test_only_what_runs_is_told_latest_first(api: Api) -> None:
    await record(api.store, api.ids["mia"], 0)
    first = await start(api.store, api.ids["mia"], 1)
    second = await start(api.store, api.ids["bot"], 2, on_behalf_of=api.ids["max"], provider_name="corp")
    body = (await api.get("ai/live", "audrey")).body
    assert (body["count"], body["count_capped"]) == (2, False)
    assert [each["id"] for each in body["running"]] == [second.id, first.id]
    one = body["running"][0]
    assert (one["initiator"]["username"], one["on_behalf_of"]["username"]) == ("bot", "max")
    assert (one["provider_name"], one["model"], one["bytes"]) == ("corp", second.model, None)


@pytest.mark.parametrize(("who", "count"), [("mia", 1), ("max", 1), ("bot", 1), ("uwe", 0)])
async def test_others_are_told_of_their_own_only(api: Api, who: str, count: int) -> None:
    await start(api.store, api.ids["mia"], 1)
    await start(api.store, api.ids["bot"], 2, on_behalf_of=api.ids["max"])
    assert (await api.get("ai/live", who)).body["count"] == count


async def test_a_server_that_leaves_sends_its_listeners_home(store: Store, tmp_path: Path) -> None:
    await first_start(store, tmp_path)
    app = web.Application()
    services = Services.over(store, settings=Settings(), lifetimes=Lifetimes())
    add_routes(app, services, private=True)
    async with aiohttp.ClientSession() as http, TestServer(app) as server, asyncio.timeout(5):
        stream = await http.get(server.make_url("/api/v2/ai/live"), headers=EVENTS)
        assert await stream.content.readline() == b"event: live\n"
        assert json.loads((await stream.content.readline()).removeprefix(b"data: "))["running"] == []
        await server.close()
        assert await stream.content.read() == b"\n"


async def test_a_token_that_is_taken_away_ends_its_stream(api: Api) -> None:
    made = (await api.post("users/me/keys/tokens", {"token_name": "watching"})).body["key"]
    headers = {**EVENTS, "Coder-Session-Token": made}
    async with asyncio.timeout(5), api.http.get(f"{api.url}/api/v2/ai/live", headers=headers) as stream:
        await stream.content.readuntil(b"\n\n")
        await api.ask("DELETE", f"users/me/keys/{made.partition('-')[0]}")
        assert await stream.content.read() == b""


def test_only_so_many_are_admitted() -> None:
    audience = Audience(1)
    with audience.listening(), pytest.raises(Busy) as refused:
        audience.admit()
    assert refused.value.status == 429
    audience.admit()
    audience.dismiss()
    with pytest.raises(Busy, match="stopping"):
        audience.admit()
