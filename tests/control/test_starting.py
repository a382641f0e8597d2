"""What the first start makes, and what the configuration puts into the table of providers."""

import asyncio
import base64
import resource
import stat
from dataclasses import dataclass
from pathlib import Path

import pytest

from coderai.access.callers import Caller
from coderai.control.configured import apply_config, keep_retiring, retire
from coderai.control.first_start import FirstStart, first_start
from coderai.control.users import NewUser, UserControl
from coderai.errors import BadSettings, StoreUnusable
from coderai.store import processes
from coderai.store.engine import Store, open_store
from coderai.store.providers import Provider, Providers
from coderai.store.users import UserFilter, Users
from tests.store.building import NOON

ROOT = Caller("", "root", frozenset({"owner"}))


@dataclass(frozen=True)
class Configured:
    name: str
    type: str = "openai"
    base_url: str = "https://api.example.com/v1"
    source: str = "environment"


async def providers(store: Store) -> dict[str, Provider]:
    async with store.reading() as db:
        return {each.name: each for each in await Providers(db).list()}


async def revision(store: Store) -> object:
    async with store.reading() as db:
        return (await db.exec_driver_sql("SELECT revision FROM changes WHERE topic = 'providers'")).scalar_one_or_none()


async def test_the_first_start_makes_a_key_and_an_owner(store: Store, tmp_path: Path) -> None:
    key = tmp_path / "secret.key"
    assert await first_start(store, tmp_path) == FirstStart(owner=True, key_file=key)
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert len(base64.b64decode(key.read_bytes())) == 32
    async with store.reading() as db:
        ((admin,), count) = await Users(db).list(UserFilter(), limit=10)
    assert (admin.username, admin.email, admin.roles, admin.hashed_password) == (
        "admin",
        "admin@localhost",
        ("owner",),
        None,
    )
    assert count == 1


async def test_the_second_start_makes_nothing(store: Store, tmp_path: Path) -> None:
    await first_start(store, tmp_path)
    before = (tmp_path / "secret.key").read_bytes()
    assert await first_start(store, tmp_path) == FirstStart()
    assert (tmp_path / "secret.key").read_bytes() == before


async def test_beside_an_old_database_no_key_is_made(store: Store, tmp_path: Path) -> None:
    await UserControl(store).create(ROOT, NewUser("ada", "ada@example.com"))
    assert await first_start(store, tmp_path) == FirstStart()
    assert not (tmp_path / "secret.key").exists()


async def test_no_key_is_made_when_the_operator_brings_one(store: Store, tmp_path: Path) -> None:
    assert await first_start(store, tmp_path, keys_given=True) == FirstStart(owner=True)
    assert not (tmp_path / "secret.key").exists()


async def test_a_start_that_was_killed_after_the_key_is_taken_up(store: Store, tmp_path: Path) -> None:
    (tmp_path / "secret.key").write_bytes(b"made before")
    assert await first_start(store, tmp_path) == FirstStart(owner=True)
    assert (tmp_path / "secret.key").read_bytes() == b"made before"


async def test_a_full_disk_leaves_no_empty_key_in_the_way(store: Store, tmp_path: Path) -> None:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, before[1]))
    try:
        with pytest.raises(StoreUnusable, match="cannot write the key file"):
            await first_start(store, tmp_path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert (await first_start(store, tmp_path)).key_file == tmp_path / "secret.key"


async def test_configured_providers_are_entered(store: Store) -> None:
    assert await apply_config(store, [Configured("one"), Configured("two", "anthropic")]) == []
    assert {name: (each.type, each.source, each.enabled) for name, each in (await providers(store)).items()} == {
        "one": ("openai", "config", True),
        "two": ("anthropic", "config", True),
    }


async def test_the_same_again_changes_nothing(store: Store) -> None:
    await apply_config(store, [Configured("one")])
    before = await providers(store), await revision(store)
    await apply_config(store, [Configured("one")])
    assert (await providers(store), await revision(store)) == before


async def test_a_change_is_applied_to_the_same_row(store: Store) -> None:
    await apply_config(store, [Configured("one")])
    before = (await providers(store))["one"]
    await apply_config(store, [Configured("one", base_url="https://other.example.com")])
    after = (await providers(store))["one"]
    assert (after.id, after.base_url) == (before.id, "https://other.example.com")


async def test_what_vanished_is_disabled_and_comes_back(store: Store) -> None:
    await apply_config(store, [Configured("one")])
    assert await apply_config(store, []) == ["one"]
    assert not (await providers(store))["one"].enabled
    assert await apply_config(store, []) == []
    await apply_config(store, [Configured("one")])
    assert (await providers(store))["one"].enabled


async def test_what_another_running_server_has_stays_until_that_leaves(store: Store, database_url: str) -> None:
    async with open_store(database_url) as other:
        await processes.introduce(other, key_ids=[], providers=["one"])
        await apply_config(other, [Configured("one")])
        assert await apply_config(store, [Configured("two")]) == []
        assert await retire(store, [Configured("two")]) == []
        assert {name: each.enabled for name, each in (await providers(store)).items()} == {"one": True, "two": True}
    assert await retire(store, [Configured("two")]) == ["one"]
    assert {name: each.enabled for name, each in (await providers(store)).items()} == {"one": False, "two": True}


async def test_a_server_that_left_is_noticed_beside_everything_else(store: Store) -> None:
    await apply_config(store, [Configured("one")])
    async with asyncio.timeout(10), asyncio.TaskGroup() as tasks:
        keeping = tasks.create_task(keep_retiring(store, [], every=0.01))
        async for topics in store.changes():
            if "providers" in topics or not (await providers(store))["one"].enabled:
                break
        keeping.cancel()
    assert not (await providers(store))["one"].enabled


async def test_a_name_that_was_given_through_the_api_is_refused(store: Store) -> None:
    async with store.transaction() as db:
        await Providers(db).insert(Provider("id", "openai", "one", "https://api.example.com", NOON, NOON))
    with pytest.raises(BadSettings, match='environment: the provider name "one" belongs to'):
        await apply_config(store, [Configured("one")])
