"""How the providers do, as the API tells it."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import aiohttp
from aiohttp import web
from aiohttp.test_utils import TestServer

from coderai.api.app import Services, add_routes
from coderai.api.services import Gateway
from coderai.control.first_start import first_start
from coderai.control.tokens import Lifetimes
from coderai.providers.breaker import Breakers, Rule
from coderai.providers.registry import Registry, build
from coderai.settings import Settings
from coderai.settings.provider import ProviderConfig
from coderai.store.engine import Store
from tests.store.building import begun, ended, interception

CONFIGS = (
    ProviderConfig("openai", "corp", "https://ai.example.com/v1", ("sk-first-0123456789", "sk-second-0123456789")),
    ProviderConfig("openai", "keyless", "https://ai.example.com/v1"),
)


async def test_keys_circuits_and_first_bytes_are_told_without_a_secret(store: Store, tmp_path: Path) -> None:
    await first_start(store, tmp_path)
    registry = Registry([build(config, allow_byok=False) for config in CONFIGS])
    keys = registry.all()[0].keys
    keys.failed(next(keys.walk(None)), 401, None)
    breakers = Breakers(Rule(threshold=1))
    breakers.enter("corp", "/v1/responses", "gpt-5").failed()
    for milliseconds in (100, 200, 900):
        it = interception(provider_name="corp", started_at=datetime.now(UTC) - timedelta(minutes=1))
        first, whole = it.started_at + timedelta(milliseconds=milliseconds), ended(it)
        await store.records.commit([begun(it)])
        await store.records.commit([replace(whole, end=replace(whole.end, first_byte_at=first))])

    app = web.Application()
    gateway = Gateway(registry, enabled=True, circuits=breakers.states)
    add_routes(app, Services.over(store, settings=Settings(), lifetimes=Lifetimes(), gateway=gateway), private=True)
    async with (
        TestServer(app) as server,
        aiohttp.request("GET", server.make_url("/api/v2/ai/provider-health")) as answer,
    ):
        text, body = await answer.text(), await answer.json()
    corp, keyless = body["providers"]
    assert (corp["requests"], corp["errors"], corp["first_byte_ms"]) == (3, 0, {"p50": 200, "p95": 900})
    assert [(key["number"], key["state"]) for key in corp["keys"]] == [(1, "refused"), (2, "ok")]
    assert corp["circuits"] == [{"route": "/v1/responses", "model": "gpt-5", "state": "open"}]
    assert (keyless["state"], keyless["keys"], keyless["first_byte_ms"]) == ("error", [], None)
    assert "sk-" not in text
