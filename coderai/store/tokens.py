"""Gateway tokens: ids, hashes and what they are good for; never a secret."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import and_, delete, insert, or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from coderai.errors import Conflict, NotFound
from coderai.store.rows import AnyRow, AnySelect
from coderai.store.schema import api_keys, users

TOPIC = "tokens"
"""Bumped by every change of a token but its use."""

TOKEN = "token"  # noqa: S105 - the name of a kind
SESSION = "password"
"""Values of ``login_type``: a token has a name and ends on its day; a session goes on while it is used."""


@dataclass(frozen=True, slots=True)
class Token:
    """One row, with the name of its owner."""

    id: str
    user_id: str
    hashed_secret: bytes = field(repr=False)
    expires_at: datetime
    created_at: datetime
    updated_at: datetime
    lifetime_seconds: int
    token_name: str = ""
    login_type: str = TOKEN
    scopes: tuple[str, ...] = ("coder:all",)
    last_used: datetime | None = None
    delegate: bool = False
    """May name the person it acts for."""
    ip_address: str = ""
    """Where a session began."""
    username: str = ""
    """Only read, never written."""


@dataclass(frozen=True, slots=True)
class Owned:
    """A token with what a check needs of its owner."""

    token: Token
    status: str
    roles: tuple[str, ...]
    deleted: bool
    is_system: bool


class Tokens:
    """The tokens as one connection sees them."""

    def __init__(self, db: AsyncConnection) -> None:
        self._db = db

    async def insert(self, token: Token) -> None:
        """Raises Conflict when the owner has a token of that name, in whatever state."""
        values = {name: getattr(token, name) for name in _FIELDS}
        try:
            await self._db.execute(insert(api_keys).values({**values, "scopes": list(token.scopes)}))
        except IntegrityError as error:
            text = f'{token.username} has a token "{token.token_name}" already'
            raise Conflict(text, [("name", text)]) from error

    async def owned(self, token_id: str) -> Owned:
        """Return token and owner in one look. Raises NotFound. Judging state and expiry is not ours."""
        query = _with_owner(users.c.status, users.c.rbac_roles, users.c.deleted, users.c.is_system)
        row = (await self._db.execute(query.where(api_keys.c.id == token_id))).one_or_none()
        if row is None:
            raise NotFound("token", token_id)
        return Owned(_token(row), row.status, tuple(row.rbac_roles), row.deleted, row.is_system)

    async def get(self, user_id: str, token_id: str) -> Token:
        """Raises NotFound, also when it is somebody else's."""
        return await self._only(_with_owner().where(api_keys.c.id == token_id, api_keys.c.user_id == user_id), token_id)

    async def named(self, user_id: str, name: str) -> Token:
        """Raises NotFound."""
        same = and_(api_keys.c.user_id == user_id, api_keys.c.token_name == name, api_keys.c.login_type == TOKEN)
        return await self._only(_with_owner().where(same), name)

    async def list(self, user_id: str | None, *, expiring_after: datetime | None = None) -> Sequence[Token]:
        """Return the named tokens of one user, or of all living ones, oldest first."""
        query = _with_owner().where(api_keys.c.login_type == TOKEN, users.c.deleted.is_(False))
        if user_id is not None:
            query = query.where(api_keys.c.user_id == user_id)
        if expiring_after is not None:
            query = query.where(api_keys.c.expires_at > expiring_after)
        rows = await self._db.execute(query.order_by(api_keys.c.created_at, api_keys.c.id))
        return [_token(row) for row in rows]

    async def expire(self, token_id: str, now: datetime) -> None:
        """Stop it from working and keep the row; one that has expired keeps its time."""
        still_good = and_(api_keys.c.id == token_id, api_keys.c.expires_at > now)
        await self._db.execute(update(api_keys).where(still_good).values(expires_at=now, updated_at=now))

    async def refresh(self, token_id: str, expires_at: datetime, now: datetime) -> bool:
        """Let a session go on until *expires_at*; return False when it has been ended, or ends later anyway."""
        going_on = and_(api_keys.c.id == token_id, api_keys.c.expires_at > now, api_keys.c.expires_at < expires_at)
        result = await self._db.execute(
            update(api_keys).where(going_on).values(expires_at=expires_at, last_used=now, updated_at=now)
        )
        return bool(result.rowcount)

    async def used(self, token_id: str, now: datetime) -> None:
        """Keep when it was used last; nothing happens when it is gone, or was used later."""
        later = or_(api_keys.c.last_used.is_(None), api_keys.c.last_used < now)
        await self._db.execute(update(api_keys).where(api_keys.c.id == token_id, later).values(last_used=now))

    async def end_sessions(self, user_id: str, *, but: str = "") -> None:
        """Delete the sessions of a user, but one."""
        sessions = and_(api_keys.c.user_id == user_id, api_keys.c.login_type == SESSION, api_keys.c.id != but)
        await self._db.execute(delete(api_keys).where(sessions))

    async def delete_all(self, user_id: str) -> None:
        """Delete tokens and sessions of a user."""
        await self._db.execute(delete(api_keys).where(api_keys.c.user_id == user_id))

    async def delete(self, token_id: str) -> None:
        """Nothing happens when it is gone already."""
        await self._db.execute(delete(api_keys).where(api_keys.c.id == token_id))

    async def _only(self, query: AnySelect, name: str) -> Token:
        row = (await self._db.execute(query)).one_or_none()
        if row is None:
            raise NotFound("token", name)
        return _token(row)


_FIELDS = tuple(field for field in Token.__slots__ if field != "username")


def _with_owner(*further: object) -> AnySelect:
    columns = (*(api_keys.c[name] for name in _FIELDS), users.c.username, *further)
    return select(*columns).join(users, users.c.id == api_keys.c.user_id)  # type: ignore[call-overload,no-any-return]


def _token(row: AnyRow) -> Token:
    values = row._mapping
    return Token(**{**{name: values[name] for name in Token.__slots__}, "scopes": tuple(values["scopes"])})
