"""Gateway tokens: ``<id>-<secret>``, ten and twenty-two letters or digits.

The id is kept in clear and names the token everywhere; of the secret only the SHA-256 is kept. No salt is needed: the
secret has 131 bits of entropy.
"""

import hmac
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import sha256
from string import ascii_letters, digits
from typing import Final

from coderai.errors import Invalid, NotSignedIn

ALPHABET: Final = ascii_letters + digits
_ID_LENGTH: Final = 10
_SECRET_LENGTH: Final = 22
_FORMAT: Final = re.compile(r"([A-Za-z0-9]{10})-([A-Za-z0-9]{22})")

EVERYTHING: Final = "coder:all"
USE: Final = "ai:use"
READ: Final = "ai:read"
ADMINISTER: Final = "ai:admin"
SCOPES: Final = (EVERYTHING, USE, READ, ADMINISTER)
_OLD_NAMES: Final = {"all": EVERYTHING}


def without_tokens(text: str) -> str:
    """Return *text* with the secret of everything that looks like a token left out."""
    return _FORMAT.sub(r"\1-...", text)


def resembles(text: str) -> bool:
    """Whether *text* has the form of a token."""
    return _FORMAT.fullmatch(text) is not None


@dataclass(frozen=True, slots=True)
class TokenText:
    """The two parts of a token."""

    id: str
    secret: str = field(repr=False)

    @property
    def whole(self) -> str:
        """What the owner gets to see, once."""
        return f"{self.id}-{self.secret}"


def parse(text: str) -> TokenText:
    """Raises NotSignedIn, saying what a token looks like but never the text."""
    found = _FORMAT.fullmatch(text)
    if found is None:
        raise NotSignedIn("this is not a gateway token: it must be an id of 10 characters, '-', and a secret of 22")
    return TokenText(found[1], found[2])


def generate(choose: Callable[[str], str]) -> TokenText:
    """Return a new token; *choose* picks one character of a text, as ``secrets.choice`` does."""
    return TokenText(
        "".join(choose(ALPHABET) for _ in range(_ID_LENGTH)),
        "".join(choose(ALPHABET) for _ in range(_SECRET_LENGTH)),
    )


def digest(secret: str) -> bytes:
    """Return what is stored of a secret."""
    return sha256(secret.encode()).digest()


def matches(secret: str, hashed: bytes) -> bool:
    """Compare in constant time."""
    return hmac.compare_digest(digest(secret), hashed)


def scopes(wanted: tuple[str, ...]) -> tuple[str, ...]:
    """Return the scopes of a new token, in the order of ``SCOPES``; none wanted means everything. Raises Invalid."""
    named = {_OLD_NAMES.get(scope, scope) for scope in wanted} or {EVERYTHING}
    unknown = sorted(named - set(SCOPES))
    if unknown:
        text = f"unknown scope {', '.join(map(repr, unknown))}; there are {', '.join(SCOPES)}"
        raise Invalid(text, [("scopes", text)])
    return tuple(scope for scope in SCOPES if scope in named)
