"""Signing in with a password: sessions, cookies, and what keeps guessers and other sites away."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from coderai.api.app import Services, add_routes
from coderai.api.doors import CookieRules
from coderai.control.authority import TokenAuthority
from coderai.control.tokens import Lifetimes
from coderai.settings import Settings
from coderai.store.engine import Store
from tests.api.conftest import Answer, Api

PASSWORD = "correct horse"
EVIL = {"Origin": "https://evil.example.com"}


@pytest.fixture
def dialect() -> str:
    """The queries are tested on both databases elsewhere."""
    return "sqlite"


@pytest.fixture
async def ada(api: Api) -> Api:
    """There is a person with a password."""
    made = await api.post("users", {"username": "ada", "email": "Ada@example.com", "password": PASSWORD})
    api.ids["ada"] = made.body["id"]
    return api


async def login(api: Api, email: str = "ada@example.com", password: str = PASSWORD, **headers: str) -> Answer:
    body = {"email": email, "password": password}
    return await api.ask("POST", "users/login", None, json=body, headers=headers)


async def session(api: Api) -> str:
    """Sign in; the browser of the test forgets the cookie."""
    token = (await login(api)).body["session_token"]
    api.http.cookie_jar.clear()
    return str(token)


@pytest.mark.parametrize("named", ["ada@example.com", "ADA@EXAMPLE.COM", "ada", "Ada"])
async def test_who_knows_the_password_gets_a_session(ada: Api, named: str) -> None:
    answer = await login(ada, named)
    ada.http.cookie_jar.clear()
    assert (answer.status, list(answer.body)) == (201, ["session_token"])
    me = await ada.get("users/me", None, coder_session_token=answer.body["session_token"])
    assert me.body["username"] == "ada"


async def test_wrong_passwords_and_unknown_people_get_the_same_answer(ada: Api) -> None:
    tries = [("ada@example.com", "wrong"), ("nobody@example.com", PASSWORD), ("nobody", "x"), ("mia", ""), ("", "")]
    answers = [await login(ada, *each) for each in tries]
    assert {answer.status for answer in answers} == {401}
    assert len({answer.text for answer in answers}) == 1


async def test_a_service_account_cannot_sign_in(ada: Api) -> None:
    assert (await login(ada, "bot", "")).status == 401


async def test_a_suspended_user_is_told_so_only_with_the_right_password(ada: Api) -> None:
    await ada.ask("PUT", "users/ada/status/suspend")
    right, wrong = await login(ada), await login(ada, password="wrong")
    assert (right.status, "suspended" in right.text) == (401, True)
    assert (wrong.status, "suspended" in wrong.text) == (401, False)


async def test_the_cookie_is_hidden_from_scripts_and_other_sites(ada: Api) -> None:
    cookie = (await login(ada)).headers["Set-Cookie"]
    name, *attributes = cookie.split("; ")
    assert name.startswith("coder_session_token=")
    assert sorted(attributes) == ["HttpOnly", "Path=/", "SameSite=Lax"]


async def test_signing_out_ends_the_session_and_takes_the_cookie_back(ada: Api) -> None:
    token = await session(ada)
    answer = await ada.ask("POST", "users/logout", None, headers={"Coder-Session-Token": token})
    assert answer.status == 200
    assert 'coder_session_token=""' in answer.headers["Set-Cookie"]
    assert (await ada.get("users/me", None, coder_session_token=token)).status == 401


async def test_signing_out_with_a_token_leaves_the_token(api: Api) -> None:
    assert "goes on working" in (await api.ask("POST", "users/logout", "mia")).body["message"]
    assert (await api.get("users/me", "mia")).status == 200


async def test_a_session_is_not_among_the_tokens_and_lasts_a_day(ada: Api) -> None:
    token = await session(ada)
    assert (await ada.get("users/ada/keys/tokens")).body == []
    shown = (await ada.get(f"users/ada/keys/{token[:10]}")).body
    life = datetime.fromisoformat(shown["expires_at"]) - datetime.fromisoformat(shown["created_at"])
    assert (shown["login_type"], life) == ("password", timedelta(days=1))


async def test_a_further_session_is_for_oneself_only(api: Api) -> None:
    made = await api.post("users/me/keys", None, "mia")
    assert (await api.get("users/me", None, access_token=made.body["key"])).body["username"] == "mia"
    assert (await api.post("users/mia/keys", None, "olga")).status == 404


async def test_a_browser_changes_things_from_our_own_pages_only(ada: Api) -> None:
    token = (await login(ada)).body["session_token"]
    cookie = {"Cookie": f"coder_session_token={token}"}
    ada.http.cookie_jar.clear()
    pages = [EVIL, {"Origin": "null"}, {"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"}]
    ours = [{}, {"Origin": ada.url}, {"Sec-Fetch-Site": "same-origin"}, {"Sec-Fetch-Site": "none"}]
    refused = [await ada.ask("POST", "users/me/keys", None, headers={**cookie, **page}) for page in pages]
    taken = [await ada.ask("POST", "users/me/keys", None, headers={**cookie, **page}) for page in ours]
    assert [answer.status for answer in refused] == [403] * 4
    assert [answer.status for answer in taken] == [201] * 4


async def test_a_page_of_another_site_may_not_sign_a_browser_in(ada: Api) -> None:
    assert (await login(ada, **EVIL)).status == 403


async def test_a_token_that_no_browser_sends_by_itself_may_come_from_anywhere(api: Api) -> None:
    assert (await api.ask("POST", "users/me/keys", "mia", headers=EVIL)).status == 201


async def test_reading_with_a_cookie_is_not_asked_where_from(ada: Api) -> None:
    cookie = {"Cookie": f"coder_session_token={await session(ada)}"}
    assert (await ada.ask("GET", "users/me", None, headers={**cookie, **EVIL})).status == 200


@pytest.fixture
async def strict(ada: Api, store: Store) -> AsyncIterator[Api]:
    """The same people, behind a proxy that takes TLS off, with other settings."""
    settings = Settings(
        access_url="https://ai.example.com",
        disable_password_auth=True,
        api_rate_limit=3,
        proxy_trusted_origins=("127.0.0.0/8",),
        proxy_trusted_headers=("X-Forwarded-For",),
    )
    app = web.Application()
    services = Services.over(store, settings=settings, lifetimes=Lifetimes())
    add_routes(app, services, authority=TokenAuthority(store))
    async with TestServer(app) as server, aiohttp.ClientSession() as http:
        yield replace(ada, url=str(server.make_url("")).rstrip("/"), http=http)


async def test_passwords_can_be_switched_off(strict: Api) -> None:
    assert (await login(strict)).status == 403
    assert (await strict.get("users/authmethods", None)).body["password"] == {"enabled": False}


async def test_behind_https_the_cookie_goes_there_only(strict: Api) -> None:
    answer = await strict.ask("POST", "users/logout", "mia")
    assert "Secure" in answer.headers["Set-Cookie"]


async def test_too_many_requests_are_refused_by_user_and_route(strict: Api) -> None:
    assert [(await strict.get("users/me", "mia")).status for _ in range(4)] == [200, 200, 200, 429]
    assert [(await strict.get(path, who)).status for path, who in (("users", "mia"), ("users/me", "max"))] == [200, 200]


async def test_owners_may_ask_not_to_be_counted(strict: Api) -> None:
    bypass = {"X-Coder-Bypass-Ratelimit": "true"}
    answers = [await strict.ask("GET", "users/me", "olga", headers=bypass) for _ in range(5)]
    assert {answer.status for answer in answers} == {200}
    assert (await strict.ask("GET", "users/me", "mia", headers=bypass)).status == 403


async def test_strangers_are_counted_by_the_address_that_the_proxy_names(strict: Api) -> None:
    here, there = {"X-Forwarded-For": "10.1.1.1, 192.0.2.1"}, {"X-Forwarded-For": "192.0.2.2"}
    answers = [await strict.ask("GET", "users/me", None, headers=here) for _ in range(4)]
    assert [answer.status for answer in answers] == [401, 401, 401, 429]
    assert (await strict.ask("GET", "users/me", None, headers=there)).status == 401
    assert (await strict.get("/healthz", None)).status == 200


@pytest.mark.parametrize(
    ("settings", "rules"),
    [
        ({}, CookieRules(secure=False, same_site="lax")),
        ({"access_url": "https://ai.example.com"}, CookieRules(secure=True, same_site="lax")),
        ({"secure_auth_cookie": True}, CookieRules(secure=True, same_site="lax")),
        ({"samesite_auth_cookie": "none"}, CookieRules(secure=True, same_site="none")),
    ],
)
async def test_the_rules_of_the_cookie_follow_the_settings(
    store: Store, settings: dict[str, Any], rules: CookieRules
) -> None:
    assert Services.over(store, settings=Settings(**settings), lifetimes=Lifetimes()).cookies == rules
