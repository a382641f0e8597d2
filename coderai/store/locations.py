"""Database URLs: which database, where, and whether it may be opened at all."""

import os
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from coderai.errors import StoreUnusable


@dataclass(frozen=True, slots=True)
class Location:
    """Either a file of SQLite or the URL of a PostgreSQL server."""

    path: Path | None
    dsn: str = ""
    """As libpq and asyncpg read it, ``?host=/socket/directory`` and ``?sslmode=`` included."""


def locate(url: str) -> Location:
    """Read ``sqlite:///file.db`` (``////`` for an absolute path) or ``postgresql://…``; raises StoreUnusable."""
    scheme, _, rest = url.partition("://")
    match scheme.partition("+")[0]:
        case "sqlite":
            path = rest.partition("?")[0].removeprefix("/")
            if path in ("", ":memory:"):
                raise StoreUnusable('the database must be a file, for example "sqlite:///coderai.db"')
            return Location(Path(path))
        case "postgresql" | "postgres":
            return Location(None, f"postgresql://{rest}")
    raise StoreUnusable(f'database URL: "{scheme}" is not known; use sqlite:///FILE or postgresql://…')


def without_secrets(url: str) -> str:
    """Return *url* fit for logs and files."""
    parts = urlsplit(url)
    if parts.password is None:
        return url
    return parts._replace(netloc=parts.netloc.replace(f":{parts.password}@", ":…@")).geturl()


def claim_file(path: Path, *, create: bool) -> None:
    """See to it that *path* exists, for its owner's eyes only. Raises StoreUnusable."""
    if not create and not path.exists():
        raise StoreUnusable(f"there is no database at {path}; start `coderai server` once to create it")
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    except OSError as error:
        raise StoreUnusable(f"cannot open the database {path}: {error.strerror}") from error
