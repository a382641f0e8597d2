"""Personal keys over the API: they go in, and only whether there is one comes out."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from sqlalchemy import func, select

from coderai.api.app import Services, add_routes
from coderai.control.authority import TokenAuthority
from coderai.control.tokens import Lifetimes
from coderai.control.vault import Vault
from coderai.settings import Settings
from coderai.store.engine import Store
from coderai.store.schema import user_ai_provider_keys
from tests.api.conftest import Api
from tests.api.test_providers import CORP, KEYS

KEY = "sk-personal-0123456789abcdef"
MINE = "users/me/ai-provider-keys"
OLDER = "/api/experimental/chats/user-provider-configs"


@pytest.fixture
def allow_byok() -> bool:
    return True


@pytest.fixture
async def keeper(api: Api, store: Store, tmp_path: Path, allow_byok: bool) -> AsyncIterator[Api]:
    """The same people before a server with an encryption key, and one provider."""
    settings = Settings(aibridge_allow_byok=allow_byok)
    app = web.Application()
    services = Services.over(store, settings=settings, lifetimes=Lifetimes(), vault=Vault.load(tmp_path, KEYS))
    add_routes(app, services, authority=TokenAuthority(store))
    async with TestServer(app) as server, aiohttp.ClientSession() as http:
        keeper = replace(api, url=str(server.make_url("")).rstrip("/"), http=http)
        assert (await keeper.post("ai/providers", CORP)).status == 201
        yield keeper


async def put(keeper: Api, path: str, key: object = KEY, who: str = "mia"):
    return await keeper.ask("PUT", path, who, json={"api_key": key})


async def test_a_key_is_saved_shown_as_there_and_removed(keeper: Api):
    provider = (await keeper.get("ai/providers/anthropic-corp")).body
    before = await keeper.get(MINE, "mia")
    saved = await put(keeper, f"{MINE}/anthropic-corp", f"  {KEY} ")
    after = await keeper.get(MINE, "mia")
    expected = {
        "provider": {
            "id": provider["id"],
            "type": "anthropic",
            "name": "anthropic-corp",
            "display_name": "Corp",
            "icon": "",
            "enabled": True,
            "deleted": False,
        },
        "has_user_api_key": True,
        "has_provider_api_key": True,
        "byok_enabled": True,
    }
    assert (saved.status, saved.body) == (200, expected)
    assert before.body == [expected | {"has_user_api_key": False}]
    assert after.body == [expected]
    by_id = f"{MINE}/{provider['id']}"
    assert [(await keeper.ask("DELETE", by_id, "mia")).status for _ in range(2)] == [204, 404]
    assert (await keeper.get(MINE, "mia")).body == before.body


async def test_the_older_paths_say_the_same(keeper: Api):
    saved = await put(keeper, f"{OLDER}/anthropic-corp")
    assert saved.body == {
        "provider_id": saved.body["provider_id"],
        "provider": "anthropic",
        "display_name": "Corp",
        "icon": "",
        "enabled": True,
        "has_user_api_key": True,
        "has_central_api_key_fallback": True,
        "byok_enabled": True,
    }
    assert (await keeper.get(OLDER, "mia")).body == [saved.body]
    assert (await keeper.get(MINE, "mia")).body[0]["has_user_api_key"]
    assert (await keeper.ask("DELETE", f"{OLDER}/{saved.body['provider_id']}", "mia")).status == 204


async def test_what_is_no_key_is_refused_at_its_field(keeper: Api):
    for key in ("", "   ", None, "two words"):
        answer = await put(keeper, f"{MINE}/anthropic-corp", key)
        assert (answer.status, answer.fields) == (400, ["api_key"]), key


async def test_a_provider_that_is_disabled_takes_none(keeper: Api):
    await keeper.ask("PATCH", "ai/providers/anthropic-corp", json={"enabled": False})
    assert (await put(keeper, f"{MINE}/anthropic-corp")).status == 409
    assert (await keeper.get(MINE, "mia")).body == []


@pytest.mark.parametrize("allow_byok", [False])
async def test_while_they_are_off_none_is_taken_and_clients_are_told_beforehand(keeper: Api):
    refused = await put(keeper, f"{MINE}/anthropic-corp")
    assert (refused.status, "--aibridge-allow-byok" in refused.body["detail"]) == (403, True)
    assert [each["byok_enabled"] for each in (await keeper.get(MINE, "mia")).body] == [False]
    assert [each["byok_enabled"] for each in (await keeper.get(OLDER, "mia")).body] == [False]
    assert (await keeper.ask("DELETE", f"{MINE}/anthropic-corp", "mia")).status == 404  # allowed; there is none


async def test_whose_key_it_is(keeper: Api):
    await put(keeper, f"{MINE}/anthropic-corp")
    of_mia = "users/mia/ai-provider-keys"
    assert (await keeper.get(of_mia, "olga")).body[0]["has_user_api_key"]
    assert (await put(keeper, f"{of_mia}/anthropic-corp", who="olga")).status == 403
    assert (await put(keeper, "users/bot/ai-provider-keys/anthropic-corp", who="olga")).status == 200
    for who in ("audrey", "uwe", "max", "bot"):
        assert (await keeper.get(of_mia, who)).status == 404
        assert (await keeper.ask("DELETE", f"{of_mia}/anthropic-corp", who)).status == 404
    assert (await keeper.ask("DELETE", f"{of_mia}/anthropic-corp", "olga")).status == 204


async def test_a_key_never_comes_back(keeper: Api):
    said = [await put(keeper, f"{MINE}/anthropic-corp"), await put(keeper, f"{MINE}/anthropic-corp", KEY + "2")]
    said += [await keeper.get(MINE, "mia"), await keeper.get(OLDER, "mia"), await keeper.get("users/mia")]
    said += [await keeper.get("audit"), await put(keeper, f"{MINE}/none"), await put(keeper, MINE + "/x" * 3)]
    assert not [answer for answer in said if KEY in answer.text]
    assert "sk-p...cdef" in said[5].text
    assert "sk-p" not in "".join(answer.text for answer in said[:5])


async def test_without_an_encryption_key_none_is_taken(api: Api, keeper: Api):
    answer = await put(api, f"{MINE}/anthropic-corp")
    assert (answer.status, "no encryption key" in answer.body["message"]) == (409, True)


async def test_models_are_listed_as_usable_with_a_key_of_ones_own(keeper: Api):
    corp = {"name": "own-only", "api_keys": [], "base_url": "https://own.example.com"}
    provider = (await keeper.post("ai/providers", CORP | corp)).body
    model = {"ai_provider_id": provider["id"], "model": "m-1", "display_name": "M", "context_limit": 1000}
    assert (await keeper.post("/api/experimental/chats/model-configs", model)).status == 201

    async def listed() -> list[str]:
        groups = (await keeper.get("/api/experimental/chats/models", "mia")).body["providers"]
        return [each["model"] for group in groups for each in group["models"]]

    before = await listed()
    await put(keeper, f"{MINE}/own-only")
    assert (before, await listed()) == ([], ["m-1"])


@pytest.mark.parametrize("gone", ["ai/providers/anthropic-corp", "users/mia"])
@pytest.mark.parametrize("_time", range(3))
async def test_no_key_is_left_of_a_provider_or_person_that_goes_meanwhile(keeper: Api, gone: str, _time: int):
    mine = f"users/{keeper.ids['mia']}/ai-provider-keys/anthropic-corp"
    await asyncio.gather(put(keeper, mine), keeper.ask("DELETE", gone))
    async with keeper.store.reading() as db:
        assert (await db.execute(select(func.count()).select_from(user_ai_provider_keys))).scalar_one() == 0
