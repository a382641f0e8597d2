"""Personal keys: who may change whose, what remains, and how calls find them."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from sqlalchemy import event

from coderai.access.callers import Caller
from coderai.control.accounts import AccountControl
from coderai.control.authority import TokenAuthority
from coderai.control.availability import InForce
from coderai.control.passwords import Passwords
from coderai.control.personal_keys import PersonalKeyControl, Saved, SavedKeys, Standing
from coderai.control.providers import NewProvider, ProviderControl, ProviderPatch
from coderai.control.users import NewUser, UserControl
from coderai.control.vault import Vault
from coderai.errors import Conflict, Forbidden, Invalid, NotFound, NotSignedIn
from coderai.providers.registry import Registry
from coderai.store.audit import AuditLog, EntryFilter
from coderai.store.engine import Store
from coderai.store.personal_keys import PersonalKeys
from coderai.store.secrets import Secrets
from tests.control.following import followed

OLD, NEW = (base64.b64encode(bytes([number]) * 32).decode() for number in (1, 2))
KEY = "sk-personal-0123456789abcdef"
OTHER = "sk-other-0123456789abcdef"
OPENAI = NewProvider("openai", "openai", "https://ai.example.com/v1", enabled=True, keys=("sk-central",))
KEYLESS = NewProvider("openai-compat", "keyless", "https://llm.example.com/v1", enabled=True)
ASLEEP = NewProvider("openai", "asleep", "https://ai.example.com/v1", keys=("sk-central",))
AMAZON = NewProvider("bedrock", "amazon", enabled=True, bedrock={"region": "eu-west-1"})


@dataclass
class Setting:
    store: Store
    vault: Vault
    users: UserControl
    accounts: AccountControl
    providers: ProviderControl
    keys: PersonalKeyControl
    callers: dict[str, Caller] = field(default_factory=dict)
    looks: list[str] = field(default_factory=list)
    """Statements that read personal keys with their secret."""

    def control(self, **options: object) -> PersonalKeyControl:
        allow = bool(options.pop("allow_byok", True))
        availability = InForce(Registry(), allow_byok=allow, personal=Saved())
        return PersonalKeyControl(self.store, self.vault, self.users, availability, allow_byok=allow)

    async def working(self, who: str, vault: Vault | None = None) -> dict[str, str | None]:
        """What calls of that person to each provider would go with, without any memory."""
        saved = SavedKeys(self.store, vault or self.vault)
        return {name: await saved.key(self.callers[who].user_id, name) for name in ("openai", "keyless")}

    async def noted(self, action: str) -> list[tuple[str, dict[str, object]]]:
        async with self.store.reading() as db:
            wanted = EntryFilter(resource_type="user_ai_provider_key", action=action)
            entries, _ = await AuditLog(db).list(wanted, limit=10)
        return [(entry.resource_target, dict(entry.diff)) for entry in entries]


@pytest.fixture
async def setting(store: Store, tmp_path: Path) -> Setting:
    users, vault = UserControl(store), Vault.load(tmp_path, OLD)
    accounts, providers = AccountControl(store, users, Passwords()), ProviderControl(store, vault)
    made = Setting(store, vault, users, accounts, providers, None)  # type: ignore[arg-type]
    made.keys = made.control()
    root = Caller("", "root", frozenset({"owner"}))
    for name, role in (("olga", "owner"), ("mia", ""), ("max", "")):
        roles = (role,) if role else ()
        user = await users.create(root, NewUser(name, f"{name}@example.com", roles=roles))
        made.callers[name] = Caller(user.id, name, frozenset(roles), token_id="t")
    bot = await users.create(root, NewUser("bot", "", service_account=True))
    made.callers["bot"] = Caller(bot.id, "bot", token_id="t")
    for provider in (OPENAI, KEYLESS, ASLEEP, AMAZON):
        await providers.create(made.callers["olga"], provider)

    @event.listens_for(store.engine.sync_engine, "before_cursor_execute")
    def _note(_c: object, _cursor: object, statement: str, *_rest: object) -> None:
        if statement.startswith("SELECT") and "user_ai_provider_keys.api_key" in statement:
            made.looks.append(statement)

    return made


def words(standings: list[Standing]) -> dict[str, tuple[bool, bool, bool]]:
    return {each.provider.name: (each.saved, each.usable.central, each.byok) for each in standings}


async def test_three_states(setting: Setting):
    mia = setting.callers["mia"]
    await setting.keys.save(mia, "me", "openai", f"  {KEY}\n")
    assert words(await setting.keys.list(mia, "me")) == {
        "amazon": (False, True, True),
        "keyless": (False, False, True),
        "openai": (True, True, True),
    }
    assert await setting.working("mia") == {"openai": KEY, "keyless": None}
    assert await setting.working("max") == {"openai": None, "keyless": None}


async def test_a_key_takes_the_place_of_the_one_before(setting: Setting):
    mia = setting.callers["mia"]
    await setting.keys.save(mia, "me", "openai", KEY)
    await setting.keys.save(mia, "me", "openai", OTHER)
    assert (await setting.working("mia"))["openai"] == OTHER
    assert await setting.noted("create") == [
        (
            "openai",
            {
                "user": {"old": None, "new": "mia", "secret": False},
                "api_key": {"old": None, "new": "sk-p...cdef", "secret": True},
            },
        )
    ]
    assert await setting.noted("write") == [
        ("openai", {"api_key": {"old": "sk-p...cdef", "new": "sk-o...cdef", "secret": True}})
    ]


async def test_the_same_person_twice_at_once_ends_with_one_key(setting: Setting):
    mia = setting.callers["mia"]
    async with asyncio.TaskGroup() as tasks:
        for key in (KEY, OTHER, KEY, OTHER):
            tasks.create_task(setting.keys.save(mia, "me", "openai", key))
    async with setting.store.reading() as db:
        assert len(await PersonalKeys(db).of(mia.user_id)) == 1
    assert (await setting.working("mia"))["openai"] in (KEY, OTHER)


async def test_a_removed_key_is_gone(setting: Setting):
    mia = setting.callers["mia"]
    await setting.keys.save(mia, "me", "openai", KEY)
    await setting.keys.remove(mia, "mia", "openai")
    assert (await setting.working("mia"))["openai"] is None
    assert [target for target, _ in await setting.noted("delete")] == ["openai"]
    with pytest.raises(NotFound):
        await setting.keys.remove(mia, "me", "openai")


async def test_what_is_no_key_is_refused(setting: Setting):
    for key in ("", "  \n", "two words", "sk-ä", "a\0b", "x" * 9000):
        with pytest.raises(Invalid) as caught:
            await setting.keys.save(setting.callers["mia"], "me", "openai", key)
        assert [name for name, _ in caught.value.validations] == ["api_key"], key[:10]


@pytest.mark.parametrize(
    ("provider", "error", "text"),
    [
        ("asleep", Conflict, "is disabled"),
        ("amazon", Conflict, "AWS credentials"),
        ("none", NotFound, "none"),
        ("No Name", NotFound, "No Name"),
    ],
)
async def test_providers_that_take_none(setting: Setting, provider: str, error: type[Exception], text: str):
    with pytest.raises(error, match=text):
        await setting.keys.save(setting.callers["mia"], "me", provider, KEY)
    async with setting.store.reading() as db:
        assert not await PersonalKeys(db).of(setting.callers["mia"].user_id)


async def test_while_they_are_off_keys_are_kept_can_be_removed_and_not_saved(setting: Setting):
    mia, off = setting.callers["mia"], setting.control(allow_byok=False)
    await setting.keys.save(mia, "me", "openai", KEY)
    with pytest.raises(Forbidden, match="--aibridge-allow-byok"):
        await off.save(mia, "me", "openai", OTHER)
    assert words(await off.list(mia, "me"))["openai"] == (True, True, False)
    await off.remove(mia, "me", "openai")
    assert words(await off.list(mia, "me"))["openai"] == (False, True, False)


async def test_a_provider_that_was_disabled_is_listed_as_long_as_there_is_a_key(setting: Setting):
    mia, olga = setting.callers["mia"], setting.callers["olga"]
    await setting.keys.save(mia, "me", "keyless", KEY)
    await setting.providers.change(olga, "keyless", ProviderPatch(enabled=False))
    assert "keyless" in words(await setting.keys.list(mia, "me"))
    assert "keyless" not in words(await setting.keys.list(setting.callers["max"], "me"))
    await setting.keys.remove(mia, "me", "keyless")


async def test_an_owner_sees_and_removes_but_never_saves_for_another_person(setting: Setting):
    mia, olga = setting.callers["mia"], setting.callers["olga"]
    await setting.keys.save(mia, "me", "openai", KEY)
    assert words(await setting.keys.list(olga, "mia"))["openai"][0]
    with pytest.raises(Forbidden, match="by the person whose it is: mia"):
        await setting.keys.save(olga, "mia", "openai", OTHER)
    await setting.keys.remove(olga, "mia", "openai")
    assert (await setting.working("mia"))["openai"] is None


async def test_an_owner_keeps_the_keys_of_service_accounts(setting: Setting):
    await setting.keys.save(setting.callers["olga"], "bot", "openai", KEY)
    assert (await setting.working("bot"))["openai"] == KEY


async def test_others_see_nobody_elses(setting: Setting):
    for attempt in (
        setting.keys.list(setting.callers["max"], "mia"),
        setting.keys.save(setting.callers["max"], "mia", "openai", KEY),
        setting.keys.save(setting.callers["max"], "bot", "openai", KEY),
        setting.keys.remove(setting.callers["max"], "mia", "openai"),
    ):
        with pytest.raises(NotFound):
            await attempt


async def test_keys_go_with_their_provider_and_with_their_owner(setting: Setting):
    mia, olga = setting.callers["mia"], setting.callers["olga"]
    await setting.keys.save(mia, "me", "openai", KEY)
    await setting.keys.save(mia, "me", "keyless", KEY)
    await setting.providers.delete(olga, "openai")
    async with setting.store.reading() as db:
        assert [key.provider_name for key in await PersonalKeys(db).of(mia.user_id)] == ["keyless"]
    await setting.accounts.delete(olga, "mia")
    async with setting.store.reading() as db:
        assert not await PersonalKeys(db).of(mia.user_id)


async def test_a_new_provider_of_an_old_name_has_no_keys(setting: Setting):
    mia, olga = setting.callers["mia"], setting.callers["olga"]
    await setting.keys.save(mia, "me", "openai", KEY)
    await setting.providers.delete(olga, "openai")
    await setting.providers.create(olga, OPENAI)
    assert (await setting.working("mia"))["openai"] is None


async def test_the_key_of_somebody_suspended_does_not_work_for_others_either(setting: Setting):
    mia, olga = setting.callers["mia"], setting.callers["olga"]
    await setting.keys.save(mia, "me", "openai", KEY)
    await setting.accounts.set_status(olga, "mia", "suspended")
    assert (await setting.working("mia"))["openai"] is None
    await setting.accounts.set_status(olga, "mia", "active")
    assert (await setting.working("mia"))["openai"] == KEY


async def test_availability_knows_them(setting: Setting):
    mia = setting.callers["mia"]
    await setting.keys.save(mia, "me", "keyless", KEY)
    [amazon, keyless, _] = await setting.keys.list(mia, "me")
    assert (keyless.usable.available, keyless.usable.personal, keyless.usable.central) == (True, True, False)
    assert (amazon.usable.available, amazon.usable.personal) == (True, False)
    [_, keyless, _] = await setting.keys.list(setting.callers["max"], "me")
    assert (keyless.usable.available, keyless.usable.reason) == (False, "user_api_key_required")


async def test_new_encryption_keys_seal_them_too(setting: Setting, tmp_path: Path):
    await setting.keys.save(setting.callers["mia"], "me", "openai", KEY)
    both, new = Vault.load(tmp_path, f"{NEW},{OLD}"), Vault.load(tmp_path, NEW)
    assert await both.rotate(setting.store, ()) == 4  # two central keys, settings of Amazon, this one
    assert await setting.working("mia", new) == {"openai": KEY, "keyless": None}
    async with setting.store.reading() as db:
        assert await Secrets(db).key_ids() == set(new.key_ids)


async def test_a_key_that_cannot_be_read_is_not_replaced_by_the_central_one(setting: Setting, tmp_path: Path):
    mia = setting.callers["mia"]
    await setting.keys.save(mia, "me", "openai", KEY)
    blind = SavedKeys(setting.store, Vault.load(tmp_path, NEW))
    with pytest.raises(NotSignedIn, match="coderai keys set openai"):
        await blind.key(mia.user_id, "openai")
    assert await blind.key(mia.user_id, "keyless") is None


@asynccontextmanager
async def remembering(setting: Setting, remembered: int = 100) -> AsyncIterator[tuple[TokenAuthority, object]]:
    authority = TokenAuthority(setting.store, keys=SavedKeys(setting.store, setting.vault, remembered))
    async with followed(authority) as news:
        setting.looks.clear()
        yield authority, news


@pytest.mark.parametrize("who", ["mia", "max"])
async def test_in_steady_state_no_call_asks_the_database(setting: Setting, who: str):
    await setting.keys.save(setting.callers["mia"], "me", "openai", KEY)
    async with remembering(setting) as (authority, _):
        for provider in ("openai", "keyless", "openai"):
            found = await authority.personal_key(setting.callers[who].user_id, provider)
            assert found == (KEY if (who, provider) == ("mia", "openai") else None)
    assert len(setting.looks) == 1


@pytest.mark.parametrize("topic", ["personal_keys", "providers", "users", "*"])
async def test_news_make_it_look_again(setting: Setting, topic: str):
    mia = setting.callers["mia"]
    async with remembering(setting) as (authority, news):
        assert await authority.personal_key(mia.user_id, "openai") is None
        await setting.keys.save(mia, "me", "openai", KEY)
        assert await authority.personal_key(mia.user_id, "openai") is None  # nobody has told it yet
        news.put_nowait(frozenset({topic}))
        await news.join()
        assert await authority.personal_key(mia.user_id, "openai") == KEY


async def test_other_news_do_not(setting: Setting):
    mia = setting.callers["mia"]
    async with remembering(setting) as (authority, news):
        await authority.personal_key(mia.user_id, "openai")
        news.put_nowait(frozenset({"models", "tokens"}))
        await news.join()
        await authority.personal_key(mia.user_id, "openai")
    assert len(setting.looks) == 1


async def test_without_news_nothing_is_remembered(setting: Setting):
    authority = TokenAuthority(setting.store, keys=SavedKeys(setting.store, setting.vault))
    for _ in range(2):
        await authority.personal_key(setting.callers["mia"].user_id, "openai")
    async with remembering(setting) as (followed_once, _):
        await followed_once.personal_key(setting.callers["mia"].user_id, "openai")
    await followed_once.personal_key(setting.callers["mia"].user_id, "openai")
    assert len(setting.looks) == 2  # those of the second authority: while it heard, and after


async def test_no_more_people_are_remembered_than_allowed(setting: Setting):
    async with remembering(setting, remembered=2) as (authority, _):
        for who in ("mia", "max", "bot", "mia"):
            await authority.personal_key(setting.callers[who].user_id, "openai")
    assert len(setting.looks) == 4


async def test_for_a_name_that_nobody_has_nothing_is_asked(setting: Setting):
    async with remembering(setting) as (authority, _):
        assert await authority.personal_key("somebody", "openai") is None
    assert not setting.looks


async def test_nothing_that_is_shown_or_noted_holds_a_key(setting: Setting):
    mia = setting.callers["mia"]
    standing = await setting.keys.save(mia, "me", "openai", KEY)
    await setting.keys.save(mia, "me", "openai", OTHER)
    await setting.keys.remove(mia, "me", "openai")
    noted = [await setting.noted(action) for action in ("create", "write", "delete")]
    assert not [key for key in (KEY, OTHER) if key in json.dumps(noted) + repr(standing)]
