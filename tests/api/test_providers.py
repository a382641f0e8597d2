"""Providers over the API: created, changed, deleted, tested; their secrets never come back."""

import asyncio
import base64
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from coderai.api.app import Services, add_routes
from coderai.control.authority import TokenAuthority
from coderai.control.tokens import Lifetimes
from coderai.control.vault import Vault
from coderai.demo.answers import error_answer
from coderai.demo.provider import ScriptedProvider
from coderai.records import Api as WireApi
from coderai.settings import Settings
from coderai.store.engine import Store
from tests.api.conftest import Api

KEYS = base64.b64encode(bytes(range(32))).decode()
CORP = {
    "type": "anthropic",
    "name": "anthropic-corp",
    "display_name": "Corp",
    "enabled": True,
    "base_url": "https://llm-proxy.internal.example.com/anthropic",
    "api_keys": ["sk-ant-api03-abcdefghijkl"],
}
BEDROCK = {"_type": "bedrock", "_version": 1, "region": "eu-west-1", "access_key": "AKIA", "access_key_secret": "shhh"}


@pytest.fixture
async def keeper(api: Api, store: Store, tmp_path: Path) -> AsyncIterator[Api]:
    """The same people before a server with an encryption key."""
    settings = Settings(access_url="https://ai.example.com")
    app = web.Application()
    services = Services.over(store, settings=settings, lifetimes=Lifetimes(), vault=Vault.load(tmp_path, KEYS))
    add_routes(app, services, authority=TokenAuthority(store))
    async with TestServer(app) as server, aiohttp.ClientSession() as http:
        yield replace(api, url=str(server.make_url("")).rstrip("/"), http=http)


async def test_a_provider_is_shown_with_masks_and_state(keeper: Api):
    made = await keeper.post("ai/providers", CORP)
    assert made.status == 201
    assert {name: made.body[name] for name in CORP if name != "api_keys"} == {
        name: value for name, value in CORP.items() if name != "api_keys"
    }
    assert [key["masked"] for key in made.body["api_keys"]] == ["sk-a...ijkl"]
    assert (made.body["status"], made.body["status_reason"], made.body["source"]) == ("enabled", "", "api")
    assert made.body["settings"] is None
    assert (await keeper.get("ai/providers")).body == [made.body]
    assert (await keeper.get("ai/providers/anthropic-corp")).body == made.body
    assert (await keeper.get(f"ai/providers/{made.body['id']}")).body == made.body


async def test_disabled_is_the_default(keeper: Api):
    made = await keeper.post("ai/providers", {name: value for name, value in CORP.items() if name != "enabled"})
    assert (made.body["enabled"], made.body["status"]) == (False, "disabled")


async def test_every_mistake_comes_back_at_its_field(keeper: Api):
    answer = await keeper.post("ai/providers", {"type": "gemini", "name": "A B", "api_keys": [" k"]})
    assert answer.status == 400
    assert answer.fields == ["type", "name", "base_url", "api_keys[0]"]
    assert (await keeper.get("ai/providers")).body == []


OTHER_SORTS = [
    {},
    {"_type": "vertex", "_version": 1},
    {"_type": "bedrock"},
    {"_type": "bedrock", "_version": 2},
    [],
    "x",
]


async def test_settings_of_another_sort_are_refused(keeper: Api):
    for sent in OTHER_SORTS:
        answer = await keeper.post("ai/providers", {"type": "bedrock", "name": "aws", "settings": sent})
        assert answer.status == 400, sent
        assert answer.fields[0].startswith("settings"), sent


async def test_secret_settings_do_not_come_back_and_stay_until_cleared(keeper: Api):
    made = await keeper.post("ai/providers", {"type": "bedrock", "name": "aws", "enabled": True, "settings": BEDROCK})
    assert made.status == 201
    assert made.body["settings"] == {"_type": "bedrock", "_version": 1, "region": "eu-west-1"}
    sent = {"_type": "bedrock", "_version": 1, "region": "us-east-1", "role_arn": "arn:aws:iam::1:role/r"}
    changed = await keeper.ask("PATCH", "ai/providers/aws", json={"settings": sent})
    assert changed.body["settings"] == sent | {"external_id": changed.body["settings"]["external_id"]}
    assert "shhh" not in made.text + changed.text
    cleared = await keeper.ask("PATCH", "ai/providers/aws", json={"settings": None})
    assert (cleared.status, cleared.fields) == (400, ["settings"])


async def test_a_patch_names_the_keys_that_shall_be_there(keeper: Api):
    [key] = (await keeper.post("ai/providers", CORP)).body["api_keys"]
    patch = {"api_keys": [{"id": key["id"]}, {"api_key": "sk-ant-api03-the-second-one"}]}
    changed = await keeper.ask("PATCH", "ai/providers/anthropic-corp", json=patch)
    assert [each["masked"] for each in changed.body["api_keys"]] == ["sk-a...ijkl", "sk-a...-one"]
    both = {"api_keys": [{"id": key["id"], "api_key": "x"}, {}]}
    refused = await keeper.ask("PATCH", "ai/providers/anthropic-corp", json=both)
    assert (refused.status, refused.fields) == (400, ["api_keys[0]", "api_keys[1]"])
    assert (await keeper.ask("PATCH", "ai/providers/anthropic-corp", json={})).status == 400


async def test_deleting_is_final_and_leaves_no_key(keeper: Api, store: Store):
    await keeper.post("ai/providers", CORP)
    assert (await keeper.ask("DELETE", "ai/providers/anthropic-corp")).status == 204
    assert (await keeper.ask("DELETE", "ai/providers/anthropic-corp")).status == 404
    async with store.reading() as db:
        assert (await db.exec_driver_sql("SELECT count(*) FROM ai_provider_keys")).scalar_one() == 0


@pytest.mark.parametrize("who", ["audrey", "uwe", "mia", "bot"])
async def test_only_owners_are_let_in(keeper: Api, who: str):
    for method, path in (
        ("GET", ""),
        ("POST", ""),
        ("GET", "/x"),
        ("PATCH", "/x"),
        ("DELETE", "/x"),
        ("POST", "/x/test"),
    ):
        body = {"enabled": True} if method == "PATCH" else {}
        assert (await keeper.ask(method, "ai/providers" + path, who, json=body)).status == 403


async def test_a_base_url_that_leads_back_here_is_refused(keeper: Api):
    wrong = CORP | {"base_url": "https://AI.example.com/api/v2/aibridge/anthropic"}
    assert (await keeper.post("ai/providers", wrong)).fields == ["base_url"]


async def test_without_an_encryption_key_no_secret_is_taken(api: Api):
    answer = await api.post("ai/providers", CORP)
    assert answer.status == 409
    assert "no encryption key" in answer.body["message"]
    assert (await api.get("ai/providers")).body == []


async def test_a_test_call_says_what_the_provider_says(keeper: Api):
    replies = [error_answer(WireApi.MESSAGES, 401, "invalid x-api-key sk-ant-api03-abcdefghijkl")]
    async with ScriptedProvider(replies).serving() as url:
        await keeper.post("ai/providers", CORP | {"base_url": url})
        refused = (await keeper.post("ai/providers/anthropic-corp/test", {})).body
        good = (await keeper.post("ai/providers/anthropic-corp/test", {})).body
    gone = (await keeper.post("ai/providers/anthropic-corp/test", {})).body
    assert (refused["ok"], refused["status"]) == (False, 401)
    assert refused["message"] == "status 401: invalid x-api-key sk-a...ijkl"
    assert (good["ok"], good["status"], good["message"]) == (True, 200, "the provider answered")
    assert (gone["ok"], gone["status"]) == (False, None)
    assert "cannot be reached" in gone["message"]


SELF = [
    *(
        "http://0.0.0.0:3000",
        "http://127.1:3000",
        "http://127.0.0.2:3000/x",
        "http://LOCALHOST:3000",
        "http://[::1]:3000",
    ),
    *("http://localhost.:3000", "http://ai.localhost:3000", "http://[::ffff:127.0.0.1]:3000", "http://2130706433:3000"),
    *("https://AI.example.com/anthropic", "https://ai.example.com.:443/api"),
]


async def test_the_gateway_itself_is_recognised_however_it_is_spelled(keeper: Api):
    for url in SELF:
        answer = await keeper.post("ai/providers", {**CORP, "base_url": url})
        assert (answer.status, answer.fields) == (400, ["base_url"]), url


async def test_a_name_that_looks_like_an_id_would_never_be_found(keeper: Api):
    answer = await keeper.post("ai/providers", {**CORP, "name": "0194d3a0-0000-7000-8000-000000000000"})
    assert (answer.status, answer.fields) == (400, ["name"])


async def test_the_log_of_a_provider_names_its_keys_that_came_and_went(keeper: Api):
    old = (
        await keeper.post("ai/providers", {**CORP, "api_keys": ["sk-ant-00000000000-aaaa", "sk-ant-00000000000-bbbb"]})
    ).body
    stays, goes = old["api_keys"]
    wishes = [{"id": stays["id"]}, {"api_key": "sk-ant-00000000000-cccc"}]
    new = (await keeper.ask("PATCH", "ai/providers/anthropic-corp", json={"api_keys": wishes})).body["api_keys"][1]
    [entry] = (await keeper.get("audit", q="resource_type:ai_provider action:write")).body["audit_logs"]
    assert entry["additional_fields"] == {
        "added": [{"id": new["id"], "masked": "sk-a...cccc"}],
        "removed": [{"id": goes["id"], "masked": "sk-a...bbbb"}],
        "kept": 1,
    }


async def test_changes_at_once_lose_nothing(keeper: Api):
    await keeper.post("ai/providers", CORP)
    wanted = [{"display_name": "New"}, {"base_url": "https://other.example.com"}, {"enabled": False}]
    await asyncio.gather(*(keeper.ask("PATCH", "ai/providers/anthropic-corp", json=each) for each in wanted))
    found = (await keeper.get("ai/providers/anthropic-corp")).body
    assert [{name: found[name] for name in each} for each in wanted] == wanted


async def test_key_lists_at_once_leave_the_keys_of_one(keeper: Api):
    await keeper.post("ai/providers", CORP)
    lists = [[{"api_key": f"sk-ant-{who}-{position}-0123456789"} for position in range(4)] for who in "abc"]
    await asyncio.gather(
        *(keeper.ask("PATCH", "ai/providers/anthropic-corp", json={"api_keys": each}) for each in lists)
    )
    assert len((await keeper.get("ai/providers/anthropic-corp")).body["api_keys"]) == 4


@pytest.mark.parametrize("_time", range(4))
async def test_a_change_does_not_bring_back_what_is_deleted_meanwhile(keeper: Api, _time: int):
    await keeper.post("ai/providers", CORP)
    change = {"enabled": True, "api_keys": [{"api_key": "sk-ant-new-0123456789"}]}
    await asyncio.gather(
        keeper.ask("PATCH", "ai/providers/anthropic-corp", json=change),
        keeper.ask("DELETE", "ai/providers/anthropic-corp"),
    )
    assert (await keeper.get("ai/providers")).body == []
