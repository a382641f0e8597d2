"""Overrides over HTTP, and the question which model is meant."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from coderai.ids import new_id
from coderai.providers.keys import KeyPool
from tests.api.conftest import Api
from tests.api.modelling import CONFIGS, GPT, OPUS, OVERRIDES, add, disable, instance, provider, serving

GATE = f"{OVERRIDES}/personal-model-overrides"
OWN = f"{OVERRIDES}/user-personal-model-overrides"


@pytest.fixture
async def server(api: Api) -> AsyncIterator[Api]:
    """Two providers whose models everybody can use, and a third without a key."""
    for name in ("openai", "anthropic", "google"):
        await provider(api, name)
    served = (instance("openai"), instance("anthropic"), instance("google", keys=KeyPool()))
    async with serving(api, *served) as server:
        yield server


async def put(api: Api, path: str, who: str = "olga", **body: Any) -> int:
    return (await api.ask("PUT", f"{OVERRIDES}/{path}", who, json=body)).status


async def allow(api: Api, allowed: bool = True) -> None:
    assert await put(api, "personal-model-overrides", allow_users=allowed) == 204


async def meant(api: Api, context: str, who: str = "mia", **parameters: str) -> tuple[str, str]:
    """The display name of the model and the layer that chose it."""
    answer = await api.get(f"{OVERRIDES}/resolved-model/{context}", who, **parameters)
    assert answer.status == 200, answer.text
    return answer.body["display_name"], answer.body["layer"]


async def test_an_override_of_the_deployment_is_set_shown_and_cleared(server: Api):
    made = await add(server, "openai", GPT)
    path = f"{OVERRIDES}/model-override/explore"
    nothing = {"context": "explore", "model_config_id": "", "is_malformed": False, "is_set": False, "usable": False}
    assert (await server.get(path, "mia")).body == {**nothing, "unusable_reason": ""}
    assert await put(server, "model-override/explore", model_config_id=made["id"]) == 204
    chosen = {**nothing, "model_config_id": made["id"], "is_set": True, "usable": True, "unusable_reason": ""}
    assert (await server.get(path, "mia")).body == chosen
    assert await put(server, "model-override/explore", model_config_id="") == 204
    assert (await server.get(path)).body["is_set"] is False


@pytest.mark.parametrize("context", ["root", "compaction", "x"])
async def test_contexts_without_an_override_of_the_deployment(server: Api, context: str):
    answer = await server.get(f"{OVERRIDES}/model-override/{context}")
    assert (answer.status, answer.fields) == (400, ["context"])
    assert answer.body["validations"][0]["detail"] == "must be one of general, explore, title_generation"


async def test_only_models_that_work_can_be_chosen(server: Api):
    off = await add(server, "openai", GPT, enabled=False)
    for model_id, field in ((off["id"], "model_config_id"), (new_id(), "model_config_id")):
        answer = await server.ask("PUT", f"{OVERRIDES}/model-override/general", json={"model_config_id": model_id})
        assert (answer.status, answer.fields) == (400, [field])
    assert await put(server, "model-override/general", model_config_id="gpt") == 400
    assert await put(server, "model-override/general") == 400


async def test_what_persons_choose_counts_only_when_it_is_allowed(server: Api):
    await add(server, "openai", GPT)
    mine = await add(server, "anthropic", OPUS)
    choice = {"mode": "model", "model_config_id": mine["id"]}
    assert (await server.get(GATE, "mia")).body == {"allow_users": False}
    assert await put(server, "user-personal-model-overrides/root", "mia", **choice) == 403
    await allow(server)
    assert await put(server, "user-personal-model-overrides/root", "mia", **choice) == 204
    assert (await meant(server, "root"), await meant(server, "root", "max")) == (
        ("Opus 4.6", "personal"),
        ("Codex", "default"),
    )
    await allow(server, False)
    shown = (await server.get(OWN, "mia")).body
    assert (shown["enabled"], shown["root"]["model_config_id"]) == (False, mine["id"])
    assert await meant(server, "root") == ("Codex", "default")


async def test_own_overrides_are_shown_in_full(server: Api):
    made = await add(server, "openai", GPT)
    await allow(server)
    await put(server, "model-override/general", model_config_id=made["id"])
    await put(server, "user-personal-model-overrides/general", "mia", mode="chat_default")
    unset = {"model_config_id": "", "is_malformed": False, "is_set": False, "usable": True, "unusable_reason": ""}
    assert (await server.get(OWN, "mia")).body == {
        "enabled": True,
        "root": {"context": "root", "mode": "chat_default", **unset},
        "general": {"context": "general", "mode": "chat_default", **unset, "is_set": True},
        "explore": {"context": "explore", "mode": "deployment_default", **unset},
        "deployment_defaults": {
            "general": {"context": "general", **unset, "model_config_id": made["id"], "is_set": True},
            "explore": {"context": "explore", **unset, "usable": False},
        },
    }


async def test_a_choice_is_forgotten(server: Api):
    await add(server, "openai", GPT)
    await allow(server)
    await put(server, "user-personal-model-overrides/general", "mia", mode="chat_default")
    assert (await server.ask("DELETE", f"{OWN}/general", "mia")).status == 204
    assert (await server.get(OWN, "mia")).body["general"]["is_set"] is False


NO_CHOICES = [
    ("root", {"mode": "deployment_default"}, "mode"),
    ("general", {"mode": "other"}, "mode"),
    ("general", {}, "mode"),
    ("general", {"mode": "model"}, "model_config_id"),
    ("general", {"mode": "model", "model_config_id": new_id()}, "model_config_id"),
    ("title_generation", {"mode": "chat_default"}, "context"),
]


async def test_choices_that_are_none(server: Api):
    await allow(server)
    for context, body, field in NO_CHOICES:
        answer = await server.ask("PUT", f"{OWN}/{context}", "mia", json=body)
        assert (answer.status, answer.fields) == (400, [field]), (context, body)


async def test_which_model_is_meant_falls_through_and_says_why(server: Api):
    default = await add(server, "openai", GPT)
    admins = await add(server, "anthropic", OPUS)
    mine = await add(server, "openai", {**GPT, "display_name": "Mine"})
    await allow(server)
    await put(server, "model-override/general", model_config_id=admins["id"])
    await put(server, "user-personal-model-overrides/general", "mia", mode="model", model_config_id=mine["id"])
    parent = {"parent_model_config_id": default["id"]}
    assert await meant(server, "general", **parent) == ("Mine", "personal")
    await server.ask("PATCH", f"{CONFIGS}/{mine['id']}", json={"enabled": False})
    assert await meant(server, "general", **parent) == ("Opus 4.6", "deployment")
    await disable(server, admins["ai_provider_id"])
    assert await meant(server, "general", **parent) == ("Codex", "parent")
    await server.ask("DELETE", f"{CONFIGS}/{mine['id']}")
    body = (await server.get(f"{OVERRIDES}/resolved-model/general", "mia")).body
    assert body == {
        "context": "general",
        "model_config_id": "",
        "model": "",
        "display_name": "",
        "provider_name": "",
        "compression_threshold": None,
        "layer": "",
        "reason": "the chat has no model",
        "steps": [
            {
                "layer": "personal",
                "model_config_id": "",
                "outcome": "the person's own override cannot be used: there is no such model any more",
            },
            {
                "layer": "deployment",
                "model_config_id": "",
                "outcome": "the administrator's override cannot be used: its provider anthropic is disabled",
            },
            {"layer": "parent", "model_config_id": "", "outcome": "the chat has no model"},
        ],
    }
    own = (await server.get(OWN, "mia")).body["general"]
    assert (own["usable"], own["unusable_reason"]) == (False, "there is no such model any more")


async def test_a_model_without_a_usable_key_falls_through(server: Api):
    await add(server, "openai", GPT)
    keyless = await add(server, "google", {"model": "gemini-3-pro", "display_name": "Gemini", "context_limit": 9})
    await put(server, "model-override/title_generation", model_config_id=keyless["id"])
    body = (await server.get(f"{OVERRIDES}/resolved-model/title_generation", "mia")).body
    assert (body["model_config_id"], body["layer"]) == ("", "")
    assert body["reason"].startswith("the administrator's override cannot be used: its provider google cannot be used")


async def test_a_named_model_is_taken_or_refused_and_never_replaced(server: Api):
    await add(server, "openai", GPT)
    opus = await add(server, "anthropic", OPUS)
    assert await meant(server, "root", model_config_id=opus["id"]) == ("Opus 4.6", "explicit")
    await server.ask("PATCH", f"{CONFIGS}/{opus['id']}", json={"enabled": False})
    answer = await server.get(f"{OVERRIDES}/resolved-model/root", "mia", model_config_id=opus["id"])
    assert (answer.status, answer.fields) == (400, ["model_config_id"])
    assert answer.body["validations"][0]["detail"] == "it is disabled"


async def test_whom_one_may_ask_about(server: Api):
    await add(server, "openai", GPT)
    opus = await add(server, "anthropic", OPUS)
    await allow(server)
    await put(server, "user-personal-model-overrides/root", "mia", mode="model", model_config_id=opus["id"])
    assert await meant(server, "root", "olga", user="mia") == ("Opus 4.6", "personal")
    assert await meant(server, "root", "audrey", user=server.ids["mia"]) == ("Opus 4.6", "personal")
    assert await meant(server, "root", "mia", user="mia") == ("Opus 4.6", "personal")
    assert (await server.get(f"{OVERRIDES}/resolved-model/root", "max", user="mia")).status == 404


async def test_overrides_outlive_the_model_and_stay_with_the_user(server: Api):
    made = await add(server, "openai", GPT)
    await put(server, "model-override/general", model_config_id=made["id"])
    await server.ask("DELETE", f"{CONFIGS}/{made['id']}")
    shown = (await server.get(f"{OVERRIDES}/model-override/general")).body
    assert (shown["model_config_id"], shown["usable"]) == (made["id"], False)


async def test_changes_of_overrides_are_noted(server: Api):
    made = await add(server, "openai", GPT)
    await allow(server)
    await put(server, "model-override/general", model_config_id=made["id"])
    await put(server, "model-override/general", model_config_id=made["id"])
    await put(server, "user-personal-model-overrides/root", "mia", mode="model", model_config_id=made["id"])
    entries = (await server.get("audit")).body["audit_logs"]
    assert [(each["resource_type"], each["resource_target"], each["user"]["username"]) for each in entries][:3] == [
        ("user_chat_model_override", "mia root", "mia"),
        ("chat_model_override", "general", "olga"),
        ("chat_model_override_gate", "personal overrides", "olga"),
    ]
    assert entries[0]["diff"] == {
        "mode": {"old": None, "new": "model", "secret": False},
        "model_config_id": {"old": None, "new": made["id"], "secret": False},
    }


async def test_a_threshold_of_ones_own_beats_the_models(server: Api):
    made = await add(server, "openai", GPT, compression_threshold=80)
    path = f"{OVERRIDES}/user-compaction-thresholds"
    chosen = {"model_config_id": made["id"], "threshold_percent": 30}
    answer = await server.ask("PUT", f"{path}/{made['id']}", "mia", json={"threshold_percent": 30})
    assert (answer.status, answer.body) == (200, chosen)
    assert (await server.get(path, "mia")).body == {"thresholds": [chosen]}
    meant = {who: (await server.get(f"{OVERRIDES}/resolved-model/root", who)).body for who in ("mia", "max")}
    assert {who: body["compression_threshold"] for who, body in meant.items()} == {"mia": 30, "max": 80}
    assert (await server.ask("DELETE", f"{path}/{made['id']}", "mia")).status == 204
    assert (await server.get(path, "mia")).body == {"thresholds": []}


@pytest.mark.parametrize("percent", [-1, 101])
async def test_a_threshold_is_per_cent(server: Api, percent: int):
    made = await add(server, "openai", GPT)
    path = f"{OVERRIDES}/user-compaction-thresholds/{made['id']}"
    answer = await server.ask("PUT", path, "mia", json={"threshold_percent": percent})
    assert (answer.status, answer.fields) == (400, ["threshold_percent"])


async def test_thresholds_of_models_that_one_does_not_see(server: Api):
    hidden = await add(server, "openai", GPT, enabled=False)
    path = f"{OVERRIDES}/user-compaction-thresholds/{hidden['id']}"
    statuses = [(await server.ask("PUT", path, who, json={"threshold_percent": 1})).status for who in ("mia", "olga")]
    assert statuses == [404, 200]
    await server.ask("DELETE", f"{CONFIGS}/{hidden['id']}")
    assert (await server.get(f"{OVERRIDES}/user-compaction-thresholds")).body == {"thresholds": []}
