"""Signing in with a password, and out again."""

import secrets
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final

from coderai.access import tokens as formats
from coderai.access.callers import Caller, Origin
from coderai.access.roles import Right, require
from coderai.access.tokens import TokenText
from coderai.control.audit import note
from coderai.control.clock import Clock, now
from coderai.control.guard import Guard
from coderai.control.passwords import Passwords
from coderai.errors import Forbidden, NotFound, NotSignedIn
from coderai.observe import logs
from coderai.store import tokens, users
from coderai.store.engine import Store
from coderai.store.tokens import SESSION, Token, Tokens
from coderai.store.users import User, Users

log = logs.get("tokens")

_WRONG: Final = "the e-mail or the password is wrong"


@dataclass(frozen=True, slots=True)
class Sessions:
    """How sessions last, by settings."""

    duration: timedelta = timedelta(hours=24)
    refreshed: bool = True
    """A session in use goes on."""
    passwords: bool = True
    """Off: nobody signs in with one."""


class SignInControl:
    """Makes and ends sessions."""

    def __init__(
        self, store: Store, passwords: Passwords, sessions: Sessions, guard: Guard | None = None, clock: Clock = now
    ) -> None:
        self._store = store
        self._passwords = passwords
        self.sessions = sessions
        self._guard = guard or Guard()
        self._now = clock

    async def login(self, named: str, password: str, origin: Origin) -> TokenText:
        """Return the token of a new session for the user with that e-mail (or username).

        Raises NotSignedIn, the same for unknown people and wrong passwords; Busy after too many attempts; Forbidden
        when passwords are off.
        """
        if not self.sessions.passwords:
            raise Forbidden("signing in with a password is switched off on this server (--disable-password-auth)")
        self._guard.count_address(origin.ip)
        user = await self._find(named)
        self._guard.count_account(user.id if user else named)
        matched = await self._passwords.match(password, user.hashed_password if user else None)
        if user is None or not matched or user.login_type != "password":
            await self._note_failure(user, origin)
            raise NotSignedIn(_WRONG)
        if user.status == "suspended":  # told only to who knows the password
            await self._note_failure(user, origin)
            raise NotSignedIn(f"the account {user.username} is suspended")
        return await self._begin(user, origin)

    async def another(self, caller: Caller, user: User) -> TokenText:
        """Return the token of a further session of the caller, who is *user*. Raises NotFound for anybody else."""
        require(caller, Right.KEEP_OWN_TOKENS)
        if user.id != caller.user_id:
            raise NotFound("user", user.username)
        return await self._begin(user, caller.origin)

    async def _begin(self, user: User, origin: Origin) -> TokenText:
        text = formats.generate(secrets.choice)
        moment = self._now()
        session = Token(
            id=text.id,
            user_id=user.id,
            username=user.username,
            hashed_secret=formats.digest(text.secret),
            created_at=moment,
            updated_at=moment,
            expires_at=moment + self.sessions.duration,
            lifetime_seconds=max(1, int(self.sessions.duration.total_seconds())),
            login_type=SESSION,
            last_used=moment,
            ip_address=origin.ip,
        )
        async with self._store.transaction([tokens.TOPIC, users.TOPIC]) as db:
            present = await Users(db).get(user.id, lock=True)
            if present.deleted or present.hashed_password != user.hashed_password:
                raise NotSignedIn(_WRONG)
            await Users(db).revive(user.id, moment)
            await Users(db).seen(user.id, moment)
            await Tokens(db).insert(session)
            await note(db, _as_caller(user, origin), "login", "user", user.id, user.username, clock=self._now)
        return text

    async def logout(self, caller: Caller) -> bool:
        """End the session that the caller uses; return False when it uses something else, which goes on working."""
        async with self._store.transaction([tokens.TOPIC]) as db:
            try:
                used = await Tokens(db).get(caller.user_id, caller.token_id)
            except NotFound:
                return False
            if used.login_type != SESSION:
                return False
            await Tokens(db).delete(used.id)
            await note(db, caller, "logout", "user", caller.user_id, caller.username, clock=self._now)
        return True

    async def _find(self, named: str) -> User | None:
        async with self._store.reading() as db:
            try:
                return await (Users(db).with_email(named) if "@" in named else Users(db).named(named))
            except NotFound:
                return None

    async def _note_failure(self, user: User | None, origin: Origin) -> None:
        """Of strangers only the log tells, or they could fill the database; what they typed may be a password."""
        if user is None:
            log.info("somebody unknown failed to sign in", ip=origin.ip)
            return
        async with self._store.transaction() as db:
            caller = _as_caller(user, origin)
            await note(db, caller, "login", "user", user.id, user.username, status=401, clock=self._now)


def _as_caller(user: User, origin: Origin) -> Caller:
    return replace(Caller(user.id, user.username, frozenset(user.roles)), origin=origin)
