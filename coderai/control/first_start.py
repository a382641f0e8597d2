"""What a new system needs: an encryption key, and an owner."""

import base64
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from coderai.access.callers import Caller
from coderai.access.roles import OWNER
from coderai.control.audit import created, note
from coderai.control.clock import Clock, now
from coderai.errors import Conflict, StoreUnusable
from coderai.ids import new_id
from coderai.store.engine import Store
from coderai.store.users import TOPIC, User, Users

KEY_FILE: Final = "secret.key"
_KEY_BYTES: Final = 32


@dataclass(frozen=True, slots=True)
class FirstStart:
    """What was made just now."""

    owner: bool = False
    key_file: Path | None = None


async def first_start(store: Store, data_dir: Path, *, keys_given: bool = False, clock: Clock = now) -> FirstStart:
    """Make the key file beside a new database, and the owner ``admin``, who has no password; else do nothing.

    A database with users never gets a key file: what it holds was encrypted with a key that we then do not have. With
    *keys_given* the operator brings the keys. Raises StoreUnusable when the key file cannot be made.
    """
    async with store.reading() as db:
        if await Users(db).any():
            return FirstStart()
    # The key comes first: a crash in between must not leave a database with users and without a key.
    key_file = None if keys_given else _make_key_file(data_dir / KEY_FILE)
    moment = clock()
    admin = User(new_id(), "admin", moment, moment, email="admin@localhost", roles=(OWNER,))
    try:
        async with store.transaction([TOPIC]) as db:
            if await Users(db).any():
                return FirstStart(key_file=key_file)
            await Users(db).insert(admin)
            diff = created(username=admin.username, email=admin.email, roles=admin.roles)
            await note(db, Caller("", "coderai"), "create", "user", admin.id, admin.username, diff, clock=clock)
    except Conflict:  # another process was faster
        return FirstStart(key_file=key_file)
    return FirstStart(owner=True, key_file=key_file)


def _make_key_file(path: Path) -> Path | None:
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return None
    except OSError as error:
        raise StoreUnusable(f"cannot make the key file {path}: {error.strerror}") from error
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(base64.b64encode(os.urandom(_KEY_BYTES)) + b"\n")
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:  # an empty file would be in the way of every later start
        path.unlink()
        raise StoreUnusable(f"cannot write the key file {path}: {error.strerror}") from error
    return path
