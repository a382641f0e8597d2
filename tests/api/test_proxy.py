"""What clients of the intercepting proxy may know, and whom they are to trust."""

import ssl
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from coderai.api.app import Services, add_routes
from coderai.api.services import Gateway, ProxyDoor
from coderai.control.authority import TokenAuthority
from coderai.control.tokens import Lifetimes
from coderai.proxy.issuing import new_authority
from coderai.settings import Settings
from coderai.store.engine import Store
from tests.api.conftest import Api

CERTIFICATE = new_authority("CA", datetime.now(UTC)).certificate_pem
DOOR = ProxyDoor(lambda: CERTIFICATE, "", 8888, True, lambda: {"second": "first"})


@pytest.fixture
def dialect() -> str:
    """Nothing here depends on the database."""
    return "sqlite"


@pytest.fixture
async def proxied(api: Api, store: Store) -> AsyncIterator[Api]:
    """The same people, beside a proxy."""
    app = web.Application()
    gateway = Gateway(enabled=True, allow_byok=True, proxy=DOOR)
    services = Services.over(store, settings=Settings(), lifetimes=Lifetimes(), gateway=gateway)
    add_routes(app, services, authority=TokenAuthority(store))
    async with TestServer(app) as server, aiohttp.ClientSession() as http:
        yield replace(api, url=str(server.make_url("")).rstrip("/"), http=http)


@pytest.mark.parametrize("who", ["mia", None])
@pytest.mark.parametrize("prefix", ["aibridge", "ai-gateway"])
async def test_anybody_may_have_the_certificate(proxied: Api, who: str | None, prefix: str) -> None:
    answer = await proxied.get(f"{prefix}/proxy/ca-cert.pem", who)
    assert (answer.status, answer.text) == (200, CERTIFICATE.decode())
    assert answer.headers["Content-Type"] == "application/x-pem-file"
    assert answer.headers["Content-Disposition"] == "attachment; filename=ca-cert.pem"


async def test_in_binary_form(proxied: Api) -> None:
    async with proxied.http.get(f"{proxied.url}/api/v2/aibridge/proxy/ca-cert.der") as answer:
        assert answer.headers["Content-Type"] == "application/pkix-cert"
        assert ssl.DER_cert_to_PEM_cert(await answer.read()) == CERTIFICATE.decode()


@pytest.mark.parametrize("form", ["pem", "der"])
async def test_without_a_proxy_there_is_none(api: Api, form: str) -> None:
    answer = await api.get(f"aibridge/proxy/ca-cert.{form}")
    assert (answer.status, answer.body["message"]) == (404, "MITM CA certificate not configured")
    assert "--aibridge-proxy-enabled" in answer.body["detail"]


async def test_a_provider_whose_place_another_one_has_is_shown_so(proxied: Api) -> None:
    for name in ("first", "second"):
        provider = {"type": "openai", "name": name, "enabled": True, "base_url": "https://api.openai.com/v1"}
        made = await proxied.post("ai/providers", provider)
        assert made.status == 201, made.body
    shown = {each["name"]: (each["status"], each["status_reason"]) for each in (await proxied.get("ai/providers")).body}
    assert shown["first"] == ("enabled", "")
    assert shown["second"][0] == "proxy_excluded"
    assert "leads to first" in shown["second"][1]


async def test_those_who_may_call_models_learn_where_the_proxy_is(proxied: Api) -> None:
    answer = await proxied.get("aibridge/clients/setup", "mia")
    assert answer.body["proxy"] == {"host": "", "port": 8888, "tls": True}
