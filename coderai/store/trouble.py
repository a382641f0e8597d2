"""The border between database drivers and ``errors.py``: the one place that knows their exceptions."""

import asyncio
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
def translated(*more: type[Exception]) -> Iterator[None]:
    """Turn a driver's trouble, and *more*, into StoreUnavailable.

    IntegrityError and mistakes in our SQL pass as they are: the first is for the noun to judge, the second is a bug.
    """
    troubles: tuple[type[Exception], ...] = (exc.DBAPIError, exc.TimeoutError, sqlite3.Error, OSError, *more)
    try:
        yield
    except (exc.IntegrityError, exc.ProgrammingError, exc.DataError):
        raise
    except troubles as error:
        task = asyncio.current_task()
        if task is not None and task.cancelling():  # a rollback that failed must not hide why it was made
            raise asyncio.CancelledError from error
        raise unavailable(error) from error


def driver_errors(dialect: str) -> tuple[type[Exception], ...]:
    """Return what the driver lets out of a dying connection without SQLAlchemy's wrapping."""
    if dialect == "sqlite":
        return ()
    import asyncpg  # an extra: only here when PostgreSQL is used

    return asyncpg.PostgresConnectionError, asyncpg.InterfaceError, asyncpg.InternalClientError


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
    if not words and isinstance(cause, TimeoutError):
        words = ["no answer in time"]
    return StoreUnavailable(f"the database is not available: {words[0] if words else type(cause).__name__}")
