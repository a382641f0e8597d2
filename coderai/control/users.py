"""Accounts: who may see and make them."""

import re
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from sqlalchemy.ext.asyncio import AsyncConnection

from coderai.access.callers import NOWHERE, Caller, Origin
from coderai.access.passwords import MINIMUM_LENGTH
from coderai.access.roles import AUDITOR, OWNER, ROLES, Right, may, require
from coderai.control.audit import created, note
from coderai.control.clock import Clock, now
from coderai.control.passwords import Passwords
from coderai.errors import Conflict, Invalid, NotFound
from coderai.ids import new_id
from coderai.store.engine import Store
from coderai.store.users import TOPIC, User, UserFilter, Users

_USERNAME: Final = re.compile(r"[a-zA-Z0-9]+(?:-[a-zA-Z0-9]+)*")
_USERNAME_LENGTH: Final = 32
_RESERVED: Final = frozenset({"me", "first", "login", "logout", "authmethods", "roles"})
"""Words that stand where a name stands in a path."""
_EMAIL: Final = re.compile(r"[^@\s\x00-\x1f]+@[^@\s\x00-\x1f]+")
_EMAIL_LENGTH: Final = 254
_NAME_LENGTH: Final = 128
_STATUSES: Final = ("active", "dormant", "suspended")
_LOGIN_TYPES: Final = ("password", "none")


@dataclass(frozen=True, slots=True)
class NewUser:
    """What is asked for; ``check`` says whether it can be."""

    username: str
    email: str = ""
    name: str = ""
    password: str | None = field(default=None, repr=False)
    login_type: str = "password"
    status: str = "active"
    roles: tuple[str, ...] = ()
    service_account: bool = False


class UserControl:
    """Everything that is done to accounts."""

    def __init__(self, store: Store, clock: Clock = now, passwords: Passwords | None = None) -> None:
        self._store = store
        self._now = clock
        self._passwords = passwords or Passwords()

    async def find(self, caller: Caller, name: str) -> User:
        """Return the user with that id or username, or the caller for ``me``.

        Raises NotFound, also for a user whom the caller may not see; Forbidden for a token of too little scope.
        """
        require(caller, Right.READ_SELF)
        user = await self.named(caller, name)
        if user.id != caller.user_id and not may(caller, Right.READ_USERS):
            raise NotFound("user", name)
        return user

    async def named(self, caller: Caller, name: str) -> User:
        """The same for anybody's eyes; for those who check in another way. Raises NotFound."""
        async with self._store.reading() as db:
            if name == "me":
                return await Users(db).get(caller.user_id)
            if (user_id := as_uuid(name)) is None:
                return await Users(db).named(name)
            user = await Users(db).get(user_id)
            if user.deleted:
                raise NotFound("user", name)
            return user

    async def list(
        self, caller: Caller, wanted: UserFilter, *, limit: int, offset: int, after_id: str = ""
    ) -> tuple[Sequence[User], int]:
        """Return a page of the users that the caller may see, and how many there are of them.

        Raises NotFound for an *after_id* that nobody has.
        """
        require(caller, Right.READ_SELF)
        if not may(caller, Right.READ_USERS):
            wanted = replace(wanted, id=caller.user_id)
        async with self._store.reading() as db:
            return await Users(db).list(wanted, limit=limit, offset=offset, after_id=after_id)

    async def create(self, caller: Caller, wanted: NewUser) -> User:
        """Raises Forbidden, Invalid, and Conflict when the name or e-mail is taken."""
        require(caller, Right.KEEP_USERS)
        check(wanted)
        if not {OWNER, AUDITOR}.isdisjoint(wanted.roles):
            require(caller, Right.GIVE_ROLES_OF_POWER)
        user = await self._made(wanted)
        async with self._store.transaction([TOPIC]) as db:
            await Users(db).insert(user)
            await self._note(db, caller, user)
        return user

    async def create_first(self, wanted: NewUser, origin: Origin = NOWHERE) -> User:
        """Make the owner of a system without users. Raises Invalid, and Conflict when there is one."""
        check(wanted)
        user = await self._made(replace(wanted, roles=(OWNER,)))
        async with self._store.transaction([TOPIC]) as db:
            if await Users(db).any():
                raise Conflict("there is a user already")
            await Users(db).insert(user)
            await self._note(db, Caller("", "local", frozenset({OWNER}), origin=origin), user)
        return user

    async def any(self) -> bool:
        """Return whether there is a user."""
        async with self._store.reading() as db:
            return await Users(db).any()

    async def _note(self, db: AsyncConnection, caller: Caller, user: User) -> None:
        fields = {name: getattr(user, name) for name in ("username", "email", "name", "status", "roles", "login_type")}
        diff = created(**fields, is_service_account=user.is_service_account or None)
        await note(db, caller, "create", "user", user.id, user.username, diff, clock=self._now)

    async def _made(self, wanted: NewUser) -> User:
        moment = self._now()
        hashed = None
        if wanted.password is not None:
            hashed = await self._passwords.hash(wanted.password)
        return User(
            id=new_id(),
            username=wanted.username,
            email=wanted.email,
            name=wanted.name,
            hashed_password=hashed,
            created_at=moment,
            updated_at=moment,
            status=wanted.status,
            roles=tuple(role for role in ROLES if role in wanted.roles),
            login_type="none" if wanted.service_account else wanted.login_type,
            is_service_account=wanted.service_account,
        )


def as_uuid(text: str) -> str | None:
    """Return a UUID in its usual form; None for anything else."""
    try:
        return str(uuid.UUID(text)) if len(text) == 36 else None
    except ValueError:
        return None


def check(wanted: NewUser) -> None:
    """Raises Invalid with everything that is wrong."""
    wrong = [
        *_wrong_name(wanted),
        *(_wrong_service_account(wanted) if wanted.service_account else _wrong_person(wanted)),
    ]
    wrong += unknown_roles(wanted.roles)
    if wanted.status not in _STATUSES:
        wrong.append(("user_status", f"must be one of {', '.join(_STATUSES)}"))
    if wrong:
        raise Invalid("this user cannot be created", wrong)


def check_profile(user: User) -> None:
    """Raises Invalid with everything that is wrong with the name and the e-mail of a changed user."""
    wrong = [*_wrong_name(user)]
    if user.is_service_account:
        wrong += [("email", "must be empty for a service account")] if user.email else []
    else:
        wrong += _wrong_email(user.email)
    if wrong:
        raise Invalid("this user cannot be changed so", wrong)


def unknown_roles(roles: Sequence[str]) -> Sequence[tuple[str, str]]:
    """Return what is wrong with *roles*, by field."""
    unknown = [role for role in roles if role not in ROLES]
    if not unknown:
        return []
    return [("roles", f"unknown role {', '.join(map(repr, unknown))}; there are {', '.join(ROLES)}")]


def _wrong_name(wanted: NewUser | User) -> Sequence[tuple[str, str]]:
    if not wanted.name.isprintable() or len(wanted.name) > _NAME_LENGTH:
        return [("name", f"must be at most {_NAME_LENGTH} printable characters")]
    if not _USERNAME.fullmatch(wanted.username) or len(wanted.username) > _USERNAME_LENGTH:
        rule = f'letters and digits, single "-" between them, at most {_USERNAME_LENGTH}; for example "coder-bot"'
        return [("username", f"must be {rule}")]
    if wanted.username.lower() in _RESERVED or as_uuid(wanted.username):
        return [("username", "is a word of the API")]
    return []


def _wrong_person(wanted: NewUser) -> Sequence[tuple[str, str]]:
    wrong = [*_wrong_email(wanted.email)]
    if wanted.login_type not in _LOGIN_TYPES:
        wrong.append(("login_type", f"must be one of {', '.join(_LOGIN_TYPES)}"))
    elif wanted.login_type == "none" and wanted.password is not None:
        wrong.append(("password", 'must be absent with login_type "none"'))
    elif wanted.password is not None and len(wanted.password) < MINIMUM_LENGTH:
        wrong.append(("password", f"must have at least {MINIMUM_LENGTH} characters"))
    return wrong


def _wrong_email(email: str) -> Sequence[tuple[str, str]]:
    if not email:
        return [("email", "is required, unless this is a service account")]
    if not _EMAIL.fullmatch(email) or not email.isprintable() or len(email) > _EMAIL_LENGTH:
        return [("email", 'must look like "alice@example.com"')]
    return []


def _wrong_service_account(wanted: NewUser) -> Sequence[tuple[str, str]]:
    wrong = []
    if wanted.email:
        wrong.append(("email", "must be empty for a service account"))
    if wanted.password is not None:
        wrong.append(("password", "must be empty for a service account"))
    if OWNER in wanted.roles:
        wrong.append(("roles", "a service account cannot be an owner"))
    return wrong
