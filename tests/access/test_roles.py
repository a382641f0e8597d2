"""The table of rights."""

import pytest

from coderai.access.callers import Caller
from coderai.access.passwords import hash_password, matches
from coderai.access.roles import Right, may, require
from coderai.errors import Forbidden


def caller(role: str = "", *scopes: str) -> Caller:
    return Caller("id", "ada", frozenset({role} - {""}), frozenset(scopes or ("coder:all",)))


@pytest.mark.parametrize(
    ("right", "allowed"),
    [
        (Right.CALL_MODELS, {"owner", "auditor", "user-admin", ""}),
        (Right.READ_OWN_RECORDS, {"owner", "auditor", "user-admin", ""}),
        (Right.READ_ALL_RECORDS, {"owner", "auditor"}),
        (Right.KEEP_OWN_TOKENS, {"owner", "auditor", "user-admin", ""}),
        (Right.KEEP_ALL_TOKENS, {"owner"}),
        (Right.READ_USERS, {"owner", "auditor", "user-admin"}),
        (Right.KEEP_USERS, {"owner", "user-admin"}),
        (Right.GIVE_ROLES_OF_POWER, {"owner"}),
        (Right.KEEP_PROVIDERS, {"owner"}),
        (Right.READ_DEPLOYMENT, {"owner", "auditor"}),
    ],
)
def test_roles(right: Right, allowed: set[str]) -> None:
    assert {role for role in ("owner", "auditor", "user-admin", "") if may(caller(role), right)} == allowed


@pytest.mark.parametrize(
    ("scope", "allowed"),
    [
        ("coder:all", {Right.CALL_MODELS, Right.READ_ALL_RECORDS, Right.KEEP_PROVIDERS, Right.KEEP_OWN_TOKENS}),
        ("ai:use", {Right.CALL_MODELS}),
        ("ai:read", {Right.READ_ALL_RECORDS}),
        ("ai:admin", {Right.KEEP_PROVIDERS}),
    ],
)
def test_scopes_narrow_even_an_owner(scope: str, allowed: set[Right]) -> None:
    asked = (Right.CALL_MODELS, Right.READ_ALL_RECORDS, Right.KEEP_PROVIDERS, Right.KEEP_OWN_TOKENS)
    assert {right for right in asked if may(caller("owner", scope), right)} == allowed


def test_a_refusal_says_what_is_missing() -> None:
    with pytest.raises(Forbidden, match="needs the role owner or user-admin"):
        require(caller("auditor"), Right.KEEP_USERS)
    with pytest.raises(Forbidden, match="it needs coder:all"):
        require(caller("owner", "ai:use"), Right.KEEP_USERS)


def test_passwords_match_only_themselves() -> None:
    stored = hash_password("correct horse", b"0123456789abcdef")
    assert stored.startswith("$argon2id$v=19$m=65536,t=3,p=4$")  # RFC 9106, second recommended set
    assert matches("correct horse", stored)
    assert not matches("wrong horse", stored)
    assert not matches("correct horse", "no hash")
