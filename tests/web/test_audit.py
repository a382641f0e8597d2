"""The page of changes."""

from tests.web.conftest import Browsing
from tests.web.reading import look, send


async def test_a_change_is_listed_with_its_difference(browse: Browsing):
    await send(browse("admin"), "/users/add", username="noted", email="noted@example.com", name="<b>Bold</b>")
    page = (await look(browse("audrey"), "/audit?q=noted")).text
    assert "created user noted" in page
    assert "&lt;b&gt;Bold&lt;/b&gt;" in page
    assert "<b>Bold" not in page


async def test_what_cannot_be_searched_is_told(browse: Browsing):
    page = await look(browse("audrey"), "/audit?q=date_from:yesterday")
    assert page.status == 400
    assert "date_from" in page.text


async def test_actions_are_picked(browse: Browsing):
    page = (await look(browse("audrey"), "/audit?action=logout&q=nobody-at-all")).text
    assert "Nothing found" in page


async def test_a_member_is_kept_out(browse: Browsing):
    assert (await look(browse("mia"), "/audit")).status == 403


async def test_pages_follow_each_other_without_gaps(browse: Browsing):
    for number in range(51):
        await send(browse("admin"), "/tokens/add", token_name=f"many-{number:02}")
    audrey = browse("audrey")
    first = (await look(audrey, "/audit?q=many-")).text
    later = first.split('rel="next" href="')[1].split('"')[0].replace("&amp;", "&")
    second = (await look(audrey, later)).text
    assert "many-50" in first
    assert "many-00" in second
    assert "many-00" not in first
