"""The list of sessions, one session, and one request, as their readers use them."""

from datetime import timedelta
from pathlib import Path

import pytest
from playwright.async_api import Browser, expect

from coderai.records import Ending, Thought
from tests.browser.windows import CONTRAST, Window, window
from tests.web.living import Living
from tests.web.recorded import HOSTILE, Recorder, call, recording, used

LIST = "/aibridge/sessions"


async def conversation(records: Recorder, name: str, **fields: object) -> list[str]:
    """A loop with a tool, and a sub-agent's thread."""
    mine = {"client_session_id": name, "client": f"Tool {name}", **fields}
    sub = {"agent_id": "8c1f2a77-0001", "agent_type": "Explore"}
    done = [
        await records.exchange(
            Thought("I should look first"), call("Read", '{"path":"a.py"}', name), used(), prompt=f"Mend {name}", **mine
        ),
        await records.exchange(used(), tool_result_id=name, ago=timedelta(minutes=59), **mine),
        await records.exchange(used(), prompt="Look around", metadata=sub, ago=timedelta(minutes=58), **mine),
    ]
    return [each.id for each in done]


async def test_from_the_list_to_the_arguments_of_a_tool(house: Living, admin: Window):
    async with recording(house) as records:
        await conversation(records, "story")
    page = admin.page
    await admin.open(LIST)
    await page.get_by_role("combobox", name="Client").select_option("Tool story")
    await expect(page.get_by_label("Search sessions")).to_have_value('client:"Tool story"')
    await page.get_by_role("row", name="Look around").get_by_text("58 min ago").click()
    await expect(page.get_by_role("heading", level=1)).to_have_text("Session of Mia with Tool story")
    loop = page.locator("details.loop").first
    await loop.locator("summary").first.focus()
    await page.keyboard.press("Enter")
    await expect(page.get_by_text("I should look first")).to_be_visible()
    await loop.locator("details.tool > summary").focus()
    await page.keyboard.press("Enter")
    await expect(page.get_by_label("Arguments", exact=True)).to_have_text('{\n  "path": "a.py"\n}')
    await page.get_by_role("button", name="Copy the arguments").click()
    await expect(page.get_by_role("button", name="Copied")).to_be_visible()
    assert await page.evaluate("navigator.clipboard.readText()") == '{\n  "path": "a.py"\n}'
    await page.get_by_role("button", name="Collapse all").click()
    await expect(page.get_by_text("I should look first")).to_be_hidden()
    await page.go_back()
    await expect(page.get_by_role("row", name="Look around")).to_be_visible()


async def test_a_search_is_made_while_one_types(house: Living, admin: Window):
    async with recording(house) as records:
        await conversation(records, "typed")
    page = admin.page
    await admin.open(f"{LIST}/typed")
    await page.get_by_label("Search this session").press_sequentially("LOOK")
    await expect(page.get_by_role("status").filter(has_text="2 threads, 2 steps with")).to_be_visible()
    await expect(page.locator("mark")).to_have_text(["look", "Look"])
    assert "search=LOOK" in page.url
    await page.get_by_role("link", name="Show the 1 other step").click()
    await expect(page.locator("details.loop").first.locator("li")).to_have_count(2)
    await page.get_by_role("link", name="Clear").click()
    await expect(page.locator("article")).to_have_count(2)


async def test_a_running_session_goes_on_before_its_readers_eyes(house: Living, admin: Window):
    page = admin.page
    async with recording(house) as records:
        await records.exchange(client_session_id="alive", client="Alive", prompt="first", ago=timedelta(minutes=2))
        mine = {"client_session_id": "alive", "client": "Alive", "ago": timedelta(seconds=5)}
        await records.exchange(ending=None, prompt="second", **mine)
        await page.clock.install()
        await admin.open(f"{LIST}/alive")
        await expect(page.get_by_text("Running (1)")).to_be_visible()
        second = page.locator("article").filter(has_text="second")
        await second.get_by_text("Facts").click()
        await expect(second.get_by_text("Credential")).to_be_visible()
        await records.exchange(prompt="third", **mine)
        await page.clock.run_for(5_500)
        await expect(page.locator("article").filter(has_text="third")).to_be_visible()
        await expect(second.get_by_text("Credential")).to_be_visible()  # what was open stays open
        await expect(page.get_by_text("Running (1)")).to_have_count(1)


async def test_the_list_follows_what_runs_and_keeps_the_focus(house: Living, admin: Window):
    page = admin.page
    async with recording(house) as records:
        await records.exchange(
            client_session_id="row", client="Row", prompt="before", ending=None, ago=timedelta(seconds=5)
        )
        await page.clock.install()
        await admin.open(f"{LIST}?filter=client:Row")
        await page.get_by_role("link", name="before").focus()
        await records.exchange(client_session_id="row", client="Row", prompt="after", ending=None, ago=timedelta())
        await page.clock.run_for(5_500)
        await expect(page.get_by_role("link", name="after")).to_be_focused()


async def test_columns_are_chosen_once(house: Living, admin: Window):
    async with recording(house) as records:
        await conversation(records, "columns")
    page = admin.page
    address = f"{LIST}?filter=session_id:columns"
    await admin.open(address)
    await page.get_by_text("Columns", exact=True).click()
    await page.get_by_label("Tokens").uncheck()
    await expect(page.get_by_role("columnheader", name="Tokens")).to_be_hidden()
    await admin.open(address)
    await expect(page.get_by_role("columnheader")).to_have_text(
        ["Last prompt", "User", "Client", "Model and provider", "Threads", "Last prompt at"]
    )


async def test_the_longest_words_do_not_push_the_page(house: Living, browser: Browser):
    async with recording(house) as records:
        hostile = await records.exchange(
            *(Thought(HOSTILE * 2), call(HOSTILE, HOSTILE), call("deep", "[" * 3_000), used()),
            client_session_id="wide",
            client=HOSTILE,
            prompt=HOSTILE * 3,
            model=HOSTILE,
            user_agent=HOSTILE,
            ending=Ending.UPSTREAM_ERROR,
            metadata={"agent_id": HOSTILE, "agent_name": HOSTILE, HOSTILE: HOSTILE},
        )
    async with window(browser, house, "admin", width=360) as small:
        for path in (
            f"{LIST}?filter=session_id:wide",
            f"{LIST}/wide?search=alert",
            f"/aibridge/interceptions/{hostile.id}",
        ):
            await small.open(path)
            for button in await small.page.get_by_role("button", name="Expand all").all():
                await button.click()
            assert await small.overflow() == 0, path


@pytest.mark.parametrize(("theme", "rules"), [("light", []), ("dark", [CONTRAST])])
async def test_nothing_bars_the_way(house: Living, browser: Browser, theme, rules):
    async with recording(house) as records:
        first, *_ = await conversation(records, f"bars-{theme}")
        failed = {"prompt": "fails", "ending": Ending.UPSTREAM_ERROR, "client_session_id": f"bars-{theme}"}
        await records.exchange(**failed, client=f"Tool bars-{theme}")  # type: ignore[arg-type]
    async with window(browser, house, "admin", theme=theme) as opened:
        for path in (
            f'{LIST}?filter=client:"Tool bars-{theme}"',
            f"{LIST}/bars-{theme}",
            f"/aibridge/interceptions/{first}",
        ):
            await opened.open(path)
            for button in await opened.page.get_by_role("button", name="Expand all").all():
                await button.click()
            assert await opened.barriers(*rules) == [], path


async def test_what_is_copied_is_what_was_said(house: Living, admin: Window):
    async with recording(house) as records:
        await records.exchange(client_session_id="exact", prompt="a\u202eb\u200bc <b>&")
    await admin.open(f"{LIST}/exact")
    await admin.page.get_by_role("button", name="Copy the prompt").click()
    await expect(admin.page.get_by_role("button", name="Copied")).to_be_visible()
    assert await admin.page.evaluate("navigator.clipboard.readText()") == "a\u202eb\u200bc <b>&"


async def test_a_session_is_taken_home_without_what_was_left_out(house: Living, mia: Window):
    async with recording(house) as records:
        await conversation(records, "home")
    page = mia.page
    await mia.open(f"{LIST}/home")
    await page.get_by_text("Export", exact=True).click()
    await page.get_by_label("Format").select_option("markdown")
    await page.get_by_label("Prompts").check()
    async with page.expect_download() as downloading:
        await page.get_by_role("button", name="Download").click()
    file = await (await downloading.value).path()
    text = Path(file).read_text()
    assert "I should look first" in text
    assert "Mend home" not in text
