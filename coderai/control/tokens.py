"""Gateway tokens: making, listing, ending them."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from sqlalchemy.ext.asyncio import AsyncConnection

from coderai.access import tokens as formats
from coderai.access.callers import Caller
from coderai.access.roles import OWNER, Right, may, require
from coderai.access.tokens import TokenText
from coderai.control.audit import Action, Difference, created, note
from coderai.control.clock import Clock, now
from coderai.control.users import UserControl
from coderai.errors import Forbidden, Invalid, NotFound
from coderai.store.engine import Store
from coderai.store.tokens import SESSION, TOPIC, Token, Tokens
from coderai.store.users import User

_NAME_LENGTH: Final = 64
_NOTED: Final = ("username", "token_name", "scopes", "expires_at", "delegate")
_ADJECTIVES: Final = ("amber", "brave", "calm", "eager", "fair", "gentle", "keen", "light", "noble", "quick", "vivid")
_NOUNS: Final = ("badger", "birch", "comet", "falcon", "fern", "harbor", "heron", "lark", "maple", "otter", "raven")


@dataclass(frozen=True, slots=True)
class Lifetimes:
    """How long tokens may live, by settings."""

    default: timedelta = timedelta(days=7)
    maximum: timedelta = timedelta(hours=876_600)
    owner_maximum: timedelta = timedelta(days=7)
    """For tokens of owners, who can do the most harm."""

    def longest(self, owner: User) -> timedelta:
        """Return the maximum for a token of *owner*."""
        return self.owner_maximum if OWNER in owner.roles else self.maximum


@dataclass(frozen=True, slots=True)
class NewToken:
    """What is asked for; empty members leave the choice to us."""

    name: str = ""
    lifetime: timedelta | None = None
    scopes: tuple[str, ...] = ()
    delegate: bool = False


class TokenControl:
    """Everything that is done to tokens. ``user`` is an id, a username or ``me``."""

    def __init__(self, store: Store, users: UserControl, lifetimes: Lifetimes, clock: Clock = now) -> None:
        self._store = store
        self._users = users
        self._lifetimes = lifetimes
        self._now = clock

    async def create(self, caller: Caller, user: str, wanted: NewToken) -> TokenText:
        """Return the token; nobody can show it a second time. Raises Forbidden, Invalid, NotFound, Conflict."""
        owner = await self._owner(caller, user)
        if owner.is_system:
            raise Forbidden(f"{owner.username} is a system user and gets no tokens")
        if wanted.delegate:
            require(caller, Right.GIVE_DELEGATION)
            if not owner.is_service_account:
                rule = f"only a service account may act for others, and {owner.username} is a person"
                raise Invalid("this token cannot be created", [("delegate", rule)])
        scopes = formats.scopes(wanted.scopes)
        name = _checked_name(wanted.name) or _some_name()
        lifetime = self._lifetime(owner, wanted.lifetime)
        text = formats.generate(secrets.choice)
        moment = self._now()
        token = Token(
            id=text.id,
            user_id=owner.id,
            username=owner.username,
            hashed_secret=formats.digest(text.secret),
            created_at=moment,
            updated_at=moment,
            expires_at=moment + lifetime,
            lifetime_seconds=int(lifetime.total_seconds()),
            token_name=name,
            scopes=scopes,
            delegate=wanted.delegate,
        )
        async with self._store.transaction([TOPIC]) as db:
            await Tokens(db).insert(token)
            await self._note(db, caller, "create", token, created(**{name: getattr(token, name) for name in _NOTED}))
        return text

    async def list(self, caller: Caller, user: str, *, everybody: bool, expired: bool) -> Sequence[Token]:
        """Return that user's named tokens, or with *everybody* those of all whose tokens the caller may see."""
        owner = await self._owner(caller, user)
        user_id = None if everybody and may(caller, Right.KEEP_ALL_TOKENS) else owner.id
        async with self._store.reading() as db:
            return await Tokens(db).list(user_id, expiring_after=None if expired else self._now())

    async def named(self, caller: Caller, user: str, name: str) -> Token:
        """Raises NotFound."""
        owner = await self._owner(caller, user)
        async with self._store.reading() as db:
            return await Tokens(db).named(owner.id, name)

    async def get(self, caller: Caller, user: str, token_id: str) -> Token:
        """Raises NotFound."""
        owner = await self._owner(caller, user)
        async with self._store.reading() as db:
            return await Tokens(db).get(owner.id, token_id)

    async def expire(self, caller: Caller, user: str, token_id: str) -> None:
        """Stop a token from working and keep its row. Raises NotFound."""
        owner = await self._owner(caller, user)
        async with self._store.transaction([TOPIC]) as db:
            token = await Tokens(db).get(owner.id, token_id)
            moment = self._now()
            await Tokens(db).expire(token.id, moment)
            ended = {"expires_at": (token.expires_at, min(token.expires_at, moment))}
            await self._note(db, caller, "write", token, ended)

    async def remove(self, caller: Caller, user: str, token_id: str) -> None:
        """Raises NotFound."""
        owner = await self._owner(caller, user)
        async with self._store.transaction([TOPIC]) as db:
            token = await Tokens(db).get(owner.id, token_id)
            await Tokens(db).delete(token.id)
            gone = {name: (getattr(token, name), None) for name in _NOTED}
            await self._note(db, caller, "delete", token, gone)

    async def longest(self, caller: Caller, user: str) -> timedelta:
        """Return how long a token of that user may live at most."""
        return self._lifetimes.longest(await self._owner(caller, user))

    async def _note(self, db: AsyncConnection, caller: Caller, action: Action, token: Token, diff: Difference) -> None:
        kind = f"session {token.id}" if token.login_type == SESSION else token.token_name
        await note(db, caller, action, "api_key", token.id, f"{kind} of {token.username}", diff, clock=self._now)

    async def _owner(self, caller: Caller, user: str) -> User:
        require(caller, Right.KEEP_OWN_TOKENS)
        owner = await self._users.named(caller, user)
        if owner.id != caller.user_id and not may(caller, Right.KEEP_ALL_TOKENS):
            raise NotFound("user", user)
        return owner

    def _lifetime(self, owner: User, wanted: timedelta | None) -> timedelta:
        longest = self._lifetimes.longest(owner)
        if not wanted:
            return min(self._lifetimes.default, longest)
        if wanted < timedelta(0):
            raise Invalid("the lifetime must be positive", [("lifetime", "must be positive")])
        if wanted > longest:
            whose = "an owner's token" if OWNER in owner.roles else "a token"
            text = f"{_days(wanted)} is more than the maximum for {whose}, {_days(longest)}"
            raise Invalid("the lifetime is too long", [("lifetime", text)], detail=text)
        return wanted


def _checked_name(name: str) -> str:
    if len(name) > _NAME_LENGTH or not name.isprintable() or name != name.strip():
        rule = f"must be at most {_NAME_LENGTH} printable characters without space around them"
        raise Invalid("this name cannot be used", [("token_name", rule)])
    return name


def _some_name() -> str:
    return f"{secrets.choice(_ADJECTIVES)}-{secrets.choice(_NOUNS)}-{secrets.randbelow(10_000):04}"


def _days(span: timedelta) -> str:
    return f"{span.days} days" if span.days > 1 else f"{span.total_seconds() / 3600:g} hours"
