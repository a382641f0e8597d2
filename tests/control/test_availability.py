"""Can this person use that provider?"""

from dataclasses import dataclass, replace

import pytest
from sqlalchemy.ext.asyncio import AsyncConnection

from coderai.control.availability import InForce, Usable
from coderai.ids import new_id
from coderai.providers.keys import KeyPool
from coderai.providers.openai import OPENAI
from coderai.providers.registry import Instance, Registry
from coderai.store.engine import Store
from coderai.store.providers import Provider, Providers
from tests.store.building import NOON

CENTRAL = KeyPool(("sk-0123456789",))
CORP = Provider(new_id(), "openai", "corp", "https://ai.example.com/v1", NOON, NOON, source="config")


@dataclass(frozen=True)
class Keys:
    """Who has saved a key for which provider."""

    of_ada: frozenset[str] = frozenset()

    async def saved(self, _db: AsyncConnection, user_id: str) -> frozenset[str]:
        return self.of_ada if user_id == "ada" else frozenset()


def served(keys: KeyPool = CENTRAL, **fields: object) -> Registry:
    return Registry([replace(Instance("corp", "openai", "https://ai.example.com", OPENAI, keys), **fields)])  # type: ignore[arg-type]


SHARED, OWN = Usable(central=True, takes_own=True), Usable(personal=True, takes_own=True)
BOTH, ONLY_SHARED = replace(OWN, central=True), Usable(central=True)
ASK = Usable(takes_own=True, reason="user_api_key_required")
NOTHING = Usable(reason="missing_api_key")
UNKNOWN = Usable(takes_own=True, reason="fetch_failed")
BROKEN = {"state": "error", "reason": "boto is missing"}


@pytest.mark.parametrize(
    ("registry", "saved", "byok", "usable"),
    [
        (served(), False, True, SHARED),
        (served(), True, True, BOTH),
        (served(), True, False, ONLY_SHARED),
        (served(KeyPool()), True, True, OWN),
        (served(KeyPool()), True, False, NOTHING),
        (served(KeyPool()), False, True, ASK),
        (served(KeyPool()), False, False, NOTHING),
        (served(**BROKEN), False, True, replace(SHARED, reason="fetch_failed", detail="boto is missing")),
        (served(KeyPool(), **BROKEN), False, False, NOTHING),
        (Registry(), False, True, UNKNOWN),
        (Registry(), True, True, OWN),
    ],
)
async def test_by_the_instance_in_force(store: Store, registry, saved, byok, usable):
    availability = InForce(registry, allow_byok=byok, personal=Keys(frozenset({CORP.id} if saved else ())))
    async with store.reading() as db:
        assert await availability.usable(db, "ada", [CORP]) == {CORP.id: usable}
        assert (await availability.usable(db, "bob", [CORP]))[CORP.id].personal is False


@pytest.fixture
def dialect() -> str:
    """Nothing here depends on the database."""
    return "sqlite"


async def test_without_an_instance_the_database_says_what_there_is(store: Store):
    made = replace(CORP, id=new_id(), name="made", source="api")
    async with store.transaction() as db:
        await Providers(db).insert(made)
    async with store.reading() as db:
        assert await InForce(Registry(), allow_byok=True).usable(db, "ada", [made]) == {made.id: ASK}


@pytest.mark.parametrize(
    ("usable", "available", "trouble"),
    [
        (SHARED, True, ""),
        (NOTHING, False, "it has no key"),
        (ASK, False, "it has no shared key: it takes a key of one's own"),
        (UNKNOWN, False, "only a running server knows its keys"),
        (Usable(reason="fetch_failed", detail="boto is missing"), False, "boto is missing"),
    ],
)
def test_what_people_are_told(usable, available, trouble):
    assert (usable.available, usable.trouble) == (available, trouble)
