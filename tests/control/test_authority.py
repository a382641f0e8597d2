"""From a token to its owner, quickly, and never longer than allowed."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import event, update

from coderai.access.callers import Caller
from coderai.control.authority import TokenAuthority, local_owner
from coderai.control.tokens import Lifetimes, NewToken, TokenControl
from coderai.control.users import NewUser, UserControl
from coderai.errors import Forbidden, NotSignedIn
from coderai.store import tokens, users
from coderai.store.engine import Store
from coderai.store.schema import users as user_table
from coderai.store.users import Users

ROOT = Caller("", "root", frozenset({"owner"}))


@dataclass
class Watch:
    """A clock that is set by hand."""

    moment: datetime = field(default_factory=lambda: datetime.now(UTC))

    def __call__(self) -> datetime:
        return self.moment


@dataclass
class Setting:
    store: Store
    control: TokenControl
    authority: TokenAuthority
    clock: Watch
    looks: list[str] = field(default_factory=list)
    """Statements that read tokens."""

    async def create(self, **wanted: object) -> str:
        return (await self.control.create(ROOT, "ada", NewToken(**wanted))).whole  # type: ignore[arg-type]


@pytest.fixture
async def setting(store: Store) -> Setting:
    clock = Watch()
    accounts = UserControl(store, clock)
    await accounts.create(ROOT, NewUser("ada", "ada@example.com"))
    control = TokenControl(store, accounts, Lifetimes(), clock)
    made = Setting(store, control, TokenAuthority(store, clock, remembered=2), clock)

    @event.listens_for(store.engine.sync_engine, "before_cursor_execute")
    def _note(_c: object, _cursor: object, statement: str, *_rest: object) -> None:
        if statement.startswith("SELECT") and "hashed_secret" in statement:
            made.looks.append(statement)

    return made


@asynccontextmanager
async def followed(setting: Setting) -> AsyncIterator[asyncio.Queue[frozenset[str]]]:
    """The authority hears of changes; each is put through by hand and has been heard when the context goes on."""
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


async def works(setting: Setting, token: str) -> bool:
    try:
        await setting.authority.identify(token)
    except NotSignedIn:
        return False
    return True


async def test_a_token_names_its_owner(setting: Setting) -> None:
    token = await setting.create()
    caller = await setting.authority.identify(token)
    assert (caller.username, caller.token_id, caller.scopes) == ("ada", token[:10], {"coder:all"})


async def test_a_known_token_needs_no_database(setting: Setting) -> None:
    token = await setting.create()
    async with followed(setting):
        for _ in range(3):
            await setting.authority.identify(token)
    assert len(setting.looks) == 1


async def test_without_news_of_changes_nothing_is_remembered(setting: Setting) -> None:
    token = await setting.create()
    for _ in range(3):
        await setting.authority.identify(token)
    assert len(setting.looks) == 3


async def test_a_known_id_with_a_wrong_secret_is_refused(setting: Setting) -> None:
    token = await setting.create()
    async with followed(setting):
        await setting.authority.identify(token)
        with pytest.raises(NotSignedIn, match="not known"):
            await setting.authority.identify(token[:11] + "x" * 22)


async def test_a_known_token_expires_on_time(setting: Setting) -> None:
    token = await setting.create(lifetime=timedelta(hours=1))
    async with followed(setting):
        await setting.authority.identify(token)
        setting.clock.moment += timedelta(hours=1)
        with pytest.raises(NotSignedIn, match="expired"):
            await setting.authority.identify(token)


@pytest.mark.parametrize("topics", [{tokens.TOPIC}, {users.TOPIC}, {"*"}])
async def test_a_change_is_forgotten_at_once(setting: Setting, topics: set[str]) -> None:
    token = await setting.create()
    async with followed(setting) as news:
        await setting.authority.identify(token)
        await setting.control.remove(ROOT, "ada", token[:10])
        news.put_nowait(frozenset(topics))
        await news.join()
        with pytest.raises(NotSignedIn):
            await setting.authority.identify(token)


async def test_other_changes_do_not_matter(setting: Setting) -> None:
    token = await setting.create()
    async with followed(setting) as news:
        await setting.authority.identify(token)
        news.put_nowait(frozenset({"providers"}))
        await news.join()
        await setting.authority.identify(token)
    assert len(setting.looks) == 1


async def test_no_more_are_remembered_than_allowed(setting: Setting) -> None:
    made = [await setting.create() for _ in range(3)]
    async with followed(setting):
        for token in [*made, made[0]]:
            await setting.authority.identify(token)
    assert len(setting.looks) == 4


async def test_a_removed_token_stops_working_within_a_second_in_a_running_server(setting: Setting) -> None:
    token = await setting.create()
    async with asyncio.TaskGroup() as group:
        following = group.create_task(setting.authority.follow(setting.store.changes()))
        await setting.authority.identify(token)
        await setting.control.remove(ROOT, "ada", token[:10])
        async with asyncio.timeout(1):
            while await works(setting, token):
                await asyncio.sleep(0.01)
        following.cancel()


@pytest.mark.parametrize(("status", "good"), [("active", True), ("dormant", True), ("suspended", False)])
async def test_the_status_of_the_owner_counts(setting: Setting, status: str, good: bool) -> None:
    token = await setting.create()
    async with setting.store.transaction() as db:
        await db.execute(update(user_table).values(status=status))
    assert await works(setting, token) == good


async def test_a_dormant_user_is_revived(setting: Setting) -> None:
    token = await setting.create()
    async with setting.store.transaction() as db:
        await db.execute(update(user_table).values(status="dormant"))
    await setting.authority.identify(token)
    async with setting.store.reading() as db:
        assert (await Users(db).named("ada")).status == "active"


async def test_a_deleted_owner_is_not_known(setting: Setting) -> None:
    token = await setting.create()
    async with setting.store.transaction() as db:
        await db.execute(update(user_table).values(deleted=True))
    with pytest.raises(NotSignedIn, match="not known"):
        await setting.authority.identify(token)


@pytest.mark.parametrize("scope", ["coder:all", "ai:use"])
async def test_models_are_called_with_these_scopes(setting: Setting, scope: str) -> None:
    assert await works(setting, await setting.create(scopes=(scope,)))


async def test_models_are_not_called_with_a_scope_for_something_else(setting: Setting) -> None:
    token = await setting.create(scopes=("ai:read",))
    assert (await setting.authority.sign_in(token)).username == "ada"
    with pytest.raises(Forbidden, match="ai:use"):
        await setting.authority.identify(token)


async def test_the_local_owner_is_the_oldest_owner(store: Store) -> None:
    assert (await local_owner(store)).roles == {"owner"}
    accounts = UserControl(store)
    for name in ("first", "second"):
        await accounts.create(ROOT, NewUser("the-" + name, f"{name}@example.com", roles=("owner",)))
    assert (await local_owner(store)).username == "the-first"
