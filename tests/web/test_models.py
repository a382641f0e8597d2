"""The pages of the registry of models."""

import re

import pytest

from tests.web.conftest import Browsing
from tests.web.living import Living
from tests.web.reading import look, send
from tests.web.test_choices import api

LIST = "/ai/settings/models"


async def _provider(house: Living) -> str:
    return next(each["id"] for each in await api(house, "GET", "/api/v2/ai/providers") if each["name"] == "anthropic")


async def _registered(house: Living, browse: Browsing, name: str, **more: str) -> str:
    """Register a model and return its page."""
    provider = await _provider(house)
    fields = {"provider": provider, "model": name, "display_name": name.title(), "context_limit": "200000"}
    made = await send(browse("admin"), f"{LIST}/add", page=f"{LIST}/add?provider={provider}", **fields, **more)
    assert made.status == 303, made.text
    found = await api(house, "GET", "/api/experimental/chats/model-configs")
    return f"{LIST}/{next(each['id'] for each in found if each['model'] == name)}"


async def test_a_model_is_registered_with_options_and_prices(house: Living, browse: Browsing):
    options = {
        "model_config.temperature": "0.5",
        "model_config.cost.input_price_per_million_tokens": "3.00",
        "model_config.provider_options.anthropic.effort": "high",
    }
    page = (
        await look(browse("admin"), await _registered(house, browse, "with-options", enabled="true", **options))
    ).text
    assert 'value="0.5"' in page
    assert '<option value="high" selected>' in page
    assert "3.00 /" in (await look(browse("audrey"), LIST)).text


async def test_an_option_is_changed_and_unset_and_the_others_stay(house: Living, browse: Browsing):
    page = await _registered(
        house, browse, "changed", **{"model_config.temperature": "0.5", "model_config.top_k": "40"}
    )
    fields = {"model": "changed", "display_name": "Changed", "context_limit": "100000", "model_config.temperature": ""}
    assert (await send(browse("admin"), page, **fields)).location == LIST
    model = await api(house, "GET", f"/api/experimental/chats/model-configs/{page.rsplit('/', 1)[1]}")
    assert model["model_config"] == {"top_k": 40}
    assert model["context_limit"] == 100_000


@pytest.mark.parametrize(
    ("field", "typed"),
    [
        ("context_limit", "lots"),
        ("context_limit", "0"),
        ("model_config.temperature", "9"),
        ("model_config.max_output_tokens", "many"),
        ("model_config.cost.output_price_per_million_tokens", "cheap"),
    ],
)
async def test_mistakes_are_told_at_their_fields_and_nothing_typed_is_lost(
    house: Living, browse: Browsing, field, typed
):
    provider = await _provider(house)
    fields = {"provider": provider, "model": "m", "display_name": "Kept", "context_limit": "5", field: typed}
    answer = await send(browse("admin"), f"{LIST}/add", page=f"{LIST}/add?provider={provider}", **fields)
    assert answer.status == 400
    assert re.search(rf'id="h-{re.escape(field)}" class="wrong"', answer.text)
    assert f'value="{typed}"' in answer.text


async def test_the_call_is_shown_and_not_sent(house: Living, browse: Browsing):
    page = await _registered(house, browse, "called")
    call = (await send(browse("admin"), f"{page}/call", page=page, prompt="Say <b>hello</b>")).text
    assert "POST /api/v2/aibridge/anthropic/v1/messages" in call
    assert "Say &lt;b&gt;hello&lt;/b&gt;" in call


async def test_a_model_is_removed(house: Living, browse: Browsing):
    page = await _registered(house, browse, "removed")
    assert (await send(browse("admin"), f"{page}/remove", page=page)).location == LIST
    assert (await look(browse("admin"), page)).status == 404


async def test_an_auditor_looks_and_a_member_is_kept_out(house: Living, browse: Browsing):
    page = await _registered(house, browse, "looked-at")
    assert "Remove the model" not in (await look(browse("audrey"), page)).text
    assert (await look(browse("mia"), LIST)).status == 403
    assert (await look(browse("mia"), page)).status == 403
