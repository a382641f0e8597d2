"""Signing in, the menu, the colours."""

import pytest
from playwright.async_api import Browser, expect

from tests.browser.windows import Window, window
from tests.web.living import PASSWORD, Living


async def test_signing_in_and_out(nobody: Window):
    await nobody.open("/")
    await nobody.page.get_by_label("E-mail or username").fill("mia")
    await nobody.page.get_by_label("Password").fill(PASSWORD)
    await nobody.page.get_by_role("button", name="Sign in", exact=True).click()
    await expect(nobody.page.get_by_role("navigation", name="Pages")).to_be_visible()
    await nobody.page.get_by_role("button", name="Sign out").click()
    await expect(nobody.page.get_by_role("status")).to_have_text("You are signed out.")


async def test_the_door_has_no_barriers(nobody: Window):
    await nobody.open("/login")
    assert await nobody.barriers() == []


async def test_the_colours_follow_the_system_and_the_reader(house: Living, browser: Browser):
    async with window(browser, house, "mia", theme="dark") as dark:
        await dark.open("/nowhere", 404)
        ground = "getComputedStyle(document.documentElement).backgroundColor"
        assert await dark.page.evaluate(ground) == "rgb(16, 20, 24)"
        await dark.page.get_by_label("Colours").select_option("light")
        await dark.page.wait_for_function(f"{ground} === 'rgb(246, 247, 249)'")
        dark.trouble.clear()  # the page that does not exist was loaded again


async def test_the_menu_opens_and_closes_by_keyboard_on_a_telephone(house: Living, browser: Browser):
    async with window(browser, house, "mia", width=360) as small:
        await small.open("/nowhere", 404)
        menu = small.page.get_by_text("Menu", exact=True)
        await menu.focus()
        await small.page.keyboard.press("Enter")
        await expect(small.page.get_by_role("link", name="Sessions")).to_be_visible()
        assert await small.overflow() == 0
        await small.page.keyboard.press("Escape")
        await expect(small.page.get_by_role("link", name="Sessions")).to_be_hidden()


@pytest.mark.parametrize("theme", ["light", "dark"])
async def test_the_frame_has_no_barriers(house: Living, browser: Browser, theme):
    async with window(browser, house, "admin", theme=theme) as opened:
        await opened.open("/nowhere", 404)
        assert await opened.barriers() == []


async def test_what_is_printed_is_black_on_white(house: Living, browser: Browser):
    async with window(browser, house, "mia", theme="dark") as dark:
        await dark.open("/nowhere", 404)
        await dark.page.emulate_media(media="print")
        assert await dark.page.evaluate("getComputedStyle(document.body).color") == "rgb(27, 31, 36)"
        await expect(dark.page.get_by_role("navigation", name="Pages")).to_be_hidden()


async def test_a_choice_made_with_keys_waits_for_enter(mia: Window):
    await mia.open("/tokens")
    colours = mia.page.get_by_label("Colours")
    await colours.focus()
    await mia.page.keyboard.press("ArrowDown")
    await mia.page.keyboard.press("ArrowDown")
    await expect(colours).to_have_value("dark")
    await mia.page.keyboard.press("Enter")
    await expect(mia.page.locator("html")).to_have_attribute("data-theme", "dark")
    assert mia.page.url == f"{mia.url}/tokens"
