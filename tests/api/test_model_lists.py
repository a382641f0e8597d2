"""Who sees which models, and why one cannot be used."""

from coderai.providers.keys import KeyPool
from tests.api.conftest import Api
from tests.api.modelling import GPT, LISTING, OPUS, add, disable, instance, provider, serving


async def groups(api: Api, who: str = "olga") -> list[tuple[str, bool, str, list[str]]]:
    """Type, whether it can be used, why not, and the models."""
    listed = (await api.get(LISTING, who)).body["providers"]
    return [
        (each["provider"], each["available"], each.get("unavailable_reason", ""), [m["model"] for m in each["models"]])
        for each in listed
    ]


async def test_models_are_grouped_by_type_and_hidden_from_those_who_cannot_use_them(api: Api):
    for name in ("vercel", "openai", "anthropic", "google", "copilot"):
        await provider(api, name)
        if name != "copilot":
            await add(api, name, {"model": f"of {name}", "display_name": name, "context_limit": 1})
    broken = instance("google", state="error", reason="the host is unknown")
    served = (instance("anthropic"), instance("openai", keys=KeyPool()), broken, instance("copilot"))
    async with serving(api, *served) as server:
        assert await groups(server) == [
            ("anthropic", True, "", ["of anthropic"]),
            ("google", False, "fetch_failed", ["of google"]),
            ("openai", False, "user_api_key_required", ["of openai"]),
            ("vercel", False, "fetch_failed", ["of vercel"]),
        ]
        assert await groups(server, "mia") == [("anthropic", True, "", ["of anthropic"])]
        body = (await server.get(LISTING, "mia")).body
        assert body["unsupported_providers"] == [{"provider": "copilot", "display_name": "GitHub Copilot"}]
        details = {
            each["provider"]: each["models"][0].get("unavailable_detail")
            for each in (await server.get(LISTING)).body["providers"]
        }
        assert details == {
            "anthropic": None,
            "google": "the host is unknown",
            "openai": "it has no shared key: it takes a key of one's own",
            "vercel": "only a running server knows its keys",
        }


async def test_without_own_keys_only_an_administrator_can_help(api: Api):
    await provider(api, "openai")
    await add(api, "openai", GPT)
    async with serving(api, instance("openai", keys=KeyPool()), allow_byok=False) as server:
        assert await groups(server) == [("openai", False, "missing_api_key", ["gpt-5.3-codex"])]
        assert await groups(server, "mia") == []


async def test_two_providers_of_one_type_are_judged_apart(api: Api):
    await provider(api, "one", "openai")
    await provider(api, "two", "openai")
    first = await add(api, "one", GPT)
    second = await add(api, "two", {**GPT, "model": "GPT-5.3-codex"})
    await add(api, "one", {**GPT, "model": "only there"})
    async with serving(api, instance("one", "openai", KeyPool()), instance("two", "openai")) as server:
        assert await groups(server, "mia") == [("openai", True, "", ["GPT-5.3-codex"])]
        ids = [each["model_config_id"] for each in (await server.get(LISTING)).body["providers"][0]["models"]]
        assert second["id"] in ids
        assert first["id"] not in ids  # called alike, and of no use


async def test_a_listed_model_has_the_id_of_the_original_and_ours(api: Api):
    owner = await provider(api, "corp", "anthropic")
    made = await add(api, "corp", {**OPUS, "display_name": ""})
    async with serving(api, instance("corp", "anthropic")) as server:
        (group,) = (await server.get(LISTING, "mia")).body["providers"]
    assert group["models"] == [
        {
            "id": "anthropic:claude-opus-4-6",
            "provider": "anthropic",
            "model": "claude-opus-4-6",
            "display_name": "claude-opus-4-6",
            "model_config_id": made["id"],
            "ai_provider_id": owner,
            "provider_name": "corp",
            "is_default": True,
            "context_limit": 200_000,
            "available": True,
        }
    ]


async def test_disabled_providers_and_models_are_not_listed(api: Api):
    gone, stays = await provider(api, "anthropic"), await provider(api, "openai")
    await add(api, gone, OPUS)
    await add(api, stays, GPT, enabled=False)
    await disable(api, gone)
    async with serving(api, instance("anthropic"), instance("openai")) as server:
        assert await groups(server) == [("openai", True, "", [])]


async def test_without_a_running_server_the_keys_of_the_database_count(api: Api):
    await provider(api, "openai", source="api")
    await add(api, "openai", GPT)
    assert await groups(api) == [("openai", False, "user_api_key_required", ["gpt-5.3-codex"])]


async def test_the_later_form_of_the_list_tells_providers_apart(api: Api):
    one, two = await provider(api, "one", "openai"), await provider(api, "two", "openai")
    await provider(api, "hub", "copilot")
    await add(api, "one", GPT)
    made = await add(api, "two", GPT)
    path = "/api/v2/organizations/default/chats/models"
    async with serving(api, instance("one", "openai", KeyPool()), instance("two", "openai")) as server:
        body = (await server.get(path, "mia")).body
        whole = (await server.get(path)).body
    assert [each["id"] for each in body["models"]] == [made["id"]]
    assert body["models"][0]["organization_id"] == "00000000-0000-0000-0000-000000000001"
    assert [(each["usable"], each["provider_name"]) for each in whole["models"]] == [(False, "one"), (True, "two")]
    shown = {"type": "openai", "display_name": "", "icon": "", "enabled": True, "has_user_api_key": False}
    shown["allow_user_api_key"] = True
    keys = ("has_api_key", "has_effective_api_key", "available")
    assert body["providers"] == [
        {"id": one, "name": "one", **shown, **dict.fromkeys(keys, False)},
        {"id": two, "name": "two", **shown, **dict.fromkeys(keys, True)},
    ]
    assert body["unsupported_providers"] == [{"provider": "copilot", "display_name": "GitHub Copilot"}]
    assert (await api.get("/api/v2/organizations/other/chats/models")).status == 404
