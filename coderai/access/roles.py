"""Who may do what: one table. Roles say what a person may do, scopes what a token may be used for; both must allow."""

from dataclasses import dataclass
from enum import Enum
from typing import Final

from coderai.access.callers import Caller
from coderai.access.tokens import ADMINISTER, EVERYTHING, READ, USE
from coderai.errors import Forbidden

OWNER: Final = "owner"
AUDITOR: Final = "auditor"
USER_ADMIN: Final = "user-admin"
MEMBER: Final = "member"
"""Everybody has it; it is never listed."""

ROLES: Final = {OWNER: "Owner", AUDITOR: "Auditor", USER_ADMIN: "User Admin"}
"""The assignable site roles with their display names."""


@dataclass(frozen=True, slots=True)
class _Right:
    roles: frozenset[str]
    scope: str
    text: str


def _right(text: str, scope: str, *roles: str) -> _Right:
    return _Right(frozenset(roles), scope, text)


class Right(Enum):
    """What can be allowed. ``MEMBER`` in a row means everybody."""

    CALL_MODELS = _right("call models", USE, MEMBER)
    READ_OWN_RECORDS = _right("read the own sessions", READ, MEMBER)
    READ_ALL_RECORDS = _right("read everybody's sessions", READ, OWNER, AUDITOR)
    KEEP_OWN_TOKENS = _right("manage the own tokens", EVERYTHING, MEMBER)
    KEEP_ALL_TOKENS = _right("manage everybody's tokens", EVERYTHING, OWNER)
    GIVE_DELEGATION = _right("create tokens that act for others", EVERYTHING, OWNER)
    READ_SELF = _right("read the own account", EVERYTHING, MEMBER)
    READ_USERS = _right("read all users", EVERYTHING, OWNER, AUDITOR, USER_ADMIN)
    KEEP_USERS = _right("manage users", EVERYTHING, OWNER, USER_ADMIN)
    GIVE_ROLES_OF_POWER = _right("make owners and auditors", EVERYTHING, OWNER)
    READ_MODELS = _right("read the models", USE, MEMBER)
    READ_ALL_MODELS = _right("read all models and who can use them", ADMINISTER, OWNER, AUDITOR)
    KEEP_MODELS = _right("manage models and which of them is meant", ADMINISTER, OWNER)
    CHOOSE_OWN_MODELS = _right("choose the own models", EVERYTHING, MEMBER)
    KEEP_OWN_KEYS = _right("keep the own provider keys", EVERYTHING, MEMBER)
    KEEP_ALL_KEYS = _right("see who has provider keys, and take them away", EVERYTHING, OWNER)
    KEEP_PROVIDERS = _right("manage providers", ADMINISTER, OWNER)
    READ_CHANGES = _right("read the audit log of changes", READ, OWNER, AUDITOR)
    DELETE_RECORDS = _right("delete records", EVERYTHING, OWNER)
    READ_DEPLOYMENT = _right("read the deployment configuration", EVERYTHING, OWNER, AUDITOR)


GIVEN_BY: Final = {
    OWNER: Right.GIVE_ROLES_OF_POWER,
    AUDITOR: Right.GIVE_ROLES_OF_POWER,
    USER_ADMIN: Right.KEEP_USERS,
}
"""The right that is needed to give or take a role."""


def may(caller: Caller, right: Right) -> bool:
    """Return whether the caller's roles and its token's scopes both allow it."""
    by_role = MEMBER in right.value.roles or not right.value.roles.isdisjoint(caller.roles)
    return by_role and in_scope(caller, right)


def in_scope(caller: Caller, right: Right) -> bool:
    """Return whether the token's scopes allow it, whatever the roles say."""
    return EVERYTHING in caller.scopes or right.value.scope in caller.scopes


def require(caller: Caller, right: Right) -> None:
    """Raises Forbidden, naming what was asked for and what is missing."""
    if not in_scope(caller, right):
        raise Forbidden(f"this token's scopes do not allow to {right.value.text}; it needs {right.value.scope}")
    if not may(caller, right):
        needed = " or ".join(sorted(right.value.roles))
        raise Forbidden(f"{caller.username} may not {right.value.text}; that needs the role {needed}")
