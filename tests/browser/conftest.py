"""The pages in Chromium, as their readers see them. One browser and one server for all tests of a worker."""

import os
import shutil
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, async_playwright

from tests.browser.windows import FLAGS, Window, window
from tests.web.living import Living, living

MISSING = "Chromium is not installed: the pages were not looked at in a browser"


@pytest.fixture(scope="session")
def chromium() -> str:
    """Where the system's Chromium is; without one the test is skipped loudly, or fails if one is required."""
    found = shutil.which("chromium") or shutil.which("chromium-browser")
    if found is None and os.environ.get("CODERAI_REQUIRE_CHROMIUM") == "1":
        pytest.fail(MISSING)
    if found is None:
        pytest.skip(MISSING)
    return found


@pytest.fixture(scope="session")
def house(chromium: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Living]:
    """The server; its database is shared by the tests of a worker: each makes what it looks for."""
    with living(tmp_path_factory.mktemp("house") / "data") as server:
        yield server


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser(chromium: str) -> AsyncIterator[Browser]:
    """The browser."""
    async with async_playwright() as playwright:
        opened = await playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        yield opened
        await opened.close()


@pytest_asyncio.fixture(loop_scope="session")
async def admin(house: Living, browser: Browser) -> AsyncIterator[Window]:
    """A window of the owner's, that allows no error, no foreign request and no violated policy."""
    async with window(browser, house, "admin") as opened:
        yield opened


@pytest_asyncio.fixture(loop_scope="session")
async def mia(house: Living, browser: Browser) -> AsyncIterator[Window]:
    """A window of a member's."""
    async with window(browser, house, "mia") as opened:
        yield opened


@pytest_asyncio.fixture(loop_scope="session")
async def nobody(house: Living, browser: Browser) -> AsyncIterator[Window]:
    """A window that nobody is signed in to."""
    async with window(browser, house) as opened:
        yield opened


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Every test of this folder runs in the browser's own event loop."""
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.asyncio(loop_scope="session"), append=False)
