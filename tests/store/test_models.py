"""The registry of models and the overrides, on both databases."""

from dataclasses import replace

import pytest
from sqlalchemy import text, update
from sqlalchemy.exc import IntegrityError

from coderai.errors import NotFound
from coderai.ids import new_id
from coderai.store.engine import Store
from coderai.store.models import Model, Models, Owner
from coderai.store.overrides import Overrides, PersonalOverride
from coderai.store.providers import Provider, Providers
from coderai.store.schema import chat_model_configs
from coderai.store.users import User, Users
from tests.store.building import NOON

OPTIONS = {"temperature": 0.5, "provider_options": {"openai": {"metadata": {"who": "Zoë \x00"}}}}


async def provider(store: Store, name: str = "corp", **fields: object) -> Owner:
    row = Provider(new_id(), "openai", name, "https://ai.example.com/v1", NOON, NOON, display_name=None)
    async with store.transaction() as db:
        await Providers(db).insert(replace(row, **fields))  # type: ignore[arg-type]
    return Owner(row.id, "openai", name)


def model(owner: Owner, name: str = "gpt-5", **fields: object) -> Model:
    return replace(Model(new_id(), owner, name, 400_000, NOON, NOON), **fields)  # type: ignore[arg-type]


async def add(store: Store, *models: Model) -> None:
    async with store.transaction() as db:
        for each in models:
            await Models(db).insert(each)


async def listed(store: Store) -> list[Model]:
    async with store.reading() as db:
        return list(await Models(db).list())


async def test_a_model_comes_back_as_it_was(store: Store) -> None:
    made = model(
        await provider(store), display_name="GPT", options=OPTIONS, created_by="u", updated_by="v", enabled=False
    )
    await add(store, made)
    async with store.reading() as db:
        assert await Models(db).get(made.id) == made


async def test_what_changes_and_what_stays(store: Store) -> None:
    one, other = await provider(store), await provider(store, "other")
    made = model(one, created_by="u")
    await add(store, made)
    changed = replace(
        made, provider=other, model="gpt-6", compression_threshold=100, options=OPTIONS, enabled=False, updated_by="v"
    )
    async with store.transaction() as db:
        await Models(db).update(replace(changed, created_by="nobody", is_default=True))
    assert await listed(store) == [changed]


async def test_there_is_one_default(store: Store) -> None:
    owner = await provider(store)
    one, two = model(owner), model(owner, "gpt-6")
    await add(store, one, two)
    for wanted in (one, two, None):
        async with store.transaction() as db:
            await Models(db).set_default(wanted and wanted.id)
        assert [each.id for each in await listed(store) if each.is_default] == ([wanted.id] if wanted else [])


async def test_the_database_itself_refuses_a_second_default(store: Store) -> None:
    owner = await provider(store)
    await add(store, model(owner), model(owner))
    with pytest.raises(IntegrityError):
        async with store.transaction() as db:
            await db.execute(update(chat_model_configs).values(is_default=True))


@pytest.mark.parametrize("wrong", [{"context_limit": 0}, {"compression_threshold": 101}, {"compression_threshold": -1}])
async def test_the_database_itself_refuses_wrong_numbers(store: Store, wrong: dict[str, int]) -> None:
    made = model(await provider(store), **wrong)
    with pytest.raises(IntegrityError):
        await add(store, made)


async def test_a_removed_model_is_not_found_and_is_no_default(store: Store) -> None:
    made = model(await provider(store))
    await add(store, made)
    async with store.transaction() as db:
        await Models(db).set_default(made.id)
        await Models(db).remove(made.id, NOON)
    assert await listed(store) == []
    async with store.reading() as db:
        with pytest.raises(NotFound):
            await Models(db).get(made.id)
        kept = (await db.execute(text("SELECT count(*) FROM chat_model_configs WHERE deleted_at IS NOT NULL"))).scalar()
        assert kept == 1


@pytest.mark.parametrize(
    ("fields", "trouble"),
    [
        ({}, ""),
        ({"enabled": False}, "its provider corp is disabled"),
        ({"deleted": True, "enabled": False}, "its provider corp is deleted"),
    ],
)
async def test_a_model_knows_what_is_wrong_with_its_provider(store: Store, fields, trouble) -> None:
    await add(store, model(await provider(store, **fields)))
    assert [each.trouble for each in await listed(store)] == [trouble]


async def test_a_model_must_have_a_provider(store: Store) -> None:
    with pytest.raises(IntegrityError):
        await add(store, model(Owner(new_id(), "openai", "nobody")))


async def test_two_models_may_be_called_alike(store: Store) -> None:
    owner = await provider(store)
    await add(store, model(owner), model(owner))
    assert [each.model for each in await listed(store)] == ["gpt-5", "gpt-5"]


async def test_overrides_of_the_deployment(store: Store) -> None:
    made = model(await provider(store))
    await add(store, made)
    async with store.transaction() as db:
        await Overrides(db).set_deployment("general", made.id, NOON)
        await Overrides(db).set_deployment("general", made.id, NOON)
        await Overrides(db).set_deployment("explore", made.id, NOON)
        await Overrides(db).set_deployment("explore", "", NOON)
    async with store.reading() as db:
        assert await Overrides(db).deployment() == {"general": made.id}


async def test_overrides_of_persons(store: Store) -> None:
    made = model(await provider(store))
    ada = User(new_id(), "ada", NOON, NOON)
    await add(store, made)
    async with store.transaction() as db:
        await Users(db).insert(ada)
        overrides = Overrides(db)
        await overrides.set_personal(ada.id, "root", PersonalOverride("model", made.id), NOON)
        await overrides.set_personal(ada.id, "general", PersonalOverride("model", made.id), NOON)
        await overrides.set_personal(ada.id, "general", PersonalOverride("chat_default"), NOON)
        await overrides.set_personal(ada.id, "explore", PersonalOverride("chat_default"), NOON)
        await overrides.set_personal(ada.id, "explore", None, NOON)
    async with store.reading() as db:
        assert await Overrides(db).personal(ada.id) == {
            "root": PersonalOverride("model", made.id),
            "general": PersonalOverride("chat_default"),
        }
        assert await Overrides(db).personal("somebody") == {}


async def test_the_gate_is_shut_until_it_is_opened(store: Store) -> None:
    states = []
    for allowed in (None, True, True, False):
        async with store.transaction() as db:
            if allowed is not None:
                await Overrides(db).allow_personal(allowed, NOON)
            states.append(await Overrides(db).personal_allowed())
    assert states == [False, True, True, False]


async def test_thresholds_of_persons(store: Store) -> None:
    owner = await provider(store)
    one, gone = model(owner), model(owner)
    ada = User(new_id(), "ada", NOON, NOON)
    await add(store, one, gone)
    async with store.transaction() as db:
        await Users(db).insert(ada)
        for each, percent in ((one, 10), (one, 20), (gone, 30)):
            await Overrides(db).set_threshold(ada.id, each.id, percent, NOON)
        await Models(db).remove(gone.id, NOON)
        assert await Overrides(db).thresholds(ada.id) == {one.id: 20}
        await Overrides(db).set_threshold(ada.id, one.id, None, NOON)
        assert await Overrides(db).thresholds(ada.id) == {}
