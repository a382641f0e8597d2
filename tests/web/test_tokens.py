"""The pages of tokens."""

import asyncio
import re
from html import unescape

import aiohttp

from tests.web.conftest import Browsing
from tests.web.living import Living
from tests.web.reading import look, send

_KEY = re.compile(r'id="secret">([A-Za-z0-9]{10})-([A-Za-z0-9]{22})<')


async def test_a_token_is_made_used_and_removed(house: Living, browse: Browsing):
    mia = browse("mia")
    made = await send(mia, "/tokens/add", token_name="laptop", lifetime="7d", scopes="ai:use")
    assert made.status == 201
    token = "-".join(_KEY.search(made.text).groups())
    listed = (await look(mia, "/tokens")).text
    assert "laptop" in listed
    assert token.split("-")[1] not in listed
    assert await _models(house, token) == 200
    row = re.search(rf'action="(/tokens/[^"]*/{token.split("-")[0]}/remove)"', listed).group(1)
    assert (await send(mia, row, page="/tokens")).location == "/tokens"
    async with asyncio.timeout(5):
        while await _models(house, token) != 401:  # within a second, on every server
            await asyncio.sleep(0.05)


async def _models(house: Living, token: str) -> int:
    headers = {"Authorization": f"Bearer {token}"}
    async with (
        aiohttp.ClientSession() as http,
        http.get(f"{house.url}/api/v2/aibridge/openai/v1/models", headers=headers) as answer,
    ):
        return answer.status


async def test_an_expired_token_stays_in_its_list(browse: Browsing):
    mia = browse("mia")
    token = _KEY.search((await send(mia, "/tokens/add", token_name="over")).text).group(1)
    row = re.search(rf'formaction="(/tokens/[^"]*/{token}/expire)"', (await look(mia, "/tokens")).text).group(1)
    await send(mia, row, page="/tokens")
    assert token not in (await look(mia, "/tokens")).text
    assert token in (await look(mia, "/tokens?expired=true")).text


async def test_a_mistake_is_told_at_its_field_and_nothing_typed_is_lost(browse: Browsing):
    answer = await send(browse("mia"), "/tokens/add", token_name="keep me", lifetime="soon")
    assert answer.status == 400
    assert 'value="keep me"' in answer.text
    assert re.search(r'id="h-lifetime" class="wrong">[^<]*soon', answer.text)


async def test_a_lifetime_beyond_the_maximum_is_refused_by_the_api(browse: Browsing):
    answer = await send(browse("mia"), "/tokens/add", lifetime="200y")
    assert answer.status == 400
    assert 'id="h-lifetime" class="wrong"' in answer.text


async def test_an_owner_makes_tokens_for_others_and_sees_them(browse: Browsing):
    admin = browse("admin")
    token = _KEY.search((await send(admin, "/tokens/add", user="mia", token_name="gift")).text).group(1)
    assert token not in (await look(admin, "/tokens")).text
    assert token in (await look(admin, "/tokens?all=true")).text
    assert token in (await look(browse("mia"), "/tokens")).text


async def test_a_token_for_nobody_is_told_at_the_field(browse: Browsing):
    answer = await send(browse("admin"), "/tokens/add", user="nobody-there")
    assert answer.status == 400
    assert "there is no user nobody-there" in answer.text


async def test_a_member_sees_no_other_tokens(browse: Browsing):
    assert "Everybody&#39;s" not in (await look(browse("mia"), "/tokens?all=true")).text
    assert "For another user" not in (await look(browse("mia"), "/tokens/add")).text


async def test_many_tokens_are_paged_and_searched(browse: Browsing):
    admin = browse("admin")
    await send(admin, "/users/add", username="many", email="many@example.com")
    for number in range(51):
        async with admin.post("/api/v2/users/many/keys/tokens", json={"token_name": f"counted-{number}-"}) as answer:
            assert answer.status == 201
    found = await look(admin, "/tokens?all=true&q=COUNTED-")
    assert "1 to 50 of 51 tokens" in found.text
    assert found.text.count("/remove") == 50
    older = await look(admin, unescape(re.search(r'rel="next" href="([^"]+)"', found.text).group(1)))
    assert "51 to 51 of 51 tokens" in older.text
    assert "counted-0-" in older.text
    assert "51 to 51 of 51" in (await look(admin, "/tokens?all=true&q=counted-&start=9999")).text
    assert "counted-7-" in (await look(admin, "/tokens?all=true&q=counted-7-")).text
    assert "Nothing found" in (await look(admin, "/tokens?all=true&q=%3Cnothing")).text
