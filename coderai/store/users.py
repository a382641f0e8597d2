"""People and service accounts."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import and_, func, insert, literal, or_, select, tuple_, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql.elements import ColumnElement

from coderai.errors import Conflict, NotFound
from coderai.store.patterns import containing
from coderai.store.rows import AnyRow, AnySelect
from coderai.store.schema import users

TOPIC = "users"
"""Bumped by every change; names and roles are cached with the tokens."""


@dataclass(frozen=True, slots=True)
class User:
    """One row. ``roles`` are site roles; being a member is implied."""

    id: str
    username: str
    created_at: datetime
    updated_at: datetime
    email: str = ""
    name: str = ""
    hashed_password: str | None = field(default=None, repr=False)
    """None: cannot sign in with a password."""
    status: str = "active"
    """``active``, ``dormant`` (revived by use) or ``suspended``."""
    roles: tuple[str, ...] = ()
    login_type: str = "password"
    avatar_url: str = ""
    deleted: bool = False
    last_seen_at: datetime | None = None
    is_system: bool = False
    is_service_account: bool = False


@dataclass(frozen=True, slots=True)
class Person:
    """Who is named beside a record."""

    id: str
    username: str
    name: str = ""
    avatar_url: str = ""


@dataclass(frozen=True, slots=True)
class UserFilter:
    """What a list of users is narrowed to; empty members do not narrow."""

    text: str = ""
    """Part of the username or the e-mail, any case."""
    name: str = ""
    statuses: tuple[str, ...] = ()
    role: str = ""
    login_types: tuple[str, ...] = ()
    service_account: bool | None = None
    id: str = ""
    created_after: datetime | None = None
    """Inclusive, as are the other times."""
    created_before: datetime | None = None
    last_seen_after: datetime | None = None
    last_seen_before: datetime | None = None


class Users:
    """The users as one connection sees them. Deleted ones are found by id only."""

    def __init__(self, db: AsyncConnection) -> None:
        self._db = db

    async def insert(self, user: User) -> None:
        """Raises Conflict, naming the field, when username or e-mail belong to somebody."""
        await self._check_taken(user)
        try:
            await self._db.execute(insert(users).values(_columns(user)))
        except IntegrityError as error:  # somebody was faster
            raise _taken("username", user) from error

    async def update(self, user: User) -> None:
        """Write the whole row. Raises Conflict as ``insert`` does."""
        if not user.deleted:
            await self._check_taken(user)
        try:
            await self._db.execute(update(users).where(users.c.id == user.id).values(_columns(user)))
        except IntegrityError as error:
            raise _taken("username", user) from error

    async def _check_taken(self, user: User) -> None:
        taken = [
            ("username", func.lower(users.c.username) == user.username.lower()),
            ("email", and_(users.c.email != "", func.lower(users.c.email) == user.email.lower())),
        ]
        others = (users.c.deleted.is_(False), users.c.id != user.id)
        for name, condition in taken:
            if (await self._db.execute(select(users.c.id).where(condition, *others))).first():
                raise _taken(name, user)

    async def get(self, user_id: str, *, lock: bool = False) -> User:
        """Deleted ones included. With *lock* nobody else changes the row before this transaction ends.

        Raises NotFound.
        """
        return await self._only(users.c.id == user_id, user_id, lock=lock)

    async def named(self, username: str) -> User:
        """Upper and lower case are the same. Raises NotFound."""
        return await self._only(
            and_(func.lower(users.c.username) == username.lower(), users.c.deleted.is_(False)), username
        )

    async def with_email(self, email: str) -> User:
        """Upper and lower case are the same. Raises NotFound."""
        same = and_(users.c.email != "", func.lower(users.c.email) == email.lower(), users.c.deleted.is_(False))
        return await self._only(same, email)

    async def any(self) -> bool:
        """Return whether there is or ever was a user."""
        return (
            await self._db.execute(select(users.c.id).where(users.c.deleted.is_(False)).limit(1))
        ).first() is not None

    async def first_owner(self) -> User | None:
        """Return the oldest owner that may act."""
        rows = await self._db.execute(_owners().limit(1))
        row = rows.one_or_none()
        return None if row is None else _user(row)

    async def owners(self) -> Sequence[User]:
        """Return all owners that may act; they stay it until this transaction ends. In the order of their ids."""
        query = _owners().order_by(None).order_by(users.c.id)
        return [_user(row) for row in await self._db.execute(query.with_for_update())]

    async def revive(self, user_id: str, now: datetime) -> None:
        """A dormant user came back."""
        await self._db.execute(
            update(users)
            .where(users.c.id == user_id, users.c.status == "dormant")
            .values(status="active", updated_at=now, last_seen_at=now)
        )

    async def seen(self, user_id: str, now: datetime) -> None:
        """The user was here; an earlier time than the known one changes nothing."""
        later = or_(users.c.last_seen_at.is_(None), users.c.last_seen_at < now)
        await self._db.execute(update(users).where(users.c.id == user_id, later).values(last_seen_at=now))

    async def list(
        self, wanted: UserFilter, *, limit: int, offset: int = 0, after_id: str = ""
    ) -> tuple[Sequence[User], int]:
        """Return a page ordered by username, and how many there are in all; *after_id* ends the page before.

        Raises NotFound when nobody has that id.
        """
        conditions = _conditions(wanted)
        rows = select(users).where(*conditions).order_by(func.lower(users.c.username), users.c.id)
        if after_id:
            last = await self.get(after_id)
            place = tuple_(literal(last.username.lower()), literal(last.id))
            rows = rows.where(tuple_(func.lower(users.c.username), users.c.id) > place)
        rows = rows.limit(limit).offset(offset)
        count = select(func.count()).select_from(users).where(*conditions)
        page = [_user(row) for row in await self._db.execute(rows)]
        return page, (await self._db.execute(count)).scalar_one()

    async def people(self, ids: Iterable[str], acted_for: Iterable[str] = ()) -> Mapping[str, Person]:
        """Return everybody in *ids* and *acted_for*; of the former, who has no row any more is called ``deleted-user``.

        Whom a service account acted for need not have had a row ever: then the name is what it said.
        """
        strangers = frozenset(acted_for)
        wanted = sorted(strangers.union(ids))
        columns = (users.c.id, users.c.username, users.c.name, users.c.avatar_url)
        rows = await self._db.execute(select(*columns).where(users.c.id.in_(wanted)))
        known = {row.id: Person(row.id, row.username, row.name, row.avatar_url) for row in rows}
        return {each: known.get(each) or Person(each, each if each in strangers else "deleted-user") for each in wanted}

    async def _only(self, condition: ColumnElement[bool], name: str, *, lock: bool = False) -> User:
        query = select(users).where(condition)
        row = (await self._db.execute(query.with_for_update() if lock else query)).one_or_none()
        if row is None:
            raise NotFound("user", name)
        return _user(row)


def _owners() -> AnySelect:
    acting = _conditions(UserFilter(role="owner", statuses=("active", "dormant")))
    return select(users).where(*acting).order_by(users.c.created_at, users.c.id)


def _conditions(wanted: UserFilter) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = [users.c.deleted.is_(False), users.c.is_system.is_(False)]
    if wanted.text:
        conditions.append(or_(*(containing(func.lower(users.c[name]), wanted.text) for name in ("username", "email"))))
    if wanted.name:
        conditions.append(containing(func.lower(users.c.name), wanted.name))
    if wanted.statuses:
        conditions.append(users.c.status.in_(wanted.statuses))
    if wanted.role:  # a JSON list of plain words
        conditions.append(containing(users.c.rbac_roles.cast(users.c.name.type), f'"{wanted.role}"'))
    if wanted.login_types:
        conditions.append(users.c.login_type.in_(wanted.login_types))
    if wanted.service_account is not None:
        conditions.append(users.c.is_service_account.is_(wanted.service_account))
    if wanted.id:
        conditions.append(users.c.id == wanted.id)
    for column, after, before in (
        (users.c.created_at, wanted.created_after, wanted.created_before),
        (users.c.last_seen_at, wanted.last_seen_after, wanted.last_seen_before),
    ):
        conditions += [column >= after] if after else []
        conditions += [column <= before] if before else []
    return conditions


def _taken(name: str, user: User) -> Conflict:
    value = user.username if name == "username" else user.email
    return Conflict(f'a user with the {name} "{value}" exists already', [(name, "is taken")])


_FIELDS = tuple(field for field in User.__slots__ if field != "roles")


def _columns(user: User) -> dict[str, object]:
    return {**{name: getattr(user, name) for name in _FIELDS}, "rbac_roles": list(user.roles)}


def _user(row: AnyRow) -> User:
    values = row._mapping
    return User(**{name: values[name] for name in _FIELDS}, roles=tuple(values["rbac_roles"]))
