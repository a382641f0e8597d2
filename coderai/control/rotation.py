"""New encryption keys for the secrets that are kept."""

import base64
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from coderai.access.sealing import KEY_BYTES
from coderai.control.first_start import KEY_FILE
from coderai.control.vault import OPTION, Vault
from coderai.errors import CoderaiError, Conflict, StoreUnusable
from coderai.store import personal_keys, providers
from coderai.store.engine import Store

_TOPICS: Final = (providers.TOPIC, personal_keys.TOPIC)
"""Whoever keeps opened secrets in memory reads them again: what cannot be read shows at once, not at the next start."""


@dataclass(frozen=True, slots=True)
class Rotated:
    """What was done."""

    count: int
    """Secrets that were sealed anew."""
    key_id: str
    """Of the key that now seals all of them."""
    others: tuple[str, ...]
    """Ids of the further keys here, which no secret needs any more."""
    place: str
    """Where the keys are."""


async def rotate(store: Store, data_dir: Path, given: str) -> Rotated:
    """Seal everything with the first key of *given*, or else of the key file. See ``Vault.rotate``."""
    vault = Vault.load(data_dir, given)
    if not vault.key_ids:
        raise Conflict(f"there is no encryption key here: neither {OPTION} nor {data_dir / KEY_FILE}")
    count = await vault.rotate(store, _TOPICS)
    first, *others = vault.key_ids
    return Rotated(count, first, tuple(others), OPTION if given else str(data_dir / KEY_FILE))


async def rotate_to_new_key(store: Store, data_dir: Path, given: str) -> Rotated:
    """Make a new key in the key file, seal everything with it, and destroy the old ones.

    At every moment the file holds all keys that are needed. Raises Conflict when the keys are not in the file, or while
    a server runs on the database: it could not know the new key.
    """
    if given:
        raise Conflict(f"the keys come from {OPTION}: put the new one in front there, without --new-key")
    path = data_dir / KEY_FILE
    before = Vault.load(data_dir, "")
    if not before.key_ids:
        raise Conflict(f"there is no key file {path}, whose key could be replaced")
    await before.check(store)
    old, new = path.read_text().strip(), base64.b64encode(os.urandom(KEY_BYTES)).decode()
    _write(path, f"{new},{old}")
    try:
        rotated = await rotate(store, data_dir, "")
    except CoderaiError:  # nothing was sealed with the new key
        _write(path, old)
        raise
    _write(path, new)
    return Rotated(rotated.count, rotated.key_id, (), rotated.place)


def _write(path: Path, text: str) -> None:
    """Replace the file at once, or not at all."""
    fresh = path.with_suffix(".new")
    try:
        handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(handle, "w") as file:
            file.write(text + "\n")
            file.flush()
            os.fsync(file.fileno())
        os.replace(fresh, path)
        directory = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)
    except OSError as error:
        raise StoreUnusable(f"cannot write the key file {path}: {error.strerror}") from error
