"""The role matrix: what every endpoint gives to every role, and to nobody."""

import secrets
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any, Final

import pytest
from sqlalchemy.ext.asyncio import AsyncConnection

from coderai.access.tokens import digest, generate
from coderai.api.answers import SAFE
from coderai.api.app import routes
from coderai.store.tokens import Token, Tokens
from coderai.store.users import User, Users
from tests.api.conftest import NOW, Api, person
from tests.api.matrix import MATRIX, WHO

NAMES: Final = {
    "owner": "olga",
    "auditor": "audrey",
    "user_admin": "uwe",
    "member": "mia",
    "service": "bot",
    "user_only": "olga for models",
    "nobody": None,
}


def test_every_route_is_in_the_matrix() -> None:
    known = {(row.method, row.route) for row in MATRIX}
    assert {(route.method, route.path) for route in routes()} - known == set()


def test_every_row_is_a_route() -> None:
    known = {(route.method, route.path) for route in routes()}
    assert {(row.method, row.route) for row in MATRIX} - known == set()


@pytest.fixture
def dialect() -> str:
    """Who may do what does not depend on the database."""
    return "sqlite"


@pytest.fixture
async def peer(api: Api) -> str:
    """An owner beside the one who asks; and the owner gets a token for models only."""
    async with api.store.transaction() as db:
        owner = await Users(db).get(api.ids["olga"])
        api.tokens["olga for models"] = await token_of(db, owner, "models", scopes=("ai:use",))
        peer = person("peer", "owner")
        await Users(db).insert(peer)
    return peer.id


async def token_of(db: AsyncConnection, owner: User, name: str, **fields: Any) -> str:
    text = generate(secrets.choice)
    tomorrow = NOW + timedelta(days=1)
    await Tokens(db).insert(Token(text.id, owner.id, digest(text.secret), tomorrow, NOW, NOW, 86_400, name, **fields))
    return text.whole


async def statuses(api: Api, who: str, peer: str) -> AsyncIterator[tuple[str, int]]:
    """Ask everything as *who*; each row finds a fresh ``max``."""
    for number, row in enumerate(MATRIX):
        async with api.store.transaction() as db:
            victim = person(f"max{number}", "")
            await Users(db).insert(victim)
            token = await token_of(db, victim, "first")
        path = row.path.replace("{max}", victim.id).replace("{token}", token[:10]).replace("{peer}", peer)
        answer = await api.ask(row.method, path, NAMES[who], **({} if row.body is None else {"json": row.body}))
        assert SAFE.keys() <= answer.headers.keys(), row
        yield str(row), answer.status


@pytest.mark.parametrize("who", WHO)
async def test_the_matrix(api: Api, peer: str, who: str) -> None:
    found = [each async for each in statuses(api, who, peer)]
    assert found == [(str(row), getattr(row, who)) for row in MATRIX]
