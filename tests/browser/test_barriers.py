"""Whoever sees little, or uses no mouse: pages of forms and tables as axe-core judges them."""

import pytest
from playwright.async_api import Browser

from tests.browser.windows import CONTRAST, window
from tests.web.living import Living

PROVIDERS = "/ai/settings/providers"
PAGES = (
    *("/tokens", "/tokens/add", "/users", "/users/add", "/users/mia", "/account", "/audit"),
    *(PROVIDERS, f"{PROVIDERS}/add", f"{PROVIDERS}/add?type=bedrock", f"{PROVIDERS}/openai"),
    *("/ai/settings/overrides", "/account/models", "/account/keys", "/settings?all=true", "/connect"),
    *("/connect/claude-code", "/connect/codex", "/ai/settings/models", "/ai/settings/models/add"),
)


@pytest.mark.parametrize(("theme", "rules"), [("light", []), ("dark", [CONTRAST])])
async def test_no_page_has_barriers_nor_is_too_wide(house: Living, browser: Browser, theme, rules):
    async with window(browser, house, "admin", theme=theme, width=1920) as opened:
        for page in PAGES:
            await opened.open(page)
            assert await opened.barriers(*rules) == [], page
            assert await opened.overflow() == 0, page
