"""The pages of providers."""

import re

import pytest

from tests.web.conftest import Browsing
from tests.web.living import Living
from tests.web.reading import look, send

LIST = "/ai/settings/providers"
ADD = f"{LIST}/add"


async def _added(house: Living, browse: Browsing, name: str, **more: str) -> str:
    """Add a provider at the scripted one's address and return its page."""
    fields = {"type": "openai", "name": name, "base_url": f"{house.provider}/v1", "enabled": "true", **more}
    made = await send(browse("admin"), ADD, page=f"{ADD}?type=openai", **fields)
    assert made.status == 303, made.text
    return made.location


async def test_a_provider_is_added_tested_and_called(house: Living, browse: Browsing):
    page = await _added(house, browse, "added-here", new_key="sk-added-here")
    admin = browse("admin")
    shown = (await look(admin, page)).text
    assert "set (1)" in shown
    assert "sk-added-here" not in shown
    tested = await send(admin, f"{page}/test", page=page)
    assert "It answers" in tested.text
    headers = {"Authorization": f"Bearer {house.tokens['mia']}"}
    async with browse("").get("/api/v2/aibridge/added-here/v1/models", headers=headers) as answer:
        assert answer.status == 200


async def test_a_provider_that_does_not_answer_is_told_so(browse: Browsing, house: Living):
    page = await _added(house, browse, "dead", base_url="http://127.0.0.1:9/v1", new_key="sk-dead")
    tested = await send(browse("admin"), f"{page}/test", page=page)
    assert "It does not work" in tested.text
    assert "sk-dead" not in tested.text


async def test_keys_are_rotated_without_being_seen(house: Living, browse: Browsing):
    page, admin = await _added(house, browse, "rotated", new_key="sk-the-old-key"), browse("admin")
    old = re.search(r'name="remove_key" value="([^"]+)"', (await look(admin, page)).text).group(1)
    fields = {"display_name": "Rotated", "base_url": f"{house.provider}/v1", "enabled": "true"}
    await send(admin, page, **fields, remove_key=old, new_key="sk-the-new-key")
    shown = (await look(admin, page)).text
    assert "set (1)" in shown
    assert old not in shown
    assert "sk-the" not in shown


async def test_what_is_not_typed_stays(house: Living, browse: Browsing):
    page, admin = await _added(house, browse, "stays", new_key="sk-stays"), browse("admin")
    await send(admin, page, display_name="Stays", base_url=f"{house.provider}/v1", enabled="true")
    shown = (await look(admin, page)).text
    assert "set (1)" in shown
    assert "Stays" in shown


async def test_switching_off_and_removing(house: Living, browse: Browsing):
    page, admin = await _added(house, browse, "goes"), browse("admin")
    await send(admin, f"{page}/switch", page=LIST, enabled="")
    assert '<span class="badge">disabled</span>' in (await look(admin, page)).text
    assert (await send(admin, f"{page}/remove", page=page)).location == LIST
    assert (await look(admin, page)).status == 404


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"name": "Not A Name"}, "name"),
        ({"name": "sessions"}, "name"),
        ({"name": "x", "base_url": "ftp://example.com"}, "base_url"),
        ({"name": "x", "base_url": ""}, "base_url"),
    ],
)
async def test_mistakes_are_told_at_their_fields(house: Living, browse: Browsing, fields, field):
    given = {"type": "openai", "base_url": f"{house.provider}/v1", "new_key": "sk-not-again", **fields}
    answer = await send(browse("admin"), ADD, page=f"{ADD}?type=openai", **given)
    assert answer.status == 400
    assert f'id="h-{field}" class="wrong"' in answer.text
    assert f'value="{given["name"]}"' in answer.text
    assert "sk-not-again" not in answer.text


async def test_a_name_that_is_taken_is_told(house: Living, browse: Browsing):
    await _added(house, browse, "taken")
    given = {"type": "openai", "name": "taken", "base_url": f"{house.provider}/v1"}
    assert (await send(browse("admin"), ADD, page=f"{ADD}?type=openai", **given)).status == 409


async def test_bedrock_keeps_its_secrets(browse: Browsing):
    admin = browse("admin")
    fields = {"type": "bedrock", "name": "amazon", "region": "eu-west-1", "access_key": "AKIAMADEUP"}
    made = await send(admin, ADD, page=f"{ADD}?type=bedrock", **fields, access_key_secret="made-up-secret")
    shown = (await look(admin, made.location)).text
    assert 'value="eu-west-1"' in shown
    assert "AKIAMADEUP" not in shown
    assert "made-up-secret" not in shown
    await send(admin, made.location, display_name="Amazon", base_url="", region="eu-west-3", enabled="true")
    assert 'value="eu-west-3"' in (await look(admin, made.location)).text


async def test_a_provider_of_the_configuration_is_shown_and_not_changed(browse: Browsing):
    page = (await look(browse("admin"), f"{LIST}/openai")).text
    assert "stands in the configuration" in page
    assert 'name="base_url"' not in page
    assert "sk-openai-central" not in page


@pytest.mark.parametrize("kind", ["openai", "anthropic", "bedrock", "azure", "copilot", "google", "openai-compat"])
async def test_every_type_has_its_form(browse: Browsing, kind):
    page = (await look(browse("admin"), f"{ADD}?type={kind}")).text
    assert ('name="new_key"' in page) == (kind not in ("bedrock", "copilot"))
    assert ('name="region"' in page) == (kind == "bedrock")


@pytest.mark.parametrize("page", [LIST, f"{LIST}/openai"])
@pytest.mark.parametrize("who", ["mia", "audrey"])
async def test_others_are_kept_out(browse: Browsing, who, page):
    assert (await look(browse(who), page)).status == 403
