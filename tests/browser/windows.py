"""A browser window that reports whatever a reader should never meet."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from playwright.async_api import Browser, ConsoleMessage, Page, Request

from tests.web.living import Living

FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
_AXE = Path(__file__).parent / "axe" / "axe.min.js"
CONTRAST = "color-contrast"
"""What differs between light and dark."""
_SERIOUS = ("serious", "critical")


@dataclass
class Window:
    """One page, and what went wrong on it."""

    page: Page
    url: str
    trouble: list[str] = field(default_factory=list)

    async def open(self, path: str, status: int = 200) -> None:
        """Go there, and see the status that is expected."""
        answer = await self.page.goto(self.url + path)
        assert answer is not None
        assert answer.status == status, path
        if status >= 400:  # browsers report an address that was refused as an error of the page
            self.trouble = [each for each in self.trouble if f"status of {status}" not in each]

    async def overflow(self) -> int:
        """Return by how many pixels the page is wider than the window."""
        wide: int = await self.page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
        return max(0, wide)

    async def barriers(self, *rules: str) -> list[str]:
        """Return what axe-core calls serious or critical, with the places; of some *rules* only, when named."""
        # By the debugger's own way in: the page's policy forbids scripts that are put into it.
        if not await self.page.evaluate("typeof window.axe !== 'undefined'"):
            await self.page.evaluate(_AXE.read_text())
        found: dict[str, Any] = await self.page.evaluate(
            "rules => axe.run(document, {resultTypes: ['violations'], ...(rules.length && {runOnly: rules})})",
            list(rules),
        )
        return [
            f"{each['id']}: {node['target']} {node['failureSummary']}"
            for each in found["violations"]
            if each["impact"] in _SERIOUS
            for node in each["nodes"]
        ]


@asynccontextmanager
async def window(
    browser: Browser,
    house: Living,
    who: str = "",
    *,
    width: int = 1280,
    theme: Literal["light", "dark"] = "light",
) -> AsyncIterator[Window]:
    """Open a window for one of the people; leaving it fails when there was trouble."""
    context = await browser.new_context(viewport={"width": width, "height": 900}, color_scheme=theme)
    await context.grant_permissions(["clipboard-read", "clipboard-write"])
    if who:
        cookie = {"name": "coder_session_token", "value": house.tokens[who], "url": house.url}
        await context.add_cookies([cookie])  # type: ignore[list-item]
    opened = Window(await context.new_page(), house.url)

    def console(message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            opened.trouble.append(f"console: {message.text}")

    def request(sent: Request) -> None:
        if not sent.url.startswith((house.url, "data:", "about:", "blob:")):
            opened.trouble.append(f"another host: {sent.url}")

    opened.page.on("console", console)
    opened.page.on("pageerror", lambda error: opened.trouble.append(f"script: {error}"))
    opened.page.on("request", request)
    yield opened
    await context.close()
    assert not opened.trouble
