"""Secrets at rest: AES-256-GCM, with several keys so that they can be changed while the system runs.

A sealed secret is bound to its place (table, column, row): copied to another row it does not open.
"""

import base64
import binascii
from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import TYPE_CHECKING, Final

from coderai.errors import BadSettings, StoreUnusable

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

KEY_BYTES: Final = 32
NONCE_BYTES: Final = 12


@dataclass(frozen=True, slots=True)
class Sealed:
    """A secret as it is stored."""

    key_id: str
    text: str
    """Base64 of nonce and ciphertext."""


@dataclass(frozen=True, slots=True)
class SealingKey:
    """One key. Its id tells keys apart and nothing about them."""

    id: str
    raw: bytes = field(repr=False)


class Sealer:
    """Seals with the first of its keys, opens with any of them."""

    def __init__(self, keys: Sequence[SealingKey]) -> None:
        self._first = keys[0]
        self._by_id = {key.id: key.raw for key in keys}

    @property
    def key_ids(self) -> tuple[str, ...]:
        """The ids of all keys, the one that seals first."""
        return tuple(self._by_id)

    def seal(self, secret: str, place: str, nonce: bytes) -> Sealed:
        """Return *secret* sealed for *place*; *nonce* is NONCE_BYTES random bytes, never used before."""
        sealed = _cipher(self._first.raw).encrypt(nonce, secret.encode(), place.encode())
        return Sealed(self._first.id, base64.b64encode(nonce + sealed).decode())

    def open(self, sealed: Sealed, place: str) -> str:
        """Return the secret. Raises StoreUnusable, naming key and place, when that key is not here or does not fit."""
        from cryptography.exceptions import InvalidTag

        key = self._by_id.get(sealed.key_id)
        if key is None:
            raise StoreUnusable(f"{place} was encrypted with the key {sealed.key_id}, which is not among ours")
        try:
            raw = base64.b64decode(sealed.text, validate=True)
            return _cipher(key).decrypt(raw[:NONCE_BYTES], raw[NONCE_BYTES:], place.encode()).decode()
        except (InvalidTag, ValueError) as error:
            raise StoreUnusable(
                f"{place} was changed, or was encrypted for another place: it cannot be read"
            ) from error


def _cipher(key: bytes) -> "AESGCM":
    """The library takes 9 MB: a gateway without stored secrets does without."""
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    return AESGCM(key)


def parse_keys(text: str, origin: str) -> tuple[SealingKey, ...]:
    """Return the keys of a comma-separated list of base64. Raises BadSettings naming *origin* and the position."""
    keys: list[SealingKey] = []
    for position, each in enumerate(text.split(",")):
        try:
            raw = base64.b64decode(each.strip(), validate=True)
        except (binascii.Error, ValueError):
            raw = b""
        if len(raw) != KEY_BYTES:
            raise BadSettings(
                f"{origin}: the key at position {position} is not {KEY_BYTES} bytes in base64;"
                " make one with: openssl rand -base64 32"
            )
        key = SealingKey(sha256(b"coderai key id\0" + raw).hexdigest()[:12], raw)
        if any(key.id == other.id for other in keys):
            raise BadSettings(f"{origin}: the key at position {position} is there twice")
        keys.append(key)
    return tuple(keys)
