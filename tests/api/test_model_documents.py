"""What is sent about models is what the OpenAPI document says."""

import pytest

from coderai.providers.keys import KeyPool
from tests.api.conftest import Api
from tests.api.modelling import CONFIGS, GPT, LISTING, OPUS, OVERRIDES, add, instance, provider, serving
from tests.api.test_openapi import deviations

LATER = "/api/v2/organizations/{organization}/chats/models"
MODEL, CONTEXT = CONFIGS + "/{model}", OVERRIDES + "/model-override/{context}"
OWN, THRESHOLDS = f"{OVERRIDES}/user-personal-model-overrides", f"{OVERRIDES}/user-compaction-thresholds"


@pytest.fixture
def dialect() -> str:
    """Nothing here depends on the database."""
    return "sqlite"


async def test_answers_about_models_are_what_the_document_says(api: Api) -> None:
    for name in ("openai", "anthropic", "copilot"):
        await provider(api, name)
    options = {"temperature": 1, "reasoning_effort": {"default": "low", "max": "high"}}
    async with serving(api, instance("openai"), instance("anthropic", keys=KeyPool())) as server:
        await add(server, "anthropic", OPUS)
        made = await add(server, "openai", GPT, model_config=options)
        one = f"{CONFIGS}/{made['id']}"
        answers = [
            ("GET", LISTING, LISTING, None),
            ("GET", LATER, LATER.format(organization="default"), None),
            ("GET", CONFIGS, CONFIGS, None),
            ("POST", CONFIGS, CONFIGS, {"ai_provider_id": "openai", **GPT}),
            ("POST", CONFIGS, CONFIGS, {}),
            ("GET", MODEL, one, None),
            ("PATCH", MODEL, one, {"enabled": True}),
            ("POST", MODEL + "/request", one + "/request", {}),
            ("GET", "/api/experimental/chats/model-config-schema", "/api/experimental/chats/model-config-schema", None),
            ("GET", CONTEXT, f"{OVERRIDES}/model-override/general", None),
            ("GET", f"{OVERRIDES}/personal-model-overrides", f"{OVERRIDES}/personal-model-overrides", None),
            ("GET", OWN, OWN, None),
            ("PUT", OWN + "/{context}", f"{OWN}/root", {"mode": "model"}),
            ("PUT", THRESHOLDS + "/{model}", f"{THRESHOLDS}/{made['id']}", {"threshold_percent": 5}),
            ("GET", THRESHOLDS, THRESHOLDS, None),
            ("GET", f"{OVERRIDES}/resolved-model/{{context}}", f"{OVERRIDES}/resolved-model/root", None),
            ("GET", f"{OVERRIDES}/resolved-model/{{context}}", f"{OVERRIDES}/resolved-model/x", None),
        ]
        described = (await server.get("openapi.json")).body
        assert [
            (path, await deviations(server, described, method, path, asked, body))
            for method, path, asked, body in answers
        ] == [(path, []) for _, path, _, _ in answers]
