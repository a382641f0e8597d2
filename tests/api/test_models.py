"""The registry of models over HTTP."""

import asyncio

import pytest

from coderai.ids import new_id
from coderai.providers.keys import KeyPool
from tests.api.conftest import Api
from tests.api.modelling import CONFIGS, GPT, LISTING, OPUS, add, defaults, disable, instance, provider, serving

EFFORT = {"max_output_tokens": 16_000, "provider_options": {"anthropic": {"effort": "high"}}}


async def test_a_model_has_all_its_members(api: Api):
    owner = await provider(api, "corp", "anthropic")
    async with serving(api, instance("corp", "anthropic")) as server:
        made = await add(server, "corp", OPUS, model_config=EFFORT)
        assert (await server.get(CONFIGS)).body == [made]
        assert (await server.get(f"{CONFIGS}/{made['id']}")).body == made
    assert made | {"id": "", "created_at": "", "updated_at": ""} == {
        "id": "",
        "ai_provider_id": owner,
        "provider": "anthropic",
        "provider_name": "corp",
        "model": "claude-opus-4-6",
        "display_name": "Opus 4.6",
        "enabled": True,
        "is_default": True,
        "context_limit": 200_000,
        "compression_threshold": 70,
        "model_config": EFFORT,
        "usable": True,
        "unusable_reason": "",
        "created_at": "",
        "updated_at": "",
    }


async def test_identifiers_are_opaque_and_texts_are_trimmed(api: Api):
    await provider(api, "openrouter")
    made = await add(
        api, "openrouter", {"model": " Anthropic/Claude Opus:beta ", "display_name": " O ", "context_limit": 1}
    )
    assert (made["model"], made["display_name"]) == ("Anthropic/Claude Opus:beta", "O")


async def test_options_that_say_nothing_are_absent_and_prices_are_texts(api: Api):
    await provider(api, "openai")
    empty = await add(api, "openai", GPT, model_config={"temperature": None, "cost": {}})
    priced = await add(api, "openai", GPT, model_config={"cost": {"input_price_per_million_tokens": 0.25}})
    assert "model_config" not in empty
    assert priced["model_config"] == {"cost": {"input_price_per_million_tokens": "0.25"}}


async def test_what_has_no_effect_is_told(api: Api):
    await provider(api, "openai")
    made = await add(api, "openai", GPT, model_config={"temperature": 1})
    assert made["model_config_warnings"] == ["temperature is not sent: a reasoning model refuses it"]


async def test_a_scale_of_efforts_tells_what_may_be_chosen(api: Api):
    await provider(api, "openai")
    made = await add(api, "openai", GPT, model_config={"reasoning_effort": {"default": "low", "max": "medium"}})
    assert made["reasoning_efforts"] == ["none", "minimal", "low", "medium"]


REFUSED = [
    ({"model": " "}, "Model is required.", ["model"]),
    ({"context_limit": None}, "Context limit is required.", ["context_limit"]),
    ({"context_limit": 0}, "Context limit is required.", ["context_limit"]),
    ({"compression_threshold": 101}, "Invalid compression threshold.", ["compression_threshold"]),
    ({"compression_threshold": -1}, "Invalid compression threshold.", ["compression_threshold"]),
    ({"ai_provider_id": "nobody"}, "Chat provider is not configured.", ["ai_provider_id"]),
    ({"ai_provider_id": None}, "Chat provider is not configured.", ["ai_provider_id"]),
    ({"ai_provider_id": "hub"}, "Chat provider is not configured.", ["ai_provider_id"]),
    ({"display_name": "a\nb"}, "This model cannot be saved.", ["display_name"]),
    (
        {"model_config": {"cost": {"output_price_per_million_tokens": -1}}},
        "Invalid model config.",
        ["model_config.cost.output_price_per_million_tokens"],
    ),
    (
        {"model_config": {"temperature": "hot", "provider_options": {"openai": {"reasoning_effort": "huge"}}}},
        "Invalid model config.",
        ["model_config.temperature", "model_config.provider_options.openai.reasoning_effort"],
    ),
    (
        {"model": "", "context_limit": -5, "compression_threshold": 200, "ai_provider_id": ""},
        "This model cannot be saved.",
        ["ai_provider_id", "model", "context_limit", "compression_threshold"],
    ),
    ({"context_limit": "200k"}, "The request body has mistakes.", ["context_limit"]),
    ({"model_config": []}, "The request body has mistakes.", ["model_config"]),
]


async def test_every_mistake_is_told_at_its_field(api: Api):
    await provider(api, "openai")
    await provider(api, "hub", "copilot")
    for wrong, message, fields in REFUSED:
        answer = await api.post(CONFIGS, {"ai_provider_id": "openai", **GPT, **wrong})
        assert (answer.status, answer.body["message"], answer.fields) == (400, message, fields), wrong
    assert (await api.get(CONFIGS)).body == []


async def test_a_mistake_says_what_would_be_right(api: Api):
    await provider(api, "openai")
    wrong = {"cost": {"input_price_per_million_tokens": -0.5}}
    answer = await api.post(CONFIGS, {"ai_provider_id": "openai", **GPT, "model_config": wrong})
    assert answer.body["detail"] == "cost.input_price_per_million_tokens must be greater than or equal to zero"
    unknown = await api.post(CONFIGS, {"ai_provider_id": "opnai", **GPT})
    assert unknown.body["validations"][0]["detail"] == "there is no provider 'opnai'; there are: openai"


async def test_options_larger_than_anybody_needs_are_refused(api: Api):
    await provider(api, "openrouter")
    large = {"provider_options": {"openrouter": {"extra_body": {"x": "y" * 70_000}}}}
    answer = await api.post(CONFIGS, {"ai_provider_id": "openrouter", **GPT, "model_config": large})
    assert (answer.status, answer.fields) == (400, ["model_config"])


async def test_a_change_leaves_what_it_does_not_name(api: Api):
    await provider(api, "corp", "anthropic")
    other = await provider(api, "other", "bedrock")
    made = await add(api, "corp", OPUS, model_config=EFFORT, compression_threshold=55)
    path = f"{CONFIGS}/{made['id']}"
    same = (await api.ask("PATCH", path, json={"model": "", "display_name": " ", "enabled": None})).body
    assert same | {"updated_at": ""} == made | {"updated_at": ""}
    moved = (await api.ask("PATCH", path, json={"ai_provider_id": other, "enabled": False, "context_limit": 5})).body
    changed = {"ai_provider_id": other, "provider": "bedrock", "provider_name": "other", "enabled": False}
    changed |= {"context_limit": 5, "usable": False, "unusable_reason": "it is disabled"}
    assert moved | {"updated_at": ""} == made | changed | {"updated_at": ""}


async def test_options_are_replaced_as_a_whole(api: Api):
    await provider(api, "corp", "anthropic")
    made = await add(api, "corp", OPUS, model_config=EFFORT)
    path = f"{CONFIGS}/{made['id']}"
    assert (await api.ask("PATCH", path, json={"model_config": {"top_k": 5}})).body["model_config"] == {"top_k": 5}
    assert "model_config" not in (await api.ask("PATCH", path, json={"model_config": {}})).body


@pytest.mark.parametrize("method", ["GET", "PATCH", "DELETE"])
async def test_unknown_models_and_words_that_are_no_ids(api: Api, method):
    assert (await api.ask(method, f"{CONFIGS}/{new_id()}", json={})).status == 404
    answer = await api.ask(method, f"{CONFIGS}/gpt", json={})
    assert (answer.status, answer.body["message"]) == (400, "Invalid chat model config ID.")


async def test_the_first_model_is_the_default_whatever_it_says(api: Api):
    await provider(api, "openai")
    await add(api, "openai", GPT, is_default=False)
    await add(api, "openai", OPUS)
    assert await defaults(api) == ["Codex"]


async def test_a_new_default_takes_the_place_of_the_old_one(api: Api):
    await provider(api, "openai")
    codex = await add(api, "openai", GPT)
    await add(api, "openai", OPUS, is_default=True)
    assert await defaults(api) == ["Opus 4.6"]
    assert (await api.ask("PATCH", f"{CONFIGS}/{codex['id']}", json={"is_default": True})).body["is_default"]
    assert await defaults(api) == ["Codex"]


async def test_another_model_takes_over_when_the_default_goes(api: Api):
    await provider(api, "openai")
    codex = await add(api, "openai", GPT)
    await add(api, "openai", OPUS, enabled=False)
    third = await add(api, "openai", {**GPT, "display_name": "Third"})
    assert (await api.ask("DELETE", f"{CONFIGS}/{codex['id']}")).status == 204
    assert await defaults(api) == ["Third"]
    away = await api.ask("PATCH", f"{CONFIGS}/{third['id']}", json={"is_default": False})
    assert (away.body["is_default"], await defaults(api)) == (False, ["Opus 4.6"])


async def test_the_only_model_stays_the_default(api: Api):
    await provider(api, "openai")
    made = await add(api, "openai", GPT)
    answer = await api.ask("PATCH", f"{CONFIGS}/{made['id']}", json={"is_default": False})
    assert (answer.body["is_default"], await defaults(api)) == (True, ["Codex"])
    await api.ask("DELETE", f"{CONFIGS}/{made['id']}")
    assert (await api.get(CONFIGS)).body == []
    await add(api, "openai", OPUS)
    assert await defaults(api) == ["Opus 4.6"]


async def test_many_who_want_to_be_the_default_at_once(api: Api):
    await provider(api, "openai")
    async with asyncio.TaskGroup() as tasks:
        made = [tasks.create_task(add(api, "openai", GPT, is_default=True)) for _ in range(6)]
    async with asyncio.TaskGroup() as tasks:
        for number, each in enumerate(made):
            path = f"{CONFIGS}/{each.result()['id']}"
            gone = number % 2
            tasks.create_task(api.ask("DELETE" if gone else "PATCH", path, json=None if gone else {"is_default": True}))
    assert await defaults(api) == ["Codex"]
    assert len((await api.get(CONFIGS)).body) == 3


async def test_lists_are_ordered_by_type_provider_and_model(api: Api):
    for name, type_ in (("zoo", "openai"), ("ant", "vercel"), ("corp", "anthropic"), ("aaa", "openai")):
        await provider(api, name, type_)
    for name, model in (("zoo", "b"), ("ant", "a"), ("zoo", "A"), ("corp", "z"), ("aaa", "c")):
        await add(api, name, {"model": model, "display_name": model, "context_limit": 1})
    assert [(each["provider_name"], each["model"]) for each in (await api.get(CONFIGS)).body] == [
        ("corp", "z"),
        ("aaa", "c"),
        ("zoo", "A"),
        ("zoo", "b"),
        ("ant", "a"),
    ]


async def test_members_see_enabled_models_only(api: Api):
    await provider(api, "openai")
    hidden = await add(api, "openai", GPT, enabled=False)
    await add(api, "openai", OPUS)
    seen = {who: len((await api.get(CONFIGS, who)).body) for who in ("olga", "audrey", "uwe", "mia", "bot")}
    assert seen == {"olga": 2, "audrey": 2, "uwe": 1, "mia": 1, "bot": 1}
    assert (await api.get(f"{CONFIGS}/{hidden['id']}", "mia")).status == 404


async def test_a_model_whose_provider_is_gone_says_so_and_can_be_moved(api: Api):
    owner = await provider(api, "openai")
    await provider(api, "other", "openai")
    made = await add(api, "openai", GPT)
    await disable(api, owner)
    assert (await api.get(CONFIGS)).body[0]["unusable_reason"] == "its provider openai is disabled"
    await disable(api, owner, deleted=True)
    assert (await api.get(CONFIGS)).body[0]["unusable_reason"] == "its provider openai is deleted"
    async with serving(api, instance("other", "openai")) as server:
        moved = await server.ask("PATCH", f"{CONFIGS}/{made['id']}", json={"ai_provider_id": "other"})
        assert (moved.body["usable"], moved.body["provider_name"]) == (True, "other")


async def test_a_model_that_one_cannot_use_says_why(api: Api):
    await provider(api, "openai")
    await add(api, "openai", GPT)
    async with serving(api, instance("openai", keys=KeyPool())) as server:
        (seen,) = (await server.get(CONFIGS, "mia")).body
    reason = "its provider openai cannot be used: it has no shared key: it takes a key of one's own"
    assert (seen["usable"], seen["unusable_reason"]) == (False, reason)


async def test_the_schema_of_the_options(api: Api):
    path = "/api/experimental/chats/model-config-schema"
    whole, google = (await api.get(path, "mia")).body, (await api.get(path, "mia", provider="google")).body
    assert set(whole["properties"]["provider_options"]["properties"]) > {"openai", "anthropic", "google"}
    assert list(google["properties"]["provider_options"]["properties"]) == ["google"]
    assert (await api.get(path, "mia", provider="copilot")).fields == ["provider"]


async def test_the_call_that_asks_a_model_is_shown_and_not_sent(api: Api):
    await provider(api, "corp", "anthropic")
    options = {**EFFORT, "temperature": 1}
    options["provider_options"] = {"anthropic": {"effort": "high", "context_1m_enabled": True}}
    made = await add(api, "corp", OPUS, model_config=options)
    answer = await api.post(f"{CONFIGS}/{made['id']}/request", {"prompt": "Hi"}, "mia")
    assert answer.body == {
        "api": "messages",
        "method": "POST",
        "path": "/api/v2/aibridge/corp/v1/messages",
        "headers": {"anthropic-beta": "context-1m-2025-08-07"},
        "body": {
            "model": "claude-opus-4-6",
            "max_tokens": 16_000,
            "thinking": {"type": "adaptive"},
            "output_config": {"effort": "high"},
            "stream": False,
            "messages": [{"role": "user", "content": [{"type": "text", "text": "Hi"}]}],
        },
        "warnings": ["temperature is not sent: Claude refuses it while it thinks"],
    }


async def test_the_effort_of_a_call_is_one_of_the_scale(api: Api):
    await provider(api, "openai")
    made = await add(api, "openai", GPT, model_config={"reasoning_effort": {"default": "low", "max": "high"}})
    path = f"{CONFIGS}/{made['id']}/request"
    efforts = [
        (await api.post(path, body)).body["body"]["reasoning"]["effort"]
        for body in ({}, {"reasoning_effort": "max"}, {"reasoning_effort": "minimal"})
    ]
    assert efforts == ["low", "high", "minimal"]
    assert (await api.post(path, {"reasoning_effort": "huge"})).fields == ["reasoning_effort"]


async def test_changes_are_noted(api: Api):
    await provider(api, "openai")
    made = await add(api, "openai", GPT)
    options = {"temperature": 1, "provider_options": {"openai": {"user": "u"}}}
    await api.ask("PATCH", f"{CONFIGS}/{made['id']}", json={"context_limit": 5, "model_config": options})
    await api.ask("DELETE", f"{CONFIGS}/{made['id']}")
    entries = (await api.get("audit", resource_type="chat_model_config")).body["audit_logs"]
    assert [(each["action"], each["resource_id"], each["resource_target"]) for each in entries] == [
        ("delete", made["id"], "Codex"),
        ("write", made["id"], "Codex"),
        ("create", made["id"], "Codex"),
    ]
    assert entries[1]["diff"] == {
        "context_limit": {"old": 400_000, "new": 5, "secret": False},
        "model_config.temperature": {"old": None, "new": 1, "secret": False},
        "model_config.provider_options.openai.user": {"old": None, "new": "u", "secret": False},
    }


async def test_changes_are_heard_by_every_process(api: Api):
    await provider(api, "openai")
    heard = api.store.changes()
    await anext(heard)
    await add(api, "openai", GPT)
    async with asyncio.timeout(5):
        while "models" not in await anext(heard):
            pass
    await heard.aclose()


async def test_a_provider_that_became_one_of_another_type(api: Api):
    owner = await provider(api, "x", "openai")
    made = await add(api, "x", GPT)
    await disable(api, owner, type="copilot")
    (seen,) = (await api.get(CONFIGS)).body
    assert seen["unusable_reason"] == "its provider x is of type copilot, with which no model works"
    assert (await api.get(LISTING)).body["providers"] == []
    assert (await api.post(f"{CONFIGS}/{made['id']}/request", {})).fields == ["ai_provider_id"]
