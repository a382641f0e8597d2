"""Tokens: format, hash, scopes."""

import secrets
from hashlib import sha256

import pytest

from coderai.access.tokens import ALPHABET, TokenText, digest, generate, matches, parse, scopes, without_tokens
from coderai.errors import Invalid, NotSignedIn


def test_a_token_has_an_id_and_a_secret() -> None:
    assert parse("WuoWs4ZsMX-7hQ2mB9xTzLr4KpVd1NcYe"[:10] + "-" + "7hQ2mB9xTzLr4KpVd1NcYe") == TokenText(
        "WuoWs4ZsMX", "7hQ2mB9xTzLr4KpVd1NcYe"
    )


@pytest.mark.parametrize(
    "text",
    [
        "",
        "-",
        "short-secret",
        "WuoWs4ZsMX",
        "WuoWs4ZsMX-7hQ2mB9xTzLr4KpVd1NcY",
        "WuoWs4ZsMX-7hQ2mB9xTzLr4KpVd1NcYe\n",
        "WuoWs4Zs_X-7hQ2mB9xTzLr4KpVd1NcYe",
        "WuoWs4ZsMX-7hQ2mB9xTzLr4KpVd1-cYe",
        "WuoWs4ZsMX-" + "é" * 22,
    ],
)
def test_anything_else_is_no_token_and_is_not_repeated(text: str) -> None:
    with pytest.raises(NotSignedIn) as refused:
        parse(text)
    assert len(text) < 8 or text not in str(refused.value)


def test_a_new_token_is_made_of_random_letters_and_digits() -> None:
    token = generate(secrets.choice)
    assert parse(token.whole) == token
    assert set(token.whole) - {"-"} <= set(ALPHABET)
    assert generate(secrets.choice) != token


def test_the_secret_is_stored_as_its_digest() -> None:
    assert digest("abc") == sha256(b"abc").digest()
    assert matches("abc", digest("abc"))
    assert not matches("abd", digest("abc"))


def test_a_secret_is_not_shown_by_accident() -> None:
    assert "abc" not in repr(TokenText("id", "abc"))


@pytest.mark.parametrize(
    ("wanted", "given"),
    [((), ("coder:all",)), (("all",), ("coder:all",)), (("ai:read", "ai:use", "ai:use"), ("ai:use", "ai:read"))],
)
def test_scopes(wanted: tuple[str, ...], given: tuple[str, ...]) -> None:
    assert scopes(wanted) == given


def test_an_unknown_scope_is_refused() -> None:
    with pytest.raises(Invalid, match="ai:everything"):
        scopes(("ai:everything",))


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("/api/v2/aibridge/openai/v1/WuoWs4ZsMX-7hQ2mB9xTzLr4KpVd1NcYe", "/api/v2/aibridge/openai/v1/WuoWs4ZsMX-..."),
        ("/openai/v1/models", "/openai/v1/models"),
        (
            "a WuoWs4ZsMX-7hQ2mB9xTzLr4KpVd1NcYe b WuoWs4ZsMX-7hQ2mB9xTzLr4KpVd1NcYe",
            "a WuoWs4ZsMX-... b WuoWs4ZsMX-...",
        ),
    ],
)
def test_what_looks_like_a_token_is_not_shown(text: str, shown: str):
    assert without_tokens(text) == shown
