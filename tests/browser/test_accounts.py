"""Tokens, users, the account and the log of changes in a browser."""

from playwright.async_api import expect

from tests.browser.windows import Window


async def test_a_token_is_made_copied_and_removed(mia: Window):
    await mia.open("/tokens")
    await mia.page.get_by_role("link", name="New token").first.click()
    await mia.page.get_by_label("Name").fill("in the browser")
    await mia.page.get_by_role("button", name="Create the token").click()
    shown = await mia.page.locator("#secret").text_content()
    await mia.page.get_by_role("button", name="Copy the token").click()
    assert await mia.page.evaluate("navigator.clipboard.readText()") == shown
    await mia.page.get_by_role("link", name="Back to the tokens").click()
    row = mia.page.get_by_role("row", name="in the browser")
    await row.locator("summary").click()
    await row.get_by_role("button", name="Remove").click()
    await expect(mia.page.get_by_role("status")).to_have_text("The token is removed.")
    await expect(mia.page.get_by_role("row", name="in the browser")).to_have_count(0)
