"""A copy of an SQLite database while it is in use."""

import contextlib
import os
import sqlite3
from pathlib import Path

from coderai.errors import Conflict, StoreUnavailable, StoreUnusable


def backup(source: Path, target: Path, *, replace: bool = False) -> int:
    """Write what *source* holds at this moment to *target*, for its owner's eyes only; return its size in bytes.

    Nobody waits for it, and the copy is checked before it gets its name. Raises Conflict when *target* is there and
    may not be replaced, StoreUnusable when it cannot be written, StoreUnavailable when the copy failed.
    """
    if target.exists() and not replace:
        raise Conflict(f"{target} exists: say --force to replace it")
    if target.exists() and (target.samefile(source) or not target.is_file()):
        what = "the database itself" if target.is_file() else "no file"
        raise StoreUnusable(f"cannot write {target}: it is {what}")
    part = target.with_name(target.name + ".part")
    try:
        part.unlink(missing_ok=True)
        os.close(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        try:
            _copy(source, part)
            with part.open("rb") as file:
                os.fsync(file.fileno())
            part.replace(target)
        finally:
            part.unlink(missing_ok=True)
    except OSError as error:
        raise StoreUnusable(f"cannot write {target}: {error.strerror}") from error
    return target.stat().st_size


def _copy(source: Path, part: Path) -> None:
    try:
        # One view of the database from the first page to the last: steps of the backup interface would begin again
        # whenever somebody writes in between.
        with contextlib.closing(sqlite3.connect(source, isolation_level=None)) as connection:
            connection.execute("VACUUM INTO ?", (str(part),))
        with contextlib.closing(sqlite3.connect(part)) as copy:
            ((said, *_),) = copy.execute("PRAGMA integrity_check(1)").fetchall()
    except sqlite3.DatabaseError as error:
        raise StoreUnavailable(f"{source} could not be copied: {error}") from error
    if said != "ok":
        raise StoreUnavailable(f"the copy of {source} is damaged, as is probably the database itself: {said}")
