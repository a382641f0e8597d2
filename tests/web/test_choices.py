"""The pages of overrides, of one's own models, and of one's own keys."""

import re
from typing import Any

import aiohttp
import pytest

from tests.web.conftest import Browsing
from tests.web.living import Living
from tests.web.reading import look, send

OVERRIDES, MODELS, KEYS = "/ai/settings/overrides", "/account/models", "/account/keys"


async def api(house: Living, method: str, path: str, who: str = "admin", **options: Any) -> Any:
    headers = {"Coder-Session-Token": house.tokens[who]}
    async with (
        aiohttp.ClientSession(house.url) as http,
        http.request(method, path, headers=headers, **options) as answer,
    ):
        assert answer.status < 300, await answer.text()
        return await answer.json() if answer.content_type == "application/json" else None


@pytest.fixture
async def model(house: Living) -> str:
    """A registered model, by its id; the same for all tests."""
    for each in await api(house, "GET", "/api/experimental/chats/model-configs"):
        if each["model"] == "claude-opus-4-6":
            return each["id"]
    providers = await api(house, "GET", "/api/v2/ai/providers")
    chosen = next(each["id"] for each in providers if each["name"] == "anthropic")
    wanted = {"ai_provider_id": chosen, "model": "claude-opus-4-6", "display_name": "Opus", "context_limit": 200_000}
    return (await api(house, "POST", "/api/experimental/chats/model-configs", json=wanted))["id"]


async def test_an_override_is_chosen_for_everybody_and_explained(browse: Browsing, model: str):
    admin = browse("admin")
    assert (await send(admin, f"{OVERRIDES}/general", page=OVERRIDES, model=model)).location == OVERRIDES
    assert re.search(rf'<option value="{model}" selected>', (await look(admin, OVERRIDES)).text)
    assert "Opus" in (await look(browse("mia"), MODELS)).text
    await send(admin, f"{OVERRIDES}/general", page=OVERRIDES, model="")


async def test_an_override_with_no_model_is_refused_at_its_place(browse: Browsing):
    answer = await send(browse("admin"), f"{OVERRIDES}/explore", page=OVERRIDES, model="no-such-model")
    assert answer.status == 400
    assert 'role="alert"' in answer.text


async def test_personal_choices_count_when_they_are_allowed(browse: Browsing, model: str):
    admin, mia = browse("admin"), browse("mia")
    await send(admin, OVERRIDES, allow_users="true")
    assert (await send(mia, f"{MODELS}/root", page=MODELS, choice=model)).location == MODELS
    assert re.search(rf'<option value="{model}" selected>', (await look(mia, MODELS)).text)
    await send(mia, f"{MODELS}/root", page=MODELS, choice="chat_default")
    await send(admin, OVERRIDES)
    assert "the administrator has not allowed them" in (await look(mia, MODELS)).text


async def test_a_threshold_is_set_refused_and_forgotten(browse: Browsing, model: str):
    mia = browse("mia")
    path = f"/account/thresholds/{model}"
    await send(mia, path, page=MODELS, percent="55")
    assert 'value="55"' in (await look(mia, MODELS)).text
    for wrong in ("lots", "101"):
        answer = await send(mia, path, page=MODELS, percent=wrong)
        assert answer.status == 400
        assert 'aria-invalid="true"' in answer.text
    await send(mia, path, page=MODELS, percent="")
    assert 'value="55"' not in (await look(mia, MODELS)).text


async def test_a_key_is_saved_replaced_and_removed_and_never_shown(house: Living, browse: Browsing):
    mia = browse("mia")
    page = (await look(mia, KEYS)).text
    assert "shared key" in page
    path = re.search(r'action="(/account/keys/[0-9a-f-]{36})"', page).group(1)
    saved = await send(mia, path, page=KEYS, api_key="sk-of-mia-alone")
    assert saved.location == KEYS
    page = (await look(mia, KEYS)).text
    assert "your key" in page
    assert "sk-of-mia-alone" not in page
    assert (await send(mia, f"{path}/remove", page=KEYS)).location == KEYS
    assert "your key</span>" not in (await look(mia, KEYS)).text


async def test_a_key_that_is_none_is_refused_at_its_form(browse: Browsing):
    mia = browse("mia")
    path = re.search(r'action="(/account/keys/[0-9a-f-]{36})"', (await look(mia, KEYS)).text).group(1)
    answer = await send(mia, path, page=KEYS, api_key="  ")
    assert answer.status == 400
    assert 'role="alert"' in answer.text


async def test_a_member_is_kept_out_of_the_overrides_of_all(browse: Browsing):
    assert (await look(browse("mia"), OVERRIDES)).status == 403
    assert (await send(browse("mia"), f"{OVERRIDES}/general", page=MODELS, model="")).status == 403
