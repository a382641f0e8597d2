"""Overview, live and the first steps in a browser."""

import pytest
from playwright.async_api import Browser, expect

from tests.browser.windows import CONTRAST, Window, window
from tests.web.living import Living
from tests.web.slowly import asked_slowly

PAGES = ("/overview", "/overview?range=30d", "/live", "/welcome")


@pytest.mark.parametrize(("theme", "rules"), [("light", []), ("dark", [CONTRAST])])
async def test_no_page_has_barriers(house: Living, browser: Browser, theme, rules):
    await house.exchange()
    async with window(browser, house, "admin", theme=theme) as opened:
        for page in PAGES:
            await opened.open(page)
            assert await opened.barriers(*rules) == [], page


@pytest.mark.parametrize("width", [360, 1920])
async def test_every_page_fits(house: Living, browser: Browser, width):
    model = "a-model-with-a-very-long-name" * 5 + "<b>\u202e"
    async with asked_slowly(house, f"fits-{width}", model), window(browser, house, "admin", width=width) as opened:
        for page in PAGES:
            await opened.open(page)
            assert await opened.overflow() == 0, page


async def test_what_begins_and_ends_is_seen_without_loading_anew(house: Living, admin: Window):
    await admin.open("/live")
    async with asked_slowly(house, "slow-in-a-browser", "patience"):
        await expect(admin.page.get_by_role("row", name="patience")).to_be_visible()
    await expect(admin.page.get_by_role("row", name="patience")).to_have_count(0)


async def test_the_numbers_behind_the_charts_are_opened(house: Living, admin: Window):
    await house.exchange()
    await admin.open("/overview")
    await admin.page.get_by_text("The same as a table").click()
    await expect(admin.page.get_by_role("table", name="Use per hour")).to_be_visible()
    assert await admin.barriers() == []
