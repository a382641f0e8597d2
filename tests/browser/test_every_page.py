"""Every page in a browser, with bad names wherever there are names: nothing runs, nothing is pushed aside."""

import asyncio
from collections.abc import Iterator

import pytest
from playwright.async_api import Browser

from tests.browser.windows import window
from tests.web.living import Living, living
from tests.web.planted import MARK, Planted, plant

NO_DOCUMENTS = ("export", "/stream")
SECOND_NAMES = "/ai-gateway/"


@pytest.fixture(scope="module")
def house(chromium: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Living]:
    """A server of its own: what is planted here would surprise other tests."""
    with living(tmp_path_factory.mktemp("planted") / "data") as server:
        yield server


@pytest.fixture(scope="module")
def planted(house: Living) -> Planted:
    """Bad names wherever there are names."""
    return asyncio.run(plant(house))


async def test_bad_names_are_harmless_on_every_page(house: Living, browser: Browser, planted: Planted):
    async with window(browser, house, "admin", width=360) as opened:
        opened.page.on("dialog", lambda dialog: opened.trouble.append(f"a dialog: {dialog.message}"))
        more = ["/tokens?all=true&expired=true", "/aibridge/sessions?range=all", "/audit?q=planted"]
        pushed = {}
        for path in [*planted.addresses("GET"), *more]:
            if path.endswith(NO_DOCUMENTS) or path.startswith(SECOND_NAMES):
                continue
            await opened.open(path)
            await opened.page.evaluate("document.querySelectorAll('main details').forEach(each => each.open = true)")
            assert await opened.page.locator(f"[{MARK}]").count() == 0, path
            if wide := await opened.overflow():
                pushed[path] = wide
        assert pushed == {}
