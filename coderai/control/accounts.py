"""What is changed of an account that exists: its profile, its password, its roles, whether it may sign in."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Final

from sqlalchemy.ext.asyncio import AsyncConnection

from coderai.access.callers import Caller
from coderai.access.roles import AUDITOR, OWNER, ROLES, Right, may, require
from coderai.control.audit import Action, differing, note
from coderai.control.clock import Clock, now
from coderai.control.guard import Guard
from coderai.control.passwords import Passwords, check_password
from coderai.control.users import UserControl, check_profile, unknown_roles
from coderai.errors import Conflict, Forbidden, Invalid, NotFound
from coderai.store import tokens
from coderai.store.engine import Store
from coderai.store.personal_keys import PersonalKeys
from coderai.store.tokens import Tokens
from coderai.store.users import TOPIC, User, Users

_POWER: Final = frozenset({OWNER, AUDITOR})
"""Who has one of these is changed by owners only: otherwise a user admin could take their place."""
_NOTED: Final = ("username", "name", "email", "status", "roles", "hashed_password", "deleted", "login_type")


@dataclass(frozen=True, slots=True)
class Profile:
    """What is to be different; None stays."""

    username: str | None = None
    name: str | None = None
    email: str | None = None


class AccountControl:
    """Every change of an existing user. ``user`` is an id, a username or ``me``.

    All raise NotFound for a user whom the caller may not see, Forbidden for one that the caller may not change.
    """

    def __init__(
        self, store: Store, users: UserControl, passwords: Passwords, guard: Guard | None = None, clock: Clock = now
    ) -> None:
        self._store = store
        self._users = users
        self._passwords = passwords
        self._guard = guard or Guard()
        self._now = clock

    async def edit(self, caller: Caller, user: str, wanted: Profile) -> User:
        """Everybody edits the own name; an e-mail, with which one signs in, is changed by who manages users."""
        target = await self._seen(caller, user)
        itself = target.id == caller.user_id
        if not itself or wanted.email not in (None, target.email):
            _require_over(caller, target)
        async with self._changing(caller, target.id) as (db, old):
            new = replace(
                old,
                username=old.username if wanted.username is None else wanted.username,
                name=old.name if wanted.name is None else wanted.name,
                email=old.email if wanted.email is None else wanted.email,
            )
            check_profile(new)
            return await self._save(db, caller, old, new)

    async def set_password(self, caller: Caller, user: str, password: str, old_password: str | None) -> None:
        """Set a password and end the user's sessions, but the one in use.

        For oneself the old one is needed, where there is one; not on the private socket, where one is the operator.
        Raises Invalid for a wrong or a bad one, Busy after too many tries.
        """
        target = await self._seen(caller, user)
        itself = target.id == caller.user_id and caller.token_id != ""
        if target.id != caller.user_id:
            _require_over(caller, target)
        if target.is_service_account or target.is_system:
            raise Conflict(f"{target.username} is no person and signs in with tokens only")
        check_password(password)
        if itself and target.hashed_password is not None:
            self._guard.count_account(target.id)  # who found a session must not guess here instead
            await self._check_old(old_password or "", target.hashed_password)
        hashed = await self._passwords.hash(password)
        async with self._changing(caller, target.id, tokens.TOPIC) as (db, old):
            if itself and old.hashed_password != target.hashed_password:
                raise Conflict("the password was changed by somebody else meanwhile")
            await Tokens(db).end_sessions(old.id, but=caller.token_id)
            await self._save(db, caller, old, replace(old, hashed_password=hashed, login_type="password"))

    async def set_roles(self, caller: Caller, user: str, roles: Sequence[str]) -> User:
        """Replace all site roles."""
        target = await self._seen(caller, user)
        wrong = unknown_roles(roles)
        if wrong:
            raise Invalid("these roles cannot be given", wrong)
        _require_over(caller, target)
        _not_oneself(caller, target, "change the roles of")
        if not _POWER.isdisjoint(set(roles) ^ set(target.roles)):
            require(caller, Right.GIVE_ROLES_OF_POWER)
        if OWNER in roles and target.is_service_account:
            raise Invalid("these roles cannot be given", [("roles", "a service account cannot be an owner")])
        async with self._changing(caller, target.id) as (db, old):
            new = replace(old, roles=tuple(role for role in ROLES if role in roles))
            return await self._save(db, caller, old, new)

    async def set_status(self, caller: Caller, user: str, status: str) -> User:
        """Suspend or activate. All tokens of a suspended user are refused within a second, on every process."""
        target = await self._seen(caller, user)
        _require_over(caller, target)
        if status == "suspended":
            _not_oneself(caller, target, "suspend")
        async with self._changing(caller, target.id) as (db, old):
            return await self._save(db, caller, old, replace(old, status=status))

    async def delete(self, caller: Caller, user: str) -> None:
        """Take the user's tokens and personal keys away, and keep the row for the records that name it."""
        target = await self._seen(caller, user)
        _require_over(caller, target)
        _not_oneself(caller, target, "delete")
        async with self._changing(caller, target.id, tokens.TOPIC) as (db, old):
            await Tokens(db).delete_all(old.id)
            await PersonalKeys(db).delete_of_user(old.id)
            await self._save(db, caller, old, replace(old, deleted=True), "delete")

    async def _seen(self, caller: Caller, user: str) -> User:
        found = await self._users.find(caller, user)
        if found.is_system:
            raise Forbidden(f"{found.username} is a system user and stays as it is")
        return found

    async def _check_old(self, password: str, stored: str) -> None:
        if not await self._passwords.match(password, stored):
            raise Invalid("the password was not changed", [("old_password", "is not the present password")])

    @asynccontextmanager
    async def _changing(
        self, caller: Caller, user_id: str, *topics: str
    ) -> AsyncIterator[tuple[AsyncConnection, User]]:
        """Give the user as nobody else can change it meanwhile. The rights are looked at again: they may be gone."""
        async with self._store.transaction([TOPIC, *topics]) as db:
            await Users(db).owners()  # locked first, by everybody in the same order
            old = await Users(db).get(user_id, lock=True)
            if old.deleted:
                raise NotFound("user", user_id)
            if old.id != caller.user_id:
                _require_over(caller, old)
            yield db, old

    async def _save(self, db: AsyncConnection, caller: Caller, old: User, new: User, action: Action = "write") -> User:
        if _acts_as_owner(old) and not _acts_as_owner(new):
            await _leave_an_owner(db, old)
        new = replace(new, updated_at=self._now())
        await Users(db).update(new)
        await note(db, caller, action, "user", old.id, old.username, differing(old, new, *_NOTED), clock=self._now)
        return new


def _require_over(caller: Caller, target: User) -> None:
    require(caller, Right.KEEP_USERS)
    if not _POWER.isdisjoint(target.roles) and not may(caller, Right.GIVE_ROLES_OF_POWER):
        raise Forbidden(f"{target.username} is an owner or auditor, whom only owners may change")


def _not_oneself(caller: Caller, target: User, verb: str) -> None:
    if target.id == caller.user_id:
        raise Invalid(f"nobody can {verb} their own account; ask another owner")


def _acts_as_owner(user: User) -> bool:
    return OWNER in user.roles and user.status != "suspended" and not user.deleted


async def _leave_an_owner(db: AsyncConnection, leaving: User) -> None:
    others = [owner for owner in await Users(db).owners() if owner.id != leaving.id]
    if not others:
        raise Conflict(f"{leaving.username} is the last owner: make somebody else an owner first")
