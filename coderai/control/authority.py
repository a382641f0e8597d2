"""From a token to its owner: the look-up behind every request, answered from memory when it can be."""

import hmac
from collections import OrderedDict
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final, Protocol

from coderai.access.callers import Caller
from coderai.access.roles import OWNER, Right, in_scope
from coderai.access.tokens import TokenText, digest, parse
from coderai.control.clock import Clock, now
from coderai.control.users import as_uuid
from coderai.errors import Forbidden, NotFound, NotSignedIn, StoreUnavailable
from coderai.observe import logs
from coderai.store import tokens, users
from coderai.store.engine import Store
from coderai.store.tokens import Owned, Tokens
from coderai.store.users import Users
from coderai.store.watching import EVERYTHING

log = logs.get("tokens")

# One entry is about 1 KB: enough for a large company, and no flood of tokens can grow it further.
_REMEMBERED: Final = 10_000
# Apart, so that a flood of names that nobody has drives no user out.
_STRANGERS: Final = 1_000

_HOUR: Final = timedelta(hours=1)
_UNKNOWN: Final = "this token is not known"
_SCOPES: Final = "this token's scopes do not allow to call models; it needs ai:use or coder:all"


@dataclass(frozen=True, slots=True)
class _Known:
    hashed: bytes
    expires_at: datetime
    caller: Caller
    lasts: timedelta | None
    """For a session: how long it goes on after a use."""

    def due(self, moment: datetime) -> bool:
        """Whether a session in use is to be prolonged: about hourly, or ten times in a shorter life."""
        if self.lasts is None:
            return False
        return self.expires_at - moment <= self.lasts - min(_HOUR, self.lasts / 10)


class Noted(Protocol):
    """Where uses of tokens are gathered."""

    def note(self, token_id: str, user_id: str, moment: datetime) -> None:
        """The token was used. No I/O."""
        ...


class Keys(Protocol):
    """The keys that people have saved. See ``personal_keys.SavedKeys``."""

    async def key(self, user_id: str, provider: str) -> str | None: ...

    def hear(self, topics: frozenset[str]) -> None: ...

    def deaf(self) -> None: ...


class TokenAuthority:
    """Knows who owns which token. Fulfils ``gateway.ports.Authority``.

    Only owners that may act are remembered, and only while ``follow`` runs, which forgets them within a second of any
    change of a token or user in any process.
    """

    def __init__(
        self,
        store: Store,
        clock: Clock = now,
        remembered: int = _REMEMBERED,
        *,
        uses: Noted | None = None,
        keys: Keys | None = None,
        refreshing: bool = True,
    ) -> None:
        self._store = store
        self._now = clock
        self._remembered = remembered
        self._uses = uses
        self._keys = keys
        self._refreshing = refreshing
        """Sessions in use go on."""
        self._known: OrderedDict[str, _Known] = OrderedDict()
        self._people: OrderedDict[str, str] = OrderedDict()
        """Ids of users by the names that were asked for."""
        self._strangers: OrderedDict[str, str] = OrderedDict()
        """Names that nobody has, and themselves."""
        self._prolonging: set[str] = set()
        self._following = False
        self._generation = 0
        """Counts how often all was forgotten: a look-up that began before must not be kept."""

    async def identify(self, token: str) -> Caller:
        """Return who may call models with *token*. Raises NotSignedIn, Forbidden, StoreUnavailable."""
        caller = await self.sign_in(token)
        if not in_scope(caller, Right.CALL_MODELS):
            raise Forbidden(_SCOPES)
        return caller

    async def sign_in(self, token: str) -> Caller:
        """Return who owns *token*, whatever it may be used for. Raises NotSignedIn with the reason."""
        text = parse(token)
        moment = self._now()
        known = await self._find(text, moment)
        if known.due(moment):
            await self._prolong(text.id, known, moment)
        if self._uses is not None:
            self._uses.note(text.id, known.caller.user_id, moment)
        return known.caller

    async def look(self, token: str) -> Caller:
        """Return who owns *token*, without that this counts as a use. Raises NotSignedIn, Forbidden, StoreUnavailable.

        For connections that were let in once and stay open.
        """
        caller = await self.known(token)
        if not in_scope(caller, Right.CALL_MODELS):
            raise Forbidden(_SCOPES)
        return caller

    async def known(self, token: str) -> Caller:
        """Return who owns *token*, whatever it may be used for; this is no use of it. Raises NotSignedIn."""
        return (await self._find(parse(token), self._now())).caller

    async def _find(self, text: TokenText, moment: datetime) -> _Known:
        known = self._known.get(text.id)
        if known is None or (known.lasts is not None and known.expires_at <= moment):
            return await self._look_up(text)  # of a session another process may have heard, and prolonged it
        self._known.move_to_end(text.id)
        self._check(text, known.hashed, known.expires_at, moment)
        return known

    async def person(self, named: str) -> str:
        """Return the id of the user with that id or name; *named* itself, a UUID in its usual form, for a stranger.

        Only names are looked up: an id stands for itself, whoever has it. Raises StoreUnavailable.
        """
        if user_id := as_uuid(named):
            return user_id
        for remembered in (self._people, self._strangers):
            if named in remembered:
                remembered.move_to_end(named)
                return remembered[named]
        generation = self._generation
        try:
            async with self._store.reading() as db:
                found, remembered, most = (await Users(db).named(named)).id, self._people, self._remembered
        except NotFound:
            found, remembered, most = named, self._strangers, min(self._remembered, _STRANGERS)
        if self._following and generation == self._generation:
            remembered[named] = found
            if len(remembered) > most:
                remembered.popitem(last=False)
        return found

    async def personal_key(self, user_id: str, provider: str) -> str | None:
        """See ``gateway.ports.Authority``."""
        return None if self._keys is None else await self._keys.key(user_id, provider)

    async def follow(self, changes: AsyncIterator[frozenset[str]]) -> None:
        """Run beside the server, for ever. *changes* is ``Store.changes()``; its first item is EVERYTHING."""
        try:
            async for topics in changes:
                if topics == EVERYTHING or not topics.isdisjoint((tokens.TOPIC, users.TOPIC)):
                    self._forget()
                self._following = True
                if self._keys is not None:
                    self._keys.hear(topics)
        finally:
            self._following = False
            self._forget()
            if self._keys is not None:
                self._keys.deaf()

    def _forget(self) -> None:
        for remembered in (self._known, self._people, self._strangers):
            remembered.clear()
        self._generation += 1

    async def _look_up(self, text: TokenText) -> _Known:
        generation = self._generation
        try:
            async with self._store.reading() as db:
                owned = await Tokens(db).owned(text.id)
        except NotFound:
            raise NotSignedIn(_UNKNOWN) from None
        self._check(text, owned.token.hashed_secret, owned.token.expires_at, self._now())
        await self._admit(owned)
        known = _Known(owned.token.hashed_secret, owned.token.expires_at, _caller(owned), self._lasts(owned))
        if self._following and generation == self._generation:
            self._known[text.id] = known
            if len(self._known) > self._remembered:
                self._known.popitem(last=False)
        return known

    def _lasts(self, owned: Owned) -> timedelta | None:
        """API tokens end on their day; only sessions are prolonged."""
        if not self._refreshing or owned.token.login_type != tokens.SESSION:
            return None
        return timedelta(seconds=owned.token.lifetime_seconds)

    async def _prolong(self, token_id: str, known: _Known, moment: datetime) -> None:
        """The caller is signed in all the same when the store cannot take it now."""
        if token_id in self._prolonging or known.lasts is None:
            return
        self._prolonging.add(token_id)
        expires_at = moment + known.lasts
        try:
            async with self._store.transaction() as db:  # no topic: who remembers the old end looks again
                prolonged = await Tokens(db).refresh(token_id, expires_at, moment)
        except StoreUnavailable as error:
            log.warning("a session could not be prolonged", token=token_id, reason=str(error))
            return
        finally:
            self._prolonging.discard(token_id)
        if prolonged and self._known.get(token_id) is known:
            self._known[token_id] = replace(known, expires_at=expires_at)

    def _check(self, text: TokenText, hashed: bytes, expires_at: datetime, moment: datetime) -> None:
        if not hmac.compare_digest(hashed, digest(text.secret)):
            raise NotSignedIn(_UNKNOWN)
        if expires_at <= moment:
            raise NotSignedIn(f"this token expired at {expires_at:%Y-%m-%dT%H:%M:%SZ}")

    async def _admit(self, owned: Owned) -> None:
        if owned.deleted or owned.is_system:
            raise NotSignedIn(_UNKNOWN)
        if owned.status == "dormant":  # by using the token its owner is back
            async with self._store.transaction([users.TOPIC]) as db:
                await Users(db).revive(owned.token.user_id, self._now())
        elif owned.status != "active":
            raise NotSignedIn(f"the account {owned.token.username} is {owned.status}")


def _caller(owned: Owned) -> Caller:
    return Caller(
        owned.token.user_id,
        owned.token.username,
        frozenset(owned.roles),
        frozenset(owned.token.scopes),
        owned.token.id,
        owned.token.delegate,
    )


async def local_owner(store: Store) -> Caller:
    """Return who the private socket's callers are: the oldest owner; before there is one, an owner without a row."""
    async with store.reading() as db:
        owner = await Users(db).first_owner()
    if owner is None:
        return Caller("", "local", frozenset({OWNER}))
    return Caller(owner.id, owner.username, frozenset({*owner.roles, OWNER}))
