"""Providers, models, keys, settings and the setting up of a tool in a browser."""

from playwright.async_api import expect

from tests.browser.windows import Window
from tests.web.living import Living

PROVIDERS = "/ai/settings/providers"


async def test_a_provider_is_added_tested_and_removed(house: Living, admin: Window):
    page = admin.page
    await admin.open(PROVIDERS)
    await page.get_by_role("link", name="Add a provider").click()
    await page.get_by_role("link", name="OpenAI compatible").click()
    await page.get_by_label("Name", exact=False).first.fill("by-hand")
    await page.get_by_label("Base URL").fill(f"{house.provider}/v1")
    await page.get_by_label("API key").fill("sk-typed-by-hand")
    await page.get_by_role("button", name="Add the provider").click()
    await expect(page.get_by_text("API keys: set (1)")).to_be_visible()
    await page.get_by_role("button", name="Test").click()
    await expect(page.get_by_text("It answers")).to_be_visible()
    await page.get_by_text("Remove the provider").first.click()
    await page.get_by_role("button", name="Remove the provider").click()
    await expect(page.get_by_role("row", name="by-hand")).to_have_count(0)


async def test_a_tool_is_set_up_with_a_token_in_its_place(mia: Window):
    await mia.open("/connect")
    await mia.page.get_by_role("link", name="Claude Code").click()
    await mia.page.get_by_role("button", name="Make a token for this tool").click()
    await mia.page.get_by_role("button", name="Copy").first.click()
    copied = await mia.page.evaluate("navigator.clipboard.readText()")
    assert copied == await mia.page.locator("#secret").text_content()
    assert copied.startswith("export CODER_TOKEN=")
