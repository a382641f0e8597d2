"""Passwords: argon2id with the parameters of RFC 9106 (second recommended set, 64 MiB).

Both functions take about 50 ms of processor time: call them in a thread.
"""

from typing import Final

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

MINIMUM_LENGTH: Final = 8
SALT_LENGTH: Final = 16
_HASHER: Final = PasswordHasher()


def hash_password(password: str, salt: bytes) -> str:
    """Return the text to store; *salt* is ``SALT_LENGTH`` random bytes."""
    return _HASHER.hash(password, salt=salt)


def matches(password: str, stored: str) -> bool:
    """Return whether *password* is the one; a text that is no hash matches nothing."""
    try:
        return _HASHER.verify(stored, password)
    except (VerificationError, InvalidHashError):
        return False
