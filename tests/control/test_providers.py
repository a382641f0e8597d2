"""Providers of the database: made, changed, deleted by owners, and put in force without a restart."""

import asyncio
import base64
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from coderai.access.callers import Caller
from coderai.control.configured import apply_config
from coderai.control.providers import KeyWish, NewProvider, ProviderControl, ProviderPatch
from coderai.control.served import Served
from coderai.control.vault import Vault
from coderai.errors import Conflict, Forbidden, Invalid, NotFound, StoreUnusable
from coderai.providers.registry import Registry
from coderai.settings import ProviderConfig
from coderai.store.audit import AuditLog, EntryFilter
from coderai.store.engine import Store

OWNER = Caller("u1", "root", frozenset({"owner"}))
KEYS = base64.b64encode(bytes(32)).decode()
CORP = NewProvider(
    "anthropic", "anthropic-corp", "https://llm-proxy.internal.example.com/anthropic", "Corp", True, ("sk-1", "sk-2")
)
ROLE = {"region": "eu-west-1", "role_arn": "arn:aws:iam::1:role/r"}
BEDROCK = NewProvider("bedrock", "aws", enabled=True, bedrock=ROLE)


@pytest.fixture
def control(store: Store, tmp_path: Path) -> ProviderControl:
    return ProviderControl(store, Vault.load(tmp_path, KEYS), [("ai.example.com", 443), ("127.0.0.1", 3000)])


def _fields(caught: pytest.ExceptionInfo[Invalid]) -> list[str]:
    return [field for field, _ in caught.value.validations]


async def test_what_is_made_is_found_by_name_and_id(control: ProviderControl):
    made = await control.create(OWNER, CORP)
    assert [key.text for key in made.keys] == ["sk-1", "sk-2"]
    assert (made.provider.enabled, made.provider.display_name, made.provider.source) == (True, "Corp", "api")
    assert await control.find(OWNER, "anthropic-corp") == made == await control.find(OWNER, made.provider.id)
    assert await control.list(OWNER) == [made]


@pytest.mark.parametrize("roles", [frozenset(), frozenset({"auditor"}), frozenset({"user-admin"})])
async def test_only_owners_may(control: ProviderControl, roles: frozenset[str]):
    nobody = Caller("u2", "mallory", roles)
    for refused in (
        control.create(nobody, CORP),
        control.list(nobody),
        control.find(nobody, "x"),
        control.change(nobody, "x", ProviderPatch(enabled=True)),
        control.delete(nobody, "x"),
    ):
        with pytest.raises(Forbidden):
            await refused


MISTAKES = [
    (NewProvider("", "", ""), ["type", "name", "base_url"]),
    (NewProvider("gemini", "Azure", "llm.example.com"), ["type", "name", "base_url"]),
    (NewProvider("openai", "sessions", "ftp://x/"), ["name", "base_url"]),
    (NewProvider("openai", "a", "https://user:pw@x/"), ["base_url"]),
    (NewProvider("openai", "a", "https://x/?k=v"), ["base_url"]),
    (NewProvider("openai", "a", "https://ai.example.com/api/v2/aibridge/openai/v1"), ["base_url"]),
    (NewProvider("openai", "a", "http://127.0.0.1:3000/"), ["base_url"]),
    (
        NewProvider("openai", "a", "https://x/", keys=("k", " k", "", "k")),
        ["api_keys[1]", "api_keys[2]", "api_keys[3]"],
    ),
    (NewProvider("openai", "a", "https://x/", keys=tuple("abcdef")), ["api_keys"]),
    (NewProvider("copilot", "a", "https://x/", keys=("k",)), ["api_keys"]),
    (NewProvider("openai", "a", "https://x/", bedrock={"region": "eu"}), ["settings"]),
    (NewProvider("bedrock", "a", "https://x/", bedrock={"model": "m"}), ["settings"]),
    (NewProvider("bedrock", "a", "https://x/"), ["settings"]),
    (NewProvider("bedrock", "a", bedrock={"region": "EU!"}), ["settings.region"]),
    (NewProvider("bedrock", "a", bedrock={"region": "eu", "protocol": "x"}), ["settings.protocol"]),
    (NewProvider("bedrock", "a", bedrock={"region": "eu", "access_key": "AK"}), ["settings"]),
    (NewProvider("openai", "a", "https://x/", "d" * 129), ["display_name"]),
]


async def test_every_mistake_is_told_at_its_field(control: ProviderControl):
    for wrong, fields in MISTAKES:
        with pytest.raises(Invalid) as caught:
            await control.create(OWNER, wrong)
        assert _fields(caught) == fields, wrong
    assert await control.list(OWNER) == []


async def test_a_taken_name_is_a_conflict_until_its_owner_is_deleted(control: ProviderControl):
    await control.create(OWNER, CORP)
    with pytest.raises(Conflict) as caught:
        await control.create(OWNER, CORP)
    assert caught.value.validations[0][0] == "name"
    await control.delete(OWNER, "anthropic-corp")
    with pytest.raises(NotFound):
        await control.find(OWNER, "anthropic-corp")
    assert (await control.create(OWNER, CORP)).provider.name == "anthropic-corp"


async def test_the_key_set_becomes_what_was_asked_for(control: ProviderControl):
    _, second = (await control.create(OWNER, CORP)).keys
    wishes = (KeyWish(api_key="sk-3"), KeyWish(id=second.id))
    changed = await control.change(OWNER, "anthropic-corp", ProviderPatch(keys=wishes))
    assert [key.text for key in changed.keys] == ["sk-2", "sk-3"]  # kept ones stay before new ones
    assert changed.keys[0] == second
    unchanged = await control.change(OWNER, "anthropic-corp", ProviderPatch(display_name=""))
    assert (unchanged.keys, unchanged.provider.display_name) == (changed.keys, None)
    assert (await control.change(OWNER, "anthropic-corp", ProviderPatch(keys=()))).keys == ()


@pytest.mark.parametrize(
    ("wishes", "field"),
    [
        ([KeyWish()], "api_keys[0]"),
        ([KeyWish("FIRST", "sk")], "api_keys[0]"),
        ([KeyWish("FIRST"), KeyWish("FIRST")], "api_keys[1].id"),
        ([KeyWish("01890000-0000-7000-8000-000000000000")], "api_keys[0].id"),
        ([KeyWish("FIRST"), KeyWish(api_key="sk-1")], "api_keys[1].api_key"),
        ([KeyWish(api_key=" ")], "api_keys[0].api_key"),
    ],
)
async def test_an_odd_key_set_changes_nothing(control: ProviderControl, wishes: list[KeyWish], field: str):
    before = await control.create(OWNER, CORP)
    named = tuple(KeyWish(before.keys[0].id, wish.api_key) if wish.id == "FIRST" else wish for wish in wishes)
    with pytest.raises(Invalid) as caught:
        await control.change(OWNER, "anthropic-corp", ProviderPatch(keys=named))
    assert field in _fields(caught)
    assert await control.find(OWNER, "anthropic-corp") == before


async def test_an_empty_change_is_refused(control: ProviderControl):
    await control.create(OWNER, CORP)
    with pytest.raises(Invalid, match="nothing to change"):
        await control.change(OWNER, "anthropic-corp", ProviderPatch())


async def test_secrets_of_settings_stay_until_they_are_cleared(control: ProviderControl):
    static = {"region": "eu", "access_key": "AKIA", "access_key_secret": "shh"}
    await control.create(OWNER, NewProvider("bedrock", "aws", bedrock=static))
    patch = ProviderPatch(settings_sent=True, bedrock={"region": "us"})
    assert (await control.change(OWNER, "aws", patch)).bedrock == {**static, "region": "us"}
    cleared = {"region": "us", "access_key": "", "access_key_secret": ""}
    patch = ProviderPatch(settings_sent=True, bedrock=cleared)
    assert (await control.change(OWNER, "aws", patch)).bedrock == {"region": "us"}


async def test_the_external_id_of_a_role_is_made_once_and_cannot_be_chosen(control: ProviderControl):
    with pytest.raises(Invalid, match="external_id is made by the server"):
        await control.create(OWNER, NewProvider("bedrock", "aws", bedrock={**ROLE, "external_id": "mine"}))
    made = (await control.create(OWNER, BEDROCK)).bedrock
    assert made is not None
    echoed = ProviderPatch(settings_sent=True, bedrock={**ROLE, "model": "m", "external_id": made["external_id"]})
    assert (await control.change(OWNER, "aws", echoed)).bedrock == {**made, "model": "m"}
    assert len(made["external_id"]) == 32


async def test_keys_and_bedrock_exclude_each_other(control: ProviderControl):
    await control.create(OWNER, CORP)
    with pytest.raises(Invalid, match="exclude each other"):
        await control.change(OWNER, "anthropic-corp", ProviderPatch(settings_sent=True, bedrock={"region": "eu"}))
    both = ProviderPatch(settings_sent=True, bedrock={"region": "eu"}, keys=())
    assert (await control.change(OWNER, "anthropic-corp", both)).keys == ()


async def test_every_change_is_noted_without_a_secret(store: Store, control: ProviderControl):
    made = await control.create(OWNER, CORP)
    wishes = (KeyWish(id=made.keys[0].id), KeyWish(api_key="sk-the-third-0123456789"))
    await control.change(OWNER, "anthropic-corp", ProviderPatch(keys=wishes, enabled=False))
    await control.delete(OWNER, "anthropic-corp")
    async with store.reading() as db:
        entries, count = await AuditLog(db).list(EntryFilter(), limit=50, offset=0, after_id="")
    assert [(entry.action, entry.resource_type) for entry in reversed(entries)] == [
        ("create", "ai_provider"),
        ("create", "ai_provider_key"),
        ("create", "ai_provider_key"),
        ("delete", "ai_provider_key"),
        ("create", "ai_provider_key"),
        ("write", "ai_provider"),
        ("delete", "ai_provider_key"),
        ("delete", "ai_provider_key"),
        ("delete", "ai_provider"),
    ]
    assert count == 9
    assert "the-third" not in repr(entries)
    assert {entry.resource_target for entry in entries} == {"anthropic-corp"}


async def test_a_configured_provider_is_shown_and_refuses_changes(store: Store, control: ProviderControl):
    await apply_config(store, [ProviderConfig("openai", "openai", "https://x/v1")])
    assert [kept.provider.source for kept in await control.list(OWNER)] == ["config"]
    for refused in (control.change(OWNER, "openai", ProviderPatch(enabled=False)), control.delete(OWNER, "openai")):
        with pytest.raises(Conflict, match="comes from the configuration"):
            await refused


@pytest.mark.parametrize("named", ["Not A Name", "a--b", ""])
async def test_what_can_be_no_name_is_invalid(control: ProviderControl, named: str):
    with pytest.raises(Invalid, match="neither an id nor the name"):
        await control.find(OWNER, named)


async def test_a_change_is_in_force_soon_and_a_key_that_stays_keeps_its_cool_down(
    store: Store, control: ProviderControl
):
    registry = Registry()
    configured = (ProviderConfig("openai", "openai", "https://x/v1", ("sk-0",)),)
    served = Served(control, configured, registry, allow_byok=False)
    turns: asyncio.Queue[frozenset[str]] = asyncio.Queue()

    async def changes() -> AsyncIterator[frozenset[str]]:
        while True:
            yield await turns.get()
            turns.task_done()

    async with asyncio.TaskGroup() as tasks:
        following = tasks.create_task(served.follow(changes()))
        await control.create(OWNER, CORP)
        turns.put_nowait(frozenset({"*"}))
        turns.put_nowait(frozenset({"tokens"}))
        await turns.join()
        assert [each.name for each in registry.all()] == ["openai", "anthropic-corp"]
        corp = registry.find("anthropic-corp")
        assert corp is not None
        key = next(iter(corp.keys.walk(None)))
        corp.keys.failed(key, 429, 60)
        await control.change(OWNER, "anthropic-corp", ProviderPatch(enabled=False))
        turns.put_nowait(frozenset({"providers"}))
        turns.put_nowait(frozenset({"tokens"}))
        await turns.join()
        after = registry.find("anthropic-corp")
        assert after is not None
        assert (after.state, [key.text for key in after.keys.walk(None)]) == ("disabled", ["sk-2"])
        following.cancel()


async def test_a_reload_that_fails_leaves_the_old_set(store: Store, control: ProviderControl, tmp_path: Path):
    await control.create(OWNER, CORP)
    blind = ProviderControl(store, Vault.load(tmp_path / "elsewhere", ""))
    registry = Registry()
    await Served(control, (), registry, allow_byok=False).reload()
    with pytest.raises(StoreUnusable, match="there is no key here"):
        await Served(blind, (), registry, allow_byok=False).reload()
    assert [each.name for each in registry.all()] == ["anthropic-corp"]
