"""Redirects to the access URL, and what browsers are told about TLS. See ``test_tls`` for a listener with TLS."""

import aiohttp
import pytest
from yarl import URL

from coderai.settings import Settings
from tests.server.conftest import Opening

AI = Settings(access_url="https://ai.example.com", redirect_to_access_url=True)


async def sent_to(opened: Opening, settings: Settings, path: str, method: str = "GET", **headers: str) -> str:
    """Return where a browser is sent; empty: it is served here."""
    async with (
        opened(settings) as url,
        aiohttp.ClientSession() as http,
        http.request(
            method,
            URL(url + path, encoded=True),
            headers={name.replace("_", "-"): value for name, value in headers.items()},
            allow_redirects=False,
        ) as answer,
    ):
        assert answer.status == (307 if "Location" in answer.headers else 200)
        return answer.headers.get("Location", "")


@pytest.mark.parametrize(
    ("path", "to"),
    [
        ("/", "https://ai.example.com/"),
        ("/sessions?q=a%20b", "https://ai.example.com/sessions?q=a%20b"),
        ("//elsewhere.example.com/x", "https://ai.example.com/elsewhere.example.com/x"),
        ("/apis", "https://ai.example.com/apis"),
    ],
)
async def test_a_browser_that_came_to_another_name_is_sent_on(opened: Opening, path: str, to: str):
    assert await sent_to(opened, AI, path) == to


async def test_the_path_of_the_access_url_is_kept(opened: Opening):
    settings = Settings(access_url="https://example.com/ai/", redirect_to_access_url=True)
    assert await sent_to(opened, settings, "/sessions") == "https://example.com/ai/sessions"


@pytest.mark.parametrize("path", ["/api/v2/users/me", "/api/v2/aibridge/sessions", "/healthz", "/readyz"])
async def test_programs_stay_where_they_are(opened: Opening, path: str):
    assert await sent_to(opened, AI, path) == ""


async def test_what_changes_something_stays_where_it_is(opened: Opening):
    assert await sent_to(opened, AI, "/login", "POST") == ""


async def test_nobody_is_sent_without_the_option(opened: Opening):
    assert await sent_to(opened, Settings(access_url="https://ai.example.com"), "/") == ""


@pytest.mark.parametrize(
    ("headers", "to"),
    [
        ({"Host": "ai.example.com"}, "https://ai.example.com/"),  # the right name, but without TLS
        ({"Host": "AI.example.com", "X_Forwarded_Proto": "https"}, ""),
        ({"Host": "inside:3000", "X_Forwarded_Host": "ai.example.com", "X_Forwarded_Proto": "https"}, ""),
        ({"Host": "inside:3000", "X_Forwarded_Proto": "https"}, "https://ai.example.com/"),
    ],
)
async def test_a_proxy_in_front_does_not_send_in_circles(opened: Opening, headers: dict[str, str], to: str):
    assert await sent_to(opened, AI, "/", **headers) == to


async def told(opened: Opening, settings: Settings) -> str | None:
    async with opened(settings) as url, aiohttp.ClientSession() as http, http.get(url) as answer:
        return answer.headers.get("Strict-Transport-Security")


async def test_browsers_are_told_to_come_by_tls_only_where_they_can(opened: Opening):
    option = {"strict_transport_security": 600, "strict_transport_security_options": ("includeSubDomains",)}
    assert (
        await told(opened, Settings(access_url="https://ai.example.com", **option)) == "max-age=600; includeSubDomains"
    )
    assert await told(opened, Settings(access_url="http://ai.example.com", **option)) is None
    assert await told(opened, Settings(access_url="https://ai.example.com")) is None
