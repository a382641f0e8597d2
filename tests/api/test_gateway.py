"""What somebody who points a tool at the gateway may know."""

from collections.abc import AsyncIterator
from dataclasses import replace

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from coderai.api.app import Services, add_routes
from coderai.api.services import Gateway
from coderai.control.authority import TokenAuthority
from coderai.control.tokens import Lifetimes
from coderai.providers.anthropic import ANTHROPIC
from coderai.providers.keys import KeyPool
from coderai.providers.registry import Instance, Registry
from coderai.settings import Settings
from coderai.store.engine import Store
from tests.api.conftest import Api

PROVIDERS = Registry(
    [
        Instance("corp", "anthropic", "https://secret.example.com", ANTHROPIC, KeyPool(("sk-ant-0123456789",))),
        Instance("direct", "anthropic", "https://secret.example.com", ANTHROPIC),
        Instance("broken", "google", "https://secret.example.com", None, state="error", reason="because"),
    ]
)


@pytest.fixture
def dialect() -> str:
    """Nothing here depends on the database."""
    return "sqlite"


@pytest.fixture
async def gateway(api: Api, store: Store) -> AsyncIterator[Api]:
    """The same people, beside a data plane."""
    settings = Settings(aibridge_enabled=True, access_url="https://ai.example.com")
    app = web.Application()
    services = Services.over(store, settings=settings, lifetimes=Lifetimes(), gateway=Gateway(PROVIDERS, True, True))
    add_routes(app, services, authority=TokenAuthority(store))
    async with TestServer(app) as server, aiohttp.ClientSession() as http:
        yield replace(api, url=str(server.make_url("")).rstrip("/"), http=http)


@pytest.mark.parametrize("who", ["mia", "olga", "bot"])
@pytest.mark.parametrize("prefix", ["aibridge", "ai-gateway"])
async def test_everybody_may_know_where_to_go(gateway: Api, who: str, prefix: str) -> None:
    answer = await gateway.get(f"{prefix}/clients/setup", who)
    assert answer.body == {
        "access_url": "https://ai.example.com",
        "enabled": True,
        "byok": True,
        "proxy": None,
        "providers": [
            {"name": "corp", "type": "anthropic", "family": "anthropic", "state": "enabled", "central_key": True},
            {"name": "direct", "type": "anthropic", "family": "anthropic", "state": "enabled", "central_key": False},
            {"name": "broken", "type": "google", "family": "", "state": "error", "central_key": False},
        ],
    }


async def test_without_a_token_nobody_learns_the_names(gateway: Api) -> None:
    assert (await gateway.get("aibridge/clients/setup", None)).status == 401


async def test_keys_and_addresses_of_providers_are_not_told(gateway: Api) -> None:
    text = (await gateway.get("aibridge/clients/setup")).text
    assert "secret.example.com" not in text
    assert "sk-ant" not in text


async def test_without_a_data_plane_there_is_nothing_to_point_at(api: Api) -> None:
    answer = await api.get("aibridge/clients/setup", "mia")
    assert answer.body == {"access_url": "", "enabled": False, "byok": False, "proxy": None, "providers": []}
