"""A person is forgotten: who it was and what was said go, what was counted stays under a tombstone."""

from dataclasses import dataclass, replace
from typing import Final

from coderai.access.callers import Caller
from coderai.access.roles import Right, require
from coderai.control.accounts import AccountControl
from coderai.control.audit import note
from coderai.control.clock import Clock, now
from coderai.control.users import UserControl, as_uuid
from coderai.errors import NotFound
from coderai.store.audit import AuditLog
from coderai.store.engine import Store
from coderai.store.erasure import Erased, erase_records, running
from coderai.store.users import TOPIC, User, Users

_SECONDS: Final = 5.0
_PREFIX: Final = "erased-"


@dataclass(frozen=True, slots=True)
class Erasure:
    """How far it came."""

    user_id: str
    tombstone: str
    """What the person is called from now on."""
    erased: Erased
    done: bool
    """False: ask again, there is more."""
    running: int
    """Exchanges that go on; when they have ended, ask once more."""


class ErasureControl:
    """Only owners erase, and nobody themselves."""

    def __init__(self, store: Store, users: UserControl, accounts: AccountControl, clock: Clock = now) -> None:
        self._store = store
        self._users = users
        self._accounts = accounts
        self._now = clock

    async def erase(self, caller: Caller, user: str, *, seconds: float = _SECONDS) -> Erasure:
        """Delete the account, empty its records, and in the end take its name away; goes on where it stopped.

        *user* is an id, or a name as long as the account is not deleted. Raises Forbidden, NotFound, Invalid for the
        own account, Conflict for the last owner.
        """
        require(caller, Right.DELETE_RECORDS)
        target = await self._deleted(caller, user)
        erased, done = await erase_records(self._store, target.id, target.username, seconds=seconds)
        tombstone = _PREFIX + target.id[-12:]
        if done and target.username != tombstone:
            await self._bury(caller, target.id, tombstone)
        return Erasure(target.id, tombstone, erased, done, await running(self._store, target.id))

    async def _deleted(self, caller: Caller, user: str) -> User:
        """Return the account, which has no tokens and keys any more and cannot sign in."""
        try:
            target = await self._users.find(caller, user)
        except NotFound:
            if (user_id := as_uuid(user)) is None:
                raise
            async with self._store.reading() as db:
                return await Users(db).get(user_id)
        await self._accounts.delete(caller, target.id)
        return target

    async def _bury(self, caller: Caller, user_id: str, tombstone: str) -> None:
        async with self._store.transaction([TOPIC]) as db:
            user = await Users(db).get(user_id, lock=True)
            nobody = replace(
                user,
                username=tombstone,
                email="",
                name="",
                avatar_url="",
                hashed_password=None,
                roles=(),
                last_seen_at=None,
                updated_at=self._now(),
            )
            await Users(db).update(nobody)
            await AuditLog(db).forget(user_id, user.username, tombstone)
            await note(db, caller, "delete", "user_data", user_id, tombstone, clock=self._now)
