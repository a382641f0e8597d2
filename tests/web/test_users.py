"""The pages of users, and of one's own account."""

import re

import pytest

from tests.web.conftest import Browsing
from tests.web.living import PASSWORD
from tests.web.reading import look, send


async def _added(browse: Browsing, name: str, **fields: str) -> str:
    """Add somebody and return the page about him."""
    made = await send(browse("admin"), "/users/add", username=name, email=f"{name}@example.com", **fields)
    assert made.status == 303, made.text
    return made.location


async def test_somebody_is_added_found_and_changed(browse: Browsing):
    admin = browse("admin")
    page = await _added(browse, "nina", password=PASSWORD, roles="auditor")
    assert re.search(r'value="auditor" checked', (await look(admin, page)).text)
    await send(admin, f"{page}/profile", page=page, username="nina", name="Nina N", email="nina@example.com")
    await send(admin, f"{page}/roles", page=page)
    assert "The roles are saved." in (await look(admin, "/users")).text
    shown = (await look(admin, page)).text
    assert "Nina N" in shown
    assert not re.search(r'value="auditor" checked', shown)
    assert "Nina N" in (await look(admin, "/users?q=nina")).text


async def test_who_is_suspended_cannot_sign_in_until_activated(browse: Browsing):
    admin, page = browse("admin"), await _added(browse, "sven", password=PASSWORD)
    await send(admin, f"{page}/suspend", page=page)
    assert (await send(browse(""), "/login", email="sven", password=PASSWORD)).status in (401, 403)
    await send(admin, f"{page}/activate", page=page)
    assert (await send(browse(""), "/login", email="sven", password=PASSWORD)).status == 303


@pytest.mark.parametrize("way", ["delete", "erase"])
async def test_who_is_deleted_is_gone(browse: Browsing, way):
    admin, page = browse("admin"), await _added(browse, f"gone-by-{way}", password=PASSWORD)
    assert (await send(admin, f"{page}/{way}", page=page)).location == "/users"
    assert (await send(browse(""), "/login", email=f"gone-by-{way}", password=PASSWORD)).status == 401


async def test_mistakes_are_told_at_their_fields(browse: Browsing):
    answer = await send(browse("admin"), "/users/add", username="not a name", email="not an e-mail", password="x")
    assert answer.status == 400
    assert 'value="not a name"' in answer.text
    assert 'id="h-username" class="wrong"' in answer.text
    answer = await send(browse("admin"), "/users/add", username="mia", email="mia@example.com")
    assert answer.status == 409


async def test_the_last_owner_stays(browse: Browsing):
    admin = browse("admin")
    answer = await send(admin, "/users/admin/suspend", page="/users/add")
    assert answer.status in (400, 409)
    assert 'role="alert"' in answer.text


async def test_a_member_sees_and_adds_nobody(browse: Browsing):
    mia = browse("mia")
    assert "audrey" not in (await look(mia, "/users")).text
    assert (await look(mia, "/users/admin")).status == 404
    assert (await send(mia, "/users/add", username="friend", email="f@example.com")).status == 403


async def test_an_auditor_looks_and_changes_nothing(browse: Browsing):
    page = await look(browse("audrey"), "/users/admin")
    assert page.status == 200
    assert '<form method="post" action="/users/' not in page.text


async def test_ones_own_profile(browse: Browsing):
    page = await _added(browse, "paul", password=PASSWORD)
    paul = browse("")
    await send(paul, "/login", email="paul", password=PASSWORD)
    await send(paul, "/account/profile", page="/account", username="paul", name="Paul P", email="paul@example.com")
    assert "Paul P" in (await look(browse("admin"), page)).text
    wrong = await send(paul, "/account/profile", page="/account", username="mia", name="x", email="paul@example.com")
    assert wrong.status == 409


async def test_ones_own_password(browse: Browsing):
    await _added(browse, "pia", password=PASSWORD)
    pia = browse("")
    await send(pia, "/login", email="pia", password=PASSWORD)
    wrong = await send(pia, "/account/password", page="/account", old_password="no", password="another long one")
    assert wrong.status == 400
    done = await send(pia, "/account/password", page="/account", old_password=PASSWORD, password="another long one")
    assert done.location == "/account"
    assert (await send(browse(""), "/login", email="pia", password="another long one")).status == 303
