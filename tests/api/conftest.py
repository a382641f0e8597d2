"""The API as a client sees it: a real listener over a real store, with one user of each kind."""

import secrets
import shutil
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from sqlalchemy import insert, select
from yarl import URL

from coderai.access.passwords import Cost
from coderai.access.tokens import digest, generate
from coderai.api.app import Services, add_routes
from coderai.control.authority import TokenAuthority
from coderai.control.passwords import Passwords
from coderai.control.tokens import Lifetimes
from coderai.ids import new_id
from coderai.settings import Settings
from coderai.store.engine import Store, open_store
from coderai.store.schema import api_keys, users
from coderai.store.tokens import Token, Tokens
from coderai.store.users import User, Users
from tests import postgres

NOW = datetime.now(UTC)
CHEAP = Cost(rounds=1, kibibytes=8, lanes=1)
ROLES = {"olga": "owner", "audrey": "auditor", "uwe": "user-admin", "mia": "", "max": "", "bot": ""}


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    body: Any
    headers: Any
    text: str

    @property
    def fields(self) -> list[str]:
        """Which fields were refused."""
        return [each["field"] for each in self.body["validations"]]


@dataclass
class Api:
    """Asks as one of the people, by name."""

    url: str
    http: aiohttp.ClientSession
    store: Store
    ids: dict[str, str] = field(default_factory=dict)
    tokens: dict[str, str] = field(default_factory=dict)

    async def ask(self, method: str, path: str | URL, who: str | None = "olga", **options: Any) -> Answer:
        """*path* below ``/api/v2``, or absolute."""
        headers = {"Coder-Session-Token": self.tokens[who]} if who else {}
        headers |= options.pop("headers", {})
        url = URL(self.url).join(path) if isinstance(path, URL) else self._url(path)
        async with self.http.request(method, url, headers=headers, **options) as response:
            text = await response.text()
            is_json = response.content_type == "application/json" and text
            return Answer(response.status, await response.json() if is_json else None, response.headers, text)

    def _url(self, path: str) -> str:
        return self.url + (path if path.startswith("/") else f"/api/v2/{path}")

    async def get(self, path: str, who: str | None = "olga", **parameters: str) -> Answer:
        return await self.ask("GET", path, who, params=parameters)

    async def post(self, path: str, body: Any, who: str | None = "olga") -> Answer:
        return await self.ask("POST", path, who, json=body)

    async def session_ids(self, who: str = "olga", **parameters: str) -> list[str]:
        """The ids of the listed sessions."""
        return [each["id"] for each in (await self.get("aibridge/sessions", who, **parameters)).body["sessions"]]


def person(name: str, role: str) -> User:
    """A person, or the service account ``bot``."""
    user = User(new_id(), name, NOW, NOW, f"{name}@example.com", f"{name.title()} M", roles=(role,) if role else ())
    return replace(user, email="", login_type="none", is_service_account=True) if name == "bot" else user


@pytest.fixture
def settings() -> Settings:
    """What a test may replace."""
    return Settings(aibridge_members_can_read_own_sessions=True)


@pytest.fixture
def passwords() -> Passwords:
    """The same hash for a thousandth of its cost."""
    return Passwords(CHEAP)


@dataclass
class People:
    """Who is there in every test. The rows are kept: entering people one by one takes longer than most tests."""

    ids: dict[str, str] = field(default_factory=dict)
    tokens: dict[str, str] = field(default_factory=dict)
    users: list[dict[str, Any]] = field(default_factory=list)
    keys: list[dict[str, Any]] = field(default_factory=list)


@pytest.fixture(scope="session")
def people(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> People:
    """One user of each kind with a token."""
    people = People()
    path = shutil.copy(sqlite_template, tmp_path_factory.mktemp("people"))
    postgres.run(_enter(people, f"sqlite:///{path}"))
    return people


async def _enter(people: People, url: str) -> None:
    async with open_store(url, jobs=False) as store, store.transaction() as db:
        for name, role in ROLES.items():
            user, text = person(name, role), generate(secrets.choice)
            await Users(db).insert(user)
            hashed, expires_at = digest(text.secret), NOW + timedelta(days=1)
            await Tokens(db).insert(Token(text.id, user.id, hashed, expires_at, NOW, NOW, 86_400, "first"))
            people.ids[name], people.tokens[name] = user.id, text.whole
        people.users += [dict(row) for row in (await db.execute(select(users))).mappings()]
        people.keys += [dict(row) for row in (await db.execute(select(api_keys))).mappings()]


@pytest.fixture
async def api(store: Store, settings: Settings, passwords: Passwords, people: People) -> AsyncIterator[Api]:
    """The public listener."""
    lifetimes = Lifetimes(default=timedelta(days=3))
    services = Services.over(store, settings=settings, lifetimes=lifetimes, passwords=passwords)
    app = web.Application()
    add_routes(app, services, authority=TokenAuthority(store))
    async with TestServer(app) as server, aiohttp.ClientSession() as http:
        async with store.transaction() as db:
            await db.execute(insert(users), people.users)
            await db.execute(insert(api_keys), people.keys)
        url = str(server.make_url("")).rstrip("/")
        yield Api(url, http, store, dict(people.ids), dict(people.tokens))


@pytest.fixture
async def private(store: Store, settings: Settings, passwords: Passwords) -> AsyncIterator[Api]:
    """The private listener: everybody is the local owner."""
    app = web.Application()
    services = Services.over(store, settings=settings, lifetimes=Lifetimes(), passwords=passwords)
    add_routes(app, services, private=True)
    async with TestServer(app) as server, aiohttp.ClientSession() as http:
        yield Api(str(server.make_url("")).rstrip("/"), http, store)
