"""The audit log of administration: every change notes who made it, from where, and what was different before.

A change and its note are in one transaction: neither is there without the other. Secrets never get in: members that
hold one are known by their names, and what is noted is a mask, or nothing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Literal

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from coderai.access.callers import Caller
from coderai.access.credentials import mask
from coderai.access.roles import Right, require
from coderai.control.clock import Clock, now
from coderai.errors import Invalid, NotFound
from coderai.ids import new_id
from coderai.store.audit import AuditLog, Entry, EntryFilter
from coderai.store.engine import Store
from coderai.store.users import Person, Users

Action = Literal["create", "write", "delete", "login", "logout", "read"]
ACTIONS: Final[tuple[Action, ...]] = ("create", "write", "delete", "login", "logout", "read")

_STATUSES: Final[Mapping[str, int]] = {
    "create": 201,
    "write": 200,
    "delete": 204,
    "login": 201,
    "logout": 200,
    "read": 200,
}

# A mask of a password would be a good part of it.
_HIDDEN: Final = ("password", "secret")
_MASKED: Final = ("key", "keys", "token", "credential", "credentials")
_AGENT_LENGTH: Final = 256
_TARGET_LENGTH: Final = 256

Difference = Mapping[str, tuple[Any, Any]]
"""Old and new value by the name of the member; values that JSON can hold, times, tuples, sets."""


async def note(
    db: AsyncConnection,
    caller: Caller,
    action: Action,
    resource_type: str,
    resource_id: str,
    target: str,
    diff: Difference | None = None,
    *,
    status: int | None = None,
    further: Mapping[str, Any] | None = None,
    clock: Clock = now,
) -> None:
    """Write an entry in the transaction of the change. A ``write`` that changed nothing is not noted.

    *resource_type* is a word such as ``user``, ``api_key``, ``ai_provider``, ``chat_model_config``; *target* is what
    people call the thing. *status* is the answer's, where it is not the usual one of the action. *further* is what else
    is to be said; no secrets are looked for in it.
    """
    changed = {name: pair for name, pair in (diff or {}).items() if pair[0] != pair[1]}
    if action == "write" and not changed and not further:
        return
    entry = Entry(
        id=new_id(),
        time=clock(),
        user_id=caller.user_id or None,
        action=action,
        resource_type=resource_type,
        resource_id=resource_id,
        resource_target=_storable(target)[:_TARGET_LENGTH],
        diff={name: _shown(name, *pair) for name, pair in changed.items()},
        status_code=_STATUSES[action] if status is None else status,
        ip=caller.origin.ip,
        user_agent=_storable(caller.origin.user_agent)[:_AGENT_LENGTH],
        request_id=caller.origin.request_id,
        additional_fields=further,
    )
    await AuditLog(db).insert(entry)


def created(**members: Any) -> Difference:
    """Return the difference of something new: all its members that say something."""
    nothing: tuple[object, ...] = (None, "", (), [])
    return {name: (None, value) for name, value in members.items() if value is not False and value not in nothing}


def differing(old: object, new: object, *names: str) -> Difference:
    """Return the difference of two values of the same kind in the members *names*."""
    return {name: (getattr(old, name), getattr(new, name)) for name in names}


@dataclass(frozen=True, slots=True)
class Page:
    """Entries with those who made them."""

    entries: Sequence[Entry]
    people: Mapping[str, Person]
    count: int


class AuditControl:
    """Who may read the log."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def list(
        self, caller: Caller, wanted: EntryFilter, username: str, *, limit: int, offset: int, after_id: str
    ) -> Page:
        """Return a page, newest first. Raises Forbidden, and Invalid for the *username* of nobody."""
        require(caller, Right.READ_CHANGES)
        async with self._store.reading() as db:
            if username:
                wanted = replace(wanted, user_id=await _id_of(Users(db), caller, username))
            entries, count = await AuditLog(db).list(wanted, limit=limit, offset=offset, after_id=after_id)
            people = await Users(db).people(entry.user_id for entry in entries if entry.user_id)
        return Page(entries, people, count)


async def _id_of(users: Users, caller: Caller, username: str) -> str:
    if username == "me":
        return caller.user_id
    try:
        return (await users.named(username)).id
    except NotFound:
        raise Invalid("the search cannot be understood", [("username", f'there is no user "{username}"')]) from None


def _shown(name: str, old: Any, new: Any) -> dict[str, Any]:
    words = name.lower().split("_")
    if not {*words}.isdisjoint(_HIDDEN):
        return {"old": "", "new": "", "secret": True}
    if words[-1] in _MASKED:
        return {"old": _masked(old), "new": _masked(new), "secret": True}
    return {"old": _plain(old), "new": _plain(new), "secret": False}


def _masked(value: Any) -> Any:
    if isinstance(value, str):
        return mask(value)
    if isinstance(value, list | tuple | set | frozenset):
        return [_masked(each) for each in value]
    if isinstance(value, Mapping):
        return {str(key): _masked(each) for key, each in value.items()}
    return value if value is None or isinstance(value, bool) else "..."


def _plain(value: Any) -> Any:
    if isinstance(value, str):
        return _storable(value)
    if isinstance(value, set | frozenset):
        value = sorted(value)
    return msgspec.to_builtins(value, str_keys=True, enc_hook=str)


def _storable(text: str) -> str:
    """PostgreSQL takes neither U+0000 nor half a surrogate pair."""
    return text.replace("\0", "\N{REPLACEMENT CHARACTER}").encode(errors="replace").decode()
