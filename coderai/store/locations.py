"""Database URLs: which database, where, and whether it may be opened at all."""

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import parse_qsl, unquote, urlsplit

from coderai.errors import StoreUnusable

_HOST: Final = re.compile(r"(\[[^\[\]@]*\]|[^:\[\]@]*)(:[0-9]{1,5})?")
_FORM: Final = (
    "it should be postgresql://USER:PASSWORD@HOST:PORT/NAME, with %40 for @, %3A for :, %2F for /, %3F for ?, %23 for #"
    " and %25 for % in user and password"
)
_PASSWORD: Final = re.compile(r"(?s)^([^:]+://[^:@/]*:).*@")
_PASSWORD_FIELD: Final = re.compile(r"([?&](?:ssl)?password=)[^&]*")


@dataclass(frozen=True, slots=True)
class Location:
    """Either a file of SQLite or the URL of a PostgreSQL server."""

    path: Path | None
    dsn: str = ""
    """As libpq and asyncpg read it, ``?host=/socket/directory`` and ``?sslmode=`` included."""


def locate(url: str) -> Location:
    """Read ``sqlite:///file.db`` (``////`` for an absolute path) or ``postgresql://…``; raises StoreUnusable.

    In the name of a file ``%`` and ``?`` are written as ``%25`` and ``%3F``. No message holds what may be a password.
    """
    scheme, found, rest = url.partition("://")
    if not found:
        raise StoreUnusable("the database URL should begin with sqlite:/// or postgresql://")
    match scheme.partition("+")[0]:
        case "sqlite":
            path = unquote(rest.partition("?")[0].removeprefix("/"))
            if path in ("", ":memory:"):
                raise StoreUnusable('the database must be a file, for example "sqlite:///coderai.db"')
            return Location(Path(path))
        case "postgresql" | "postgres":
            dsn = f"postgresql://{rest}"
            if not _readable(dsn):
                raise StoreUnusable(f"the database URL cannot be read: {_FORM}")
            return Location(None, dsn)
    raise StoreUnusable(f'database URL: "{scheme}" is not known; use sqlite:///FILE or postgresql://…')


def _readable(dsn: str) -> bool:
    """Whether the driver will see in *dsn* what was meant: a password with a / or # in it moves the borders."""
    try:
        parts = urlsplit(dsn)
        parse_qsl(parts.query, strict_parsing=bool(parts.query))
    except ValueError:
        return False
    hosts = parts.netloc.rpartition("@")[2].split(",")
    return not parts.fragment and "@" not in parts.path and all(map(_HOST.fullmatch, hosts))


def without_secrets(url: str) -> str:
    """Return *url*, which may be malformed, fit for logs and files."""
    return _PASSWORD_FIELD.sub(r"\1…", _PASSWORD.sub(r"\1…@", url))


def claim_file(path: Path, *, create: bool) -> None:
    """See to it that *path* exists, for its owner's eyes only. Raises StoreUnusable."""
    if not create and not path.exists():
        raise StoreUnusable(f"there is no database at {path}; start `coderai server` once to create it")
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    except OSError as error:
        raise StoreUnusable(f"cannot open the database {path}: {error.strerror}") from error
