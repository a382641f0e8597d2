"""Signing in, with clocks that are set by hand."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import event

from coderai.access.callers import Caller, Origin
from coderai.access.passwords import Cost
from coderai.access.rates import Rate
from coderai.control.accounts import AccountControl
from coderai.control.authority import TokenAuthority
from coderai.control.guard import Guard
from coderai.control.passwords import Passwords
from coderai.control.signing_in import Sessions, SignInControl
from coderai.control.tokens import Lifetimes, NewToken, TokenControl
from coderai.control.users import NewUser, UserControl
from coderai.control.uses import Uses
from coderai.errors import Busy, Invalid, NotSignedIn
from coderai.store.engine import Store
from coderai.store.tokens import Token, Tokens
from coderai.store.users import Users
from tests.control.following import followed

ROOT = Caller("", "root", frozenset({"owner"}))
CHEAP = Cost(rounds=1, kibibytes=8, lanes=1)
PASSWORD = "correct horse"
HOUR = timedelta(hours=1)


@dataclass
class Watch:
    moment: datetime = field(default_factory=lambda: datetime.now(UTC))

    def __call__(self) -> datetime:
        return self.moment

    def seconds(self) -> float:
        return self.moment.timestamp()


def few_tries(clock: Watch) -> Guard:
    """Three in a minute: each one costs a good deal of processor time."""
    return Guard(by_account=Rate(3), clock=clock.seconds)


@dataclass
class Setting:
    store: Store
    clock: Watch
    users: UserControl
    sign_in: SignInControl
    authority: TokenAuthority
    uses: Uses
    writes: list[str] = field(default_factory=list)
    """Statements that change tokens."""

    async def token(self, token: str) -> Token:
        async with self.store.reading() as db:
            return (await Tokens(db).owned(token[:10])).token

    async def works(self, token: str) -> bool:
        try:
            await self.authority.sign_in(token)
        except NotSignedIn:
            return False
        return True


@pytest.fixture
async def setting(store: Store) -> Setting:
    clock = Watch()
    passwords = Passwords(CHEAP)
    users = UserControl(store, clock, passwords)
    await users.create(ROOT, NewUser("ada", "ada@example.com", password=PASSWORD))
    uses = Uses(store, most=2)
    made = Setting(
        store,
        clock,
        users,
        SignInControl(store, passwords, Sessions(), few_tries(clock), clock),
        TokenAuthority(store, clock, uses=uses),
        uses,
    )

    @event.listens_for(store.engine.sync_engine, "before_cursor_execute")
    def _note(_c: object, _cursor: object, statement: str, *_rest: object) -> None:
        if statement.startswith("UPDATE api_keys"):
            made.writes.append(statement)

    return made


async def sign_in(setting: Setting, password: str = PASSWORD, named: str = "ada", ip: str = "192.0.2.1") -> str:
    return (await setting.sign_in.login(named, password, Origin(ip))).whole


sqlite = pytest.mark.parametrize("dialect", ["sqlite"])


@sqlite
async def test_an_account_is_guessed_at_only_so_often_from_wherever(setting: Setting) -> None:
    for number in range(3):
        with pytest.raises(NotSignedIn):
            await sign_in(setting, "wrong", ip=f"192.0.2.{number}")
    with pytest.raises(Busy) as refused:
        await sign_in(setting, ip="198.51.100.1")
    assert (refused.value.status, refused.value.retry_after) == (429, 20)
    setting.clock.moment += timedelta(seconds=20)
    await sign_in(setting)


@sqlite
async def test_an_address_tries_only_so_often_whatever_names_it_has(setting: Setting) -> None:
    guard = Guard(clock=setting.clock.seconds)
    for number in range(60):
        guard.count_address("192.0.2.1")
        guard.count_account(f"somebody-{number}")
    with pytest.raises(Busy):
        guard.count_address("192.0.2.1")
    guard.count_address("192.0.2.2")


@sqlite
async def test_other_ways_to_write_a_name_are_no_further_tries(setting: Setting) -> None:
    for named in ("ada", "ADA", "Ada@Example.com"):
        with pytest.raises(NotSignedIn):
            await sign_in(setting, "wrong", named)
    with pytest.raises(Busy):
        await sign_in(setting)


@sqlite
async def test_the_present_password_is_no_easier_to_guess_than_a_sign_in(setting: Setting) -> None:
    accounts = AccountControl(setting.store, setting.users, Passwords(CHEAP), few_tries(setting.clock))
    ada = await setting.users.find(ROOT, "ada")
    caller = Caller(ada.id, "ada", token_id="a-session")
    for _ in range(3):
        with pytest.raises(Invalid):
            await accounts.set_password(caller, "me", "quite long enough", "wrong")
    with pytest.raises(Busy):
        await accounts.set_password(caller, "me", "quite long enough", PASSWORD)


async def test_a_session_in_use_goes_on_and_is_written_once_an_hour(setting: Setting) -> None:
    token = await sign_in(setting)
    async with followed(setting.authority):
        for _ in range(120):
            setting.clock.moment += timedelta(minutes=30)
            assert await setting.works(token)
    assert len(setting.writes) == 60
    assert (await setting.token(token)).expires_at == setting.clock.moment + 24 * HOUR


async def test_a_session_that_is_not_used_ends(setting: Setting) -> None:
    token = await sign_in(setting)
    setting.clock.moment += 24 * HOUR
    assert not await setting.works(token)


async def test_a_token_ends_on_its_day_however_it_is_used(setting: Setting) -> None:
    tokens = TokenControl(setting.store, setting.users, Lifetimes(), setting.clock)
    token = (await tokens.create(ROOT, "ada", NewToken(lifetime=24 * HOUR))).whole
    async with followed(setting.authority):
        for _ in range(23):
            setting.clock.moment += HOUR
            assert await setting.works(token)
        setting.clock.moment += HOUR
        assert not await setting.works(token)


async def test_a_session_prolonged_by_another_process_goes_on_here(setting: Setting) -> None:
    token = await sign_in(setting)
    other = TokenAuthority(setting.store, setting.clock)
    async with followed(setting.authority):
        await setting.authority.sign_in(token)
        setting.clock.moment += 12 * HOUR
        await other.sign_in(token)
        setting.clock.moment += 13 * HOUR
        assert await setting.works(token)


async def test_sessions_need_not_be_prolonged(setting: Setting) -> None:
    token = await sign_in(setting)
    fixed = TokenAuthority(setting.store, setting.clock, refreshing=False)
    setting.clock.moment += 23 * HOUR
    await fixed.sign_in(token)
    assert setting.writes == []


async def test_a_session_ended_meanwhile_is_not_brought_back(setting: Setting) -> None:
    token = await sign_in(setting)
    tokens = TokenControl(setting.store, setting.users, Lifetimes(), setting.clock)
    async with followed(setting.authority):
        await setting.authority.sign_in(token)
        setting.clock.moment += 2 * HOUR
        await tokens.expire(ROOT, "ada", token[:10])
        await setting.authority.sign_in(token)  # the news has not come yet
    assert (await setting.token(token)).expires_at == setting.clock.moment


async def test_signing_in_revives_a_dormant_user(setting: Setting) -> None:
    passwords = Passwords(CHEAP)
    await AccountControl(setting.store, setting.users, passwords).set_status(ROOT, "ada", "dormant")
    await sign_in(setting)
    ada = await setting.users.find(ROOT, "ada")
    assert (ada.status, ada.last_seen_at) == ("active", setting.clock.moment)


async def test_uses_are_written_together_and_later(setting: Setting) -> None:
    tokens = TokenControl(setting.store, setting.users, Lifetimes(), setting.clock)
    token = (await tokens.create(ROOT, "ada", NewToken())).whole
    for _ in range(5):
        setting.clock.moment += timedelta(seconds=1)
        await setting.authority.identify(token)
    assert ((await setting.token(token)).last_used, setting.writes) == (None, [])
    await setting.uses.flush()
    await setting.uses.flush()
    assert ((await setting.token(token)).last_used, len(setting.writes)) == (setting.clock.moment, 1)
    async with setting.store.reading() as db:
        assert (await Users(db).named("ada")).last_seen_at == setting.clock.moment


async def test_an_earlier_use_does_not_overwrite_a_later_one(setting: Setting) -> None:
    token = await sign_in(setting)
    used = (await setting.token(token)).last_used
    setting.uses.note(token[:10], "", setting.clock.moment - HOUR)
    await setting.uses.flush()
    assert (await setting.token(token)).last_used == used


@sqlite
async def test_what_is_gathered_is_bounded(setting: Setting) -> None:
    token = await sign_in(setting)
    setting.clock.moment += timedelta(seconds=1)
    for token_id in (token[:10], "b", "c"):
        setting.uses.note(token_id, "", setting.clock.moment)
    await setting.uses.flush()
    assert (await setting.token(token)).last_used == setting.clock.moment - timedelta(seconds=1)
