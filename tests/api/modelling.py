"""Providers and models for the tests of the registry."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any, Final

import aiohttp
from aiohttp import web
from aiohttp.test_utils import TestServer

from coderai.api.app import Services, add_routes
from coderai.api.services import Gateway
from coderai.control.authority import TokenAuthority
from coderai.control.tokens import Lifetimes
from coderai.ids import new_id
from coderai.providers.keys import KeyPool
from coderai.providers.registry import FAMILIES, Instance, Registry
from coderai.settings import Settings
from coderai.store.providers import Provider, Providers
from tests.api.conftest import NOW, Api

CONFIGS: Final = "/api/experimental/chats/model-configs"
LISTING: Final = "/api/experimental/chats/models"
OVERRIDES: Final = "/api/experimental/chats/config"
OPUS: Final = {"model": "claude-opus-4-6", "display_name": "Opus 4.6", "context_limit": 200_000}
GPT: Final = {"model": "gpt-5.3-codex", "display_name": "Codex", "context_limit": 400_000}

CENTRAL: Final = KeyPool(("sk-central-0123456789",))
FAMILY: Final = {"anthropic": "anthropic", "copilot": "copilot"}


async def provider(api: Api, name: str, type_: str = "", **fields: Any) -> str:
    """Put a provider into the table, and return its id; the name stands for the type."""
    row = Provider(new_id(), type_ or name, name, "https://ai.example.com/v1", NOW, NOW, source="config")
    async with api.store.transaction() as db:
        await Providers(db).insert(replace(row, **fields))
    return row.id


async def disable(api: Api, provider_id: str, **fields: Any) -> None:
    async with api.store.transaction() as db:
        row = await Providers(db).get(provider_id)
        await Providers(db).update(replace(row, **(fields or {"enabled": False})))


def instance(name: str, type_: str = "", keys: KeyPool = CENTRAL, **fields: Any) -> Instance:
    """What the data plane serves under that name."""
    type_ = type_ or name
    family = FAMILIES[FAMILY.get(type_, "openai")]
    return replace(Instance(name, type_, "https://ai.example.com", family, keys), **fields)


@asynccontextmanager
async def serving(api: Api, *instances: Instance, allow_byok: bool = True) -> AsyncIterator[Api]:
    """The same people before a server whose data plane serves *instances*."""
    app = web.Application()
    gateway = Gateway(Registry(instances), enabled=True, allow_byok=allow_byok)
    services = Services.over(api.store, settings=Settings(), lifetimes=Lifetimes(), gateway=gateway)
    add_routes(app, services, authority=TokenAuthority(api.store))
    async with TestServer(app) as server, aiohttp.ClientSession() as http:
        yield replace(api, url=str(server.make_url("")).rstrip("/"), http=http)


async def add(api: Api, provider_name: str, model: dict[str, Any], **fields: Any) -> dict[str, Any]:
    """Register a model, and return it."""
    answer = await api.post(CONFIGS, {"ai_provider_id": provider_name, **model, **fields})
    assert answer.status == 201, answer.text
    return dict(answer.body)


async def defaults(api: Api) -> list[str]:
    """The display names of the defaults: one."""
    return [each["display_name"] for each in (await api.get(CONFIGS)).body if each["is_default"]]
