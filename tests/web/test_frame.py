"""Coming in, going out, and what is around every page."""

from io import BytesIO

import pytest

from tests.web.conftest import Browsing
from tests.web.living import PASSWORD, Living
from tests.web.reading import look, send


async def test_who_is_not_signed_in_is_led_to_the_door_and_back(browse: Browsing):
    nobody = browse("")
    assert (await look(nobody, "/?x=1")).location == "/login?next=%2F%3Fx%3D1"
    back = await send(nobody, "/login", email="mia", password=PASSWORD, next="/?x=1")
    assert (back.status, back.location) == (303, "/?x=1")
    assert (await look(nobody, "/")).location == "/aibridge/sessions"


async def test_a_token_opens_as_well(house: Living, browse: Browsing):
    nobody = browse("")
    assert (await send(nobody, "/login", token=house.tokens["audrey"])).status == 303
    assert (await look(nobody, "/")).location == "/overview"


async def test_the_cookie_is_not_for_scripts_nor_for_other_sites(browse: Browsing):
    answer = await send(browse(""), "/login", email="mia", password=PASSWORD)
    cookie = answer.headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie


@pytest.mark.parametrize("fields", [{"email": "mia", "password": "no"}, {"token": "no"}, {"token": "AAAAAAAAAA-BBBB"}])
async def test_what_does_not_open_is_told_without_a_secret(browse: Browsing, fields):
    answer = await send(browse(""), "/login", **fields)
    assert answer.status == 401
    assert 'role="alert"' in answer.text
    assert "BBBB" not in answer.text


@pytest.mark.parametrize("target", ["//evil.example", "https://evil.example", "/\\evil.example", "javascript:x"])
async def test_signing_in_leads_to_no_other_site(browse: Browsing, target):
    answer = await send(browse(""), "/login", email="mia", password=PASSWORD, next=target)
    assert answer.location == "/"


async def test_signing_out_ends_the_session(house: Living, browse: Browsing):
    person = browse("")
    await send(person, "/login", email="mia", password=PASSWORD)
    assert (await send(person, "/logout", page="/nowhere")).location == "/login"
    assert (await look(person, "/")).location == "/login"


async def test_a_form_without_its_mark_does_nothing(browse: Browsing):
    async with browse("mia").post("/logout", data={}, allow_redirects=False) as answer:
        assert answer.status == 403
    async with browse("mia").post("/logout", data={"csrf": "0" * 32}, allow_redirects=False) as answer:
        assert answer.status == 403


async def test_a_form_of_another_site_does_nothing(browse: Browsing):
    sent = browse("").post(
        "/login",
        data={"email": "mia", "password": PASSWORD},
        headers={"Origin": "https://evil.example"},
        allow_redirects=False,
    )
    async with sent as answer:
        assert answer.status == 403
        assert "Set-Cookie" not in answer.headers


async def test_every_page_forbids_scripts_of_others(browse: Browsing):
    for path in ("/login", "/nowhere", "/"):
        headers = (await look(browse(""), path)).headers
        assert "script-src 'self'" in headers["Content-Security-Policy"]
        assert "unsafe" not in headers["Content-Security-Policy"]
        assert (headers["X-Frame-Options"], headers["Cache-Control"]) == ("DENY", "no-store")


async def test_the_choice_of_colours_stays(browse: Browsing):
    person = browse("mia")
    assert (await send(person, "/theme", page="/nowhere", theme="dark", next="/nowhere")).location == "/nowhere"
    assert '<html lang="en" data-theme="dark">' in (await look(person, "/nowhere")).text


async def test_files_may_be_kept_and_are_named_by_their_contents(browse: Browsing):
    page = (await look(browse(""), "/login")).text
    path = page.split('rel="stylesheet" href="')[1].split('"')[0]
    sheet = await look(browse(""), path)
    assert (sheet.status, sheet.headers["Content-Type"]) == (200, "text/css; charset=utf-8")
    assert "immutable" in sheet.headers["Cache-Control"]
    assert (await look(browse(""), "/static/000000000000/no.css")).status == 404


@pytest.mark.parametrize(("who", "sees"), [("mia", False), ("audrey", False), ("admin", True)])
async def test_the_menu_has_what_its_reader_may_open(browse: Browsing, who, sees):
    page = await look(browse(who), "/nowhere")
    assert page.status == 404
    assert ('href="/ai/settings/providers"' in page.text) == sees
    assert 'href="/tokens"' in page.text


async def test_what_belongs_to_the_api_is_answered_by_the_api(browse: Browsing):
    answer = await look(browse(""), "/api/v2/nothing")
    assert (answer.status, answer.headers["Content-Type"]) == (404, "application/json; charset=utf-8")


FORM = "application/x-www-form-urlencoded"


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        (FORM, b"email=\xff\xfe&password=%ED%A0%80"),
        (f"{FORM}; charset=nope", b"email=a&password=b"),
        (FORM, b"&".join([b"a"] * 1001)),
        (FORM, b"a" * 1_048_577),
        ("multipart/form-data", b"x"),
        ("multipart/form-data; boundary=q", b"--q\r\n\r\nx\r\n--q--\r\n"),
        ("application/json", b"{}"),
    ],
)
async def test_what_is_no_form_of_ours_is_refused(browse: Browsing, kind, body):
    async with browse("").post("/login", data=BytesIO(body), headers={"Content-Type": kind}) as answer:
        assert answer.status in (400, 401)
        assert 'role="alert"' in await answer.text() or answer.status == 400


@pytest.mark.parametrize("cookie", ['"a\\012b"', '"a\\001b"', "\xfc", "A" * 7000, ""])
async def test_a_broken_cookie_does_not_shut_the_door(browse: Browsing, cookie):
    assert (await look(browse(""), "/login", Cookie=f"coder_session_token={cookie}")).status == 200


async def test_a_token_that_no_header_can_carry_does_not_open(browse: Browsing):
    answer = await send(browse(""), "/login", token="a\nb")
    assert (answer.status, "this is no token of a gateway" in answer.text) == (401, True)


async def test_a_token_for_tools_is_told_that_it_opens_no_pages(browse: Browsing):
    async with browse("mia").post("/api/v2/users/me/keys/tokens", json={"scopes": ["ai:use"]}) as answer:
        key = (await answer.json())["key"]
    refused = await send(browse(""), "/login", token=key)
    assert refused.status == 403
    assert "the scope coder:all" in refused.text
    assert "Set-Cookie" not in refused.headers


async def test_who_has_signed_in_in_another_tab_can_still_send_the_form_of_this_one(house: Living, browse: Browsing):
    answer = await send(browse("mia"), "/login", page="/nowhere", token=house.tokens["audrey"])
    assert (answer.status, answer.location) == (303, "/")


async def test_a_change_of_colours_leads_back_to_the_same_page(house: Living, browse: Browsing):
    page = await look(browse("admin"), "/users?q=nobody&status=active")
    assert 'name="next" value="/users?q=nobody&amp;status=active"' in page.text
    form = {"Referer": f"{house.url}/tokens/add?x=1"}
    async with browse("admin").post("/account/password", data={}, headers=form) as refused:
        assert 'name="next" value="/tokens/add?x=1"' in await refused.text()


async def test_a_form_that_comes_too_late_leads_back_to_its_page(house: Living, browse: Browsing):
    sent = browse("").post("/tokens/add", headers={"Referer": f"{house.url}/tokens/add"}, allow_redirects=False)
    async with sent as answer:
        assert answer.headers["Location"] == "/login?next=%2Ftokens%2Fadd"
    sent = browse("").post("/tokens/add", headers={"Referer": "https://evil.example/x"}, allow_redirects=False)
    async with sent as answer:
        assert answer.headers["Location"] == "/login"


async def test_an_address_too_long_to_come_back_to_is_forgotten(browse: Browsing):
    assert (await look(browse(""), "/aibridge/sessions?filter=" + "x" * 5000)).location == "/login"


async def test_a_part_of_a_page_takes_no_notice_away(browse: Browsing):
    person = browse("mia")
    await send(person, "/account/profile", page="/account", username="mia", name="Mia", email="mia@example.com")
    await look(person, "/tokens", **{"HX-Request": "true"})
    assert "Your account is saved." in (await look(person, "/tokens")).text
