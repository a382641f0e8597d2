"""The page of settings."""

import aiohttp

from tests.web.conftest import Browsing
from tests.web.living import Living
from tests.web.reading import look


async def test_values_stand_with_their_sources_and_without_secrets(browse: Browsing):
    page = (await look(browse("audrey"), "/settings")).text
    assert "<code>--aibridge-enabled</code>" in page
    assert "flag" in page
    assert "sk-openai-central" not in page
    assert '<span class="badge">set</span>' in page


async def test_the_page_has_what_the_api_says(house: Living, browse: Browsing):
    async with (
        aiohttp.ClientSession() as http,
        http.get(
            f"{house.url}/api/v2/deployment/config", headers={"Coder-Session-Token": house.tokens["audrey"]}
        ) as answer,
    ):
        options = (await answer.json())["options"]
    page = (await look(browse("audrey"), "/settings?all=true")).text
    assert f"All {len(options)}" in page
    assert all(f"<code>{option['flag']}</code>" in page for option in options)


async def test_a_member_is_kept_out(browse: Browsing):
    assert (await look(browse("mia"), "/settings")).status == 403
