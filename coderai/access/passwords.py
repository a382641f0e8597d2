"""Passwords: argon2id with the parameters of RFC 9106 (second recommended set, 64 MiB).

Both functions take about 50 ms (with the recommended cost) of processor time: call them in a thread.
"""

from dataclasses import dataclass
from typing import Final

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

MINIMUM_LENGTH: Final = 8
SALT_LENGTH: Final = 16
_HASHER: Final = PasswordHasher()


@dataclass(frozen=True, slots=True)
class Cost:
    """What guessing one password shall take; anything less than ``RECOMMENDED`` is for tests."""

    rounds: int = 3
    kibibytes: int = 65_536
    lanes: int = 4


RECOMMENDED: Final = Cost()


def hash_password(password: str, salt: bytes, cost: Cost = RECOMMENDED) -> str:
    """Return the text to store; *salt* is ``SALT_LENGTH`` random bytes."""
    return PasswordHasher(cost.rounds, cost.kibibytes, cost.lanes).hash(password, salt=salt)


def matches(password: str, stored: str) -> bool:
    """Return whether *password* is the one; a text that is no hash matches nothing."""
    try:
        return _HASHER.verify(stored, password)
    except (VerificationError, InvalidHashError):
        return False
