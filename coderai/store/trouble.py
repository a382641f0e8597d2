"""The border between database drivers and ``errors.py``: the one place that knows their exceptions."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import exc

from coderai.errors import StoreUnavailable


class Indigestible(Exception):
    """The database is well, but does not take these values. Never leaves ``coderai/store``."""


_INDIGESTIBLE_SQLITE = (
    sqlite3.DataError,
    sqlite3.IntegrityError,
    sqlite3.ProgrammingError,  # a value that cannot be bound
    sqlite3.InterfaceError,
    OverflowError,
    UnicodeError,
)


@contextmanager
def translated() -> Iterator[None]:
    """Turn a driver's trouble into StoreUnavailable.

    IntegrityError and mistakes in our SQL pass as they are: the first is for the noun to judge, the second is a bug.
    """
    try:
        yield
    except (exc.IntegrityError, exc.ProgrammingError, exc.DataError):
        raise
    except (exc.DBAPIError, exc.TimeoutError, sqlite3.Error, OSError) as error:
        raise unavailable(error) from error


@contextmanager
def translated_sqlite() -> Iterator[None]:
    """The same for bare ``sqlite3``; values it cannot take become Indigestible."""
    try:
        yield
    except _INDIGESTIBLE_SQLITE as error:
        raise Indigestible(str(error)) from error
    except sqlite3.Error as error:
        raise unavailable(error) from error


@contextmanager
def translated_asyncpg() -> Iterator[None]:
    """The same for bare ``asyncpg``."""
    import asyncpg  # an extra: only here when PostgreSQL is used

    try:
        yield
    except (
        asyncpg.DataError,
        asyncpg.IntegrityConstraintViolationError,
        asyncpg.exceptions.ProgramLimitExceededError,
        OverflowError,
        UnicodeError,
    ) as error:
        raise Indigestible(str(error)) from error
    except (
        asyncpg.PostgresError,
        asyncpg.InterfaceError,
        asyncpg.InternalClientError,
        OSError,
        TimeoutError,
    ) as error:
        raise unavailable(error) from error


def unavailable(error: BaseException) -> StoreUnavailable:
    """Say in words for an operator what the driver said; never the statement or its values."""
    cause = error.orig if isinstance(error, exc.DBAPIError) and error.orig is not None else error
    words = str(cause).strip().splitlines()
    return StoreUnavailable(f"the database is not available: {words[0] if words else type(cause).__name__}")
