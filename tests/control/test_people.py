"""From the name of a person to the id: for calls that are made on somebody's behalf."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest
from sqlalchemy import event, update

from coderai.access.callers import Caller
from coderai.control.authority import TokenAuthority
from coderai.control.users import NewUser, UserControl
from coderai.store import tokens, users
from coderai.store.engine import Store
from coderai.store.schema import users as user_table

ROOT = Caller("", "root", frozenset({"owner"}))
STRANGER = "01890000-0000-7000-8000-00000000abcd"


@dataclass
class Setting:
    store: Store
    authority: TokenAuthority
    ids: dict[str, str] = field(default_factory=dict)
    looks: list[str] = field(default_factory=list)
    """Statements that read users."""


@pytest.fixture
async def setting(store: Store) -> Setting:
    made = Setting(store, TokenAuthority(store, remembered=2))
    accounts = UserControl(store)
    for name in ("ada", "bob", "cyd"):
        made.ids[name] = (await accounts.create(ROOT, NewUser(name, f"{name}@example.com"))).id

    @event.listens_for(store.engine.sync_engine, "before_cursor_execute")
    def _note(_c: object, _cursor: object, statement: str, *_rest: object) -> None:
        if statement.startswith("SELECT") and "lower(users.username)" in statement:
            made.looks.append(statement)

    return made


@asynccontextmanager
async def followed(setting: Setting) -> AsyncIterator[asyncio.Queue[frozenset[str]]]:
    """The authority hears of changes; each is put through by hand."""
    queue: asyncio.Queue[frozenset[str]] = asyncio.Queue()

    async def changes() -> AsyncIterator[frozenset[str]]:
        while True:
            yield await queue.get()
            queue.task_done()

    async with asyncio.TaskGroup() as group:
        following = group.create_task(setting.authority.follow(changes()))
        queue.put_nowait(frozenset({"*"}))
        await queue.join()
        yield queue
        following.cancel()


async def test_a_name_stands_for_the_id(setting: Setting) -> None:
    assert [await setting.authority.person(named) for named in ("ADA", "Ada", "ada")] == [setting.ids["ada"]] * 3


async def test_a_name_that_nobody_has_stands_for_itself(setting: Setting) -> None:
    names = ["nobody", "me", "ada ", "a" * 256, "' OR 1=1 --", "%", "\U0001f98a"]
    assert [await setting.authority.person(named) for named in names] == names


async def test_an_id_stands_for_itself_in_its_usual_form_without_a_look(setting: Setting) -> None:
    for one in (setting.ids["ada"], STRANGER):
        assert await setting.authority.person(one.upper()) == one
    assert setting.looks == []


async def test_the_name_of_a_deleted_user_is_a_strangers(setting: Setting) -> None:
    async with setting.store.transaction() as db:
        await db.execute(update(user_table).values(deleted=True))
    assert await setting.authority.person("ada") == "ada"


async def test_a_suspended_user_is_known_all_the_same(setting: Setting) -> None:
    async with setting.store.transaction() as db:
        await db.execute(update(user_table).values(status="suspended"))
    assert await setting.authority.person("ada") == setting.ids["ada"]


async def test_known_people_and_strangers_are_remembered(setting: Setting) -> None:
    async with followed(setting):
        for named in ("ada", "nobody") * 3:
            await setting.authority.person(named)
    assert len(setting.looks) == 2


async def test_without_news_of_changes_nobody_is_remembered(setting: Setting) -> None:
    for _ in range(3):
        await setting.authority.person("ada")
    assert len(setting.looks) == 3


async def test_a_flood_of_strangers_drives_nobody_out_and_is_bounded(setting: Setting) -> None:
    async with followed(setting):
        await setting.authority.person("ada")
        for number in range(5):
            await setting.authority.person(f"stranger-{number}")
        await setting.authority.person("ada")
        assert len(setting.looks) == 6
        await setting.authority.person("stranger-0")
    assert len(setting.looks) == 7


async def test_no_more_people_are_remembered_than_allowed(setting: Setting) -> None:
    async with followed(setting):
        for named in ("ada", "bob", "cyd", "ada"):
            await setting.authority.person(named)
    assert len(setting.looks) == 4


@pytest.mark.parametrize(("topic", "looks"), [(users.TOPIC, 2), (tokens.TOPIC, 2), ("*", 2), ("providers", 1)])
async def test_a_change_of_users_is_forgotten_at_once(setting: Setting, topic: str, looks: int) -> None:
    async with followed(setting) as news:
        await setting.authority.person("ada")
        news.put_nowait(frozenset({topic}))
        await news.join()
        await setting.authority.person("ada")
    assert len(setting.looks) == looks


async def test_a_stranger_who_becomes_a_user_is_known_then(setting: Setting) -> None:
    async with followed(setting) as news:
        assert await setting.authority.person("dan") == "dan"
        dan = await UserControl(setting.store).create(ROOT, NewUser("dan", "dan@example.com"))
        news.put_nowait(frozenset({users.TOPIC}))
        await news.join()
        assert await setting.authority.person("dan") == dan.id
