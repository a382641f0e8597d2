"""What holds for every page there is, whoever looks at it and whatever things are called."""

import asyncio
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from itertools import pairwise

import aiohttp
import pytest
from yarl import URL

from coderai.web.app import HEADERS
from tests.web.conftest import Browsing
from tests.web.living import PEOPLE, Living, living
from tests.web.planted import HOSTILE, MARK, NASTY, TURNED, Planted, plant
from tests.web.reading import look

READERS = ("admin", *PEOPLE)
FILES = ("-export", "/export", "/live/stream")
"""Pages that are no documents."""
RAW = {"script", "style", "title", "textarea"}


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Living]:
    """A server of its own: what is planted here would surprise other tests."""
    with living(tmp_path_factory.mktemp("planted") / "data", "--api-rate-limit=0") as server:
        yield server


@pytest.fixture(scope="module")
def planted(house: Living) -> Planted:
    """Bad names wherever there are names."""
    return asyncio.run(plant(house))


class Inspector(HTMLParser):
    """Reads a page as browsers do, and notes what none of ours may have."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.wrong: list[str] = []
        self.headings: list[int] = []
        self._ids: set[str] = set()
        self._form: dict[str, str | None] | None = None
        self._fields: set[str] = set()
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Look at one element."""
        given = dict(attrs)
        if MARK in given or tag in ("iframe", "object", "embed", "style", "base"):
            self.wrong.append(f"a foreign element: {tag} {given}")
        self.wrong += [f"a script in an attribute: {name}" for name in given if name.startswith("on")]
        self.wrong += [f"an inline style: {tag}"] * ("style" in given)
        self.wrong += ["an inline script"] * (tag == "script" and "src" not in given)
        for name in ("href", "src", "action", "formaction", "hx-get", "hx-post", "sse-connect"):
            if not (given.get(name) or "/").startswith(("/", "#")) or (given.get(name) or "").startswith("//"):
                self.wrong.append(f"an address of somebody else: {name}={given[name]}")
        if "id" in given:
            self.wrong += [f"an id that stands twice: {given['id']}"] * (given["id"] in self._ids)
            self._ids.add(given["id"] or "")
        if tag in ("h1", "h2", "h3", "h4"):
            self.headings.append(int(tag[1]))
        if tag == "form":
            self.wrong += ["a form in a form"] * (self._form is not None)
            self._form, self._fields = given, set()
        if tag in ("input", "select", "textarea", "button"):
            self._fields.add(given.get("name") or "")

    def handle_data(self, data: str) -> None:
        """What is read must not turn around, nor hide anything; attributes may, for copies."""
        unseen = {each for each in TURNED if not each.isprintable()}
        self.wrong += [f"text that turns around: {data[:80]!r}"] * bool(unseen & {*data})

    def handle_endtag(self, tag: str) -> None:
        """A form has to carry its mark."""
        if tag == "form" and self._form is not None:
            if self._form.get("method") == "post" and "csrf" not in self._fields and self._form["action"] != "/login":
                self.wrong.append(f"a form without its mark: {self._form}")
            self._form = None


@pytest.mark.parametrize("who", ["", *READERS])
async def test_no_page_fails_or_lets_a_name_out(browse: Browsing, planted: Planted, who):
    reader = browse(who)
    for path in planted.addresses("GET"):
        if path == "/live/stream":
            continue
        page = await look(reader, path)
        allowed = (200, 303) if who == "admin" else (200, 303, 403, 404)
        assert page.status in allowed, (path, page.status)
        assert page.headers["Cache-Control"] == "no-store", path
        assert page.headers["X-Content-Type-Options"] == "nosniff", path
        if not path.endswith(FILES):
            assert {name: page.headers.get(name) for name in HEADERS} == HEADERS, path
        if page.status != 303 and page.headers["Content-Type"].startswith("text/html"):
            assert Inspector(page.text).wrong == [], path
            assert HOSTILE[:20] not in page.text, path
            assert "sk-planted" not in page.text, path
            assert planted.parts["token"] not in page.text, path


async def test_every_page_has_one_title_and_headings_in_order(browse: Browsing, planted: Planted):
    admin = browse("admin")
    for path in planted.addresses("GET"):
        page = await look(admin, path) if not path.endswith(FILES) else None
        if page is not None and page.status == 200:
            headings = Inspector(page.text).headings[_MENU:]
            assert headings.count(1) == 1, path
            assert headings[0] == 1, path
            assert all(after - before <= 1 for before, after in pairwise(headings)), path


_MENU = 3
"""Headings of the menu."""


async def test_who_is_not_signed_in_sees_the_door_only(browse: Browsing, planted: Planted):
    nobody = browse("")
    for path in planted.addresses("GET"):
        page = await look(nobody, path)
        assert path == "/login" or page.location.startswith("/login"), path


@pytest.mark.parametrize("who", READERS)
async def test_no_form_of_another_site_does_anything(browse: Browsing, planted: Planted, who):
    reader = browse(who)
    for path in planted.addresses("POST"):
        for given in ({}, {"csrf": "0" * 32}, {"csrf": "é"}):
            if path == "/login":
                continue
            async with reader.post(path, data=given, allow_redirects=False) as answer:
                assert answer.status == 403, path
        elsewhere = {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"}
        async with reader.post(path, data={}, headers=elsewhere, allow_redirects=False) as answer:
            assert answer.status == 403, path
            assert "Set-Cookie" not in answer.headers, path


async def test_nobody_can_send_a_form_but_that_of_the_door(browse: Browsing, planted: Planted):
    nobody = browse("")
    for path in planted.addresses("POST"):
        async with nobody.post(path, data={}, allow_redirects=False) as answer:
            assert answer.status in (303, 400, 401), path
            assert path in ("/login", "/theme") or answer.headers["Location"] == "/login", path


@pytest.mark.parametrize("scope", ["ai:use", "ai:read", "ai:admin"])
async def test_a_token_of_few_scopes_sees_what_the_api_gives_it(house: Living, planted: Planted, scope):
    async with (
        house.session("admin") as admin,
        admin.post("/api/v2/users/me/keys/tokens", json={"scopes": [scope]}) as answer,
    ):
        key = (await answer.json())["key"]
    jar = aiohttp.CookieJar(unsafe=True)
    async with aiohttp.ClientSession(house.url, cookies={"coder_session_token": key}, cookie_jar=jar) as narrow:
        assert (await look(narrow, "/login")).status in (200, 303)
        seen = {path: (await look(narrow, path)).status for path in planted.addresses("GET") if "stream" not in path}
    assert set(seen.values()) <= {200, 303, 403, 404}, seen


@pytest.mark.parametrize("part", ["%2e%2e", "%2e", "%2F..%2F", "%00", "%0d%0aX-A:b", "%ff", "%3F", "%23", "x" * 5000])
async def test_no_part_of_an_address_leads_astray(browse: Browsing, planted: Planted, part):
    admin = browse("admin")
    odd = Planted(dict.fromkeys(planted.parts, part))
    for path in odd.addresses("GET"):
        if part in path:
            async with admin.get(path_of(path), allow_redirects=False) as answer:
                assert answer.status in (400, 404), path


def path_of(path: str) -> URL:
    """Return an address that nobody makes better on its way."""
    return URL(path, encoded=True)


async def test_a_page_without_its_body_is_answered_alike(browse: Browsing, planted: Planted):
    admin = browse("admin")
    for path in [*planted.addresses("GET"), "/nowhere"]:
        async with admin.head(path, allow_redirects=False) as answer:
            assert answer.status in (200, 303, 404), path
            assert answer.headers["X-Content-Type-Options"] == "nosniff"


FIELDS = (
    *("username", "email", "name", "password", "old_password", "roles", "service_account", "user", "token_name"),
    *("lifetime", "scopes", "delegate", "type", "display_name", "base_url", "new_key", "remove_key", "region"),
    *("protocol", "access_key", "role_arn", "provider", "model", "context_limit", "compression_threshold", "choice"),
    *("model_config.temperature", "model_config.stop", "model_config.cost.input_price_per_million_tokens", "percent"),
    *("api_key", "prompt", "stream", "allow_users", "next"),
)
OWN = ("/account", "/connect/", "/login", "/logout", "/theme", "/tokens/add")
"""What a member may send; "/call" sends nothing anywhere, and shows what auditors may see."""


async def _mark(reader: aiohttp.ClientSession) -> str:
    found = re.search(r'name="csrf" value="([0-9a-f]+)"', (await look(reader, "/nowhere")).text)
    assert found is not None
    return found.group(1)


@pytest.mark.parametrize("value", [NASTY, "\x00", "9" * 400, "..", '{"a":', "1e999", "[[[["])
async def test_no_form_fails_whatever_stands_in_it(browse: Browsing, planted: Planted, value):
    admin = browse("admin")
    fields = {**dict.fromkeys(FIELDS, value), "csrf": await _mark(admin)}
    nobody = Planted({**planted.parts, "user": "nobody-of-this-name"})
    for path in nobody.addresses("POST"):
        if path.endswith(("/logout", "/remove", "/expire")):
            continue
        async with admin.post(path, data=fields, allow_redirects=False) as answer:
            page = await answer.text()
            assert answer.status < 500, path
            assert Inspector(page).wrong == [], path


@pytest.mark.parametrize("who", ["mia", "audrey"])
async def test_a_form_of_ones_own_changes_nothing_of_others(browse: Browsing, planted: Planted, who):
    reader = browse(who)
    mark = await _mark(reader)
    for path in planted.addresses("POST"):
        if path.startswith(OWN) or path.endswith("/call"):
            continue
        fields = {"csrf": mark, "username": "x", "enabled": "true", "model": planted.parts["model"], "roles": "owner"}
        async with reader.post(path, data=fields, allow_redirects=False) as answer:
            assert answer.status in (400, 403, 404), (path, answer.status)
