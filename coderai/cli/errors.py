"""Errors of the command line become one text on stderr and one exit code."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from coderai.errors import (
    CoderaiError,
    Conflict,
    Forbidden,
    Invalid,
    NotFound,
    NotSignedIn,
    ServerUnreachable,
)

OK: Final = 0
FAILED: Final = 1
USAGE: Final = 2
INTERRUPTED: Final = 130

_BY_STATUS: Final = {401: 3, 403: 3, 404: 4, 409: 5}
_BY_KIND: Final[tuple[tuple[type[CoderaiError], int], ...]] = (
    (NotSignedIn, 3),
    (Forbidden, 3),
    (NotFound, 4),
    (Conflict, 5),
    (ServerUnreachable, 6),
)


class Refused(CoderaiError):
    """The API answered with an error; holds what its body said."""

    def __init__(
        self, status: int, message: str, detail: str = "", validations: tuple[tuple[str, str], ...] = ()
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.detail = detail
        self.validations = validations


class WrongUse(CoderaiError):
    """The command line itself makes no sense."""


@contextmanager
def asking_for(kind: str, name: str) -> Iterator[None]:
    """Name in a 404 what was asked for: the API never says whether it is not there or not to be seen."""
    try:
        yield
    except Refused as refused:
        if refused.status != 404:
            raise
        raise Refused(404, f"no {kind} {name!r}", refused.message) from refused


def exit_code(error: CoderaiError) -> int:
    """Return the exit code for *error*."""
    if isinstance(error, Refused):
        return _BY_STATUS.get(error.status, FAILED)
    if isinstance(error, WrongUse):
        return USAGE
    return next((code for kind, code in _BY_KIND if isinstance(error, kind)), FAILED)


def ours(error: Exception) -> Exception:
    """Return the error for people that a group of tasks ended with; anything else as it is."""
    while isinstance(error, ExceptionGroup):
        known, _ = error.split(CoderaiError)
        if known is None:
            break
        error = known.exceptions[0]
    return error


def as_lines(error: CoderaiError) -> Iterator[str]:
    """Yield the text for people: message, detail, then one line per field that is wrong."""
    yield f"error: {error}"
    said = {str(error)}
    detail = str(_document(error)["detail"])
    if detail and detail not in said:
        yield detail
        said.add(detail)
    for field, wrong in _validations(error):
        # The API repeats for programs what the message says to people.
        if field and wrong not in said and f"{field.removeprefix('model_config.')} {wrong}" not in said:
            yield f"  {field}: {wrong}"


def as_json(error: CoderaiError) -> str:
    """Return the document for programs."""
    return json.dumps({"error": _document(error)})


def _document(error: CoderaiError) -> dict[str, object]:
    return {
        "status": error.status if isinstance(error, Refused) else None,
        "message": str(error),
        "detail": (error.detail or "") if isinstance(error, (Refused, Invalid)) else "",
        "validations": [{"field": field, "detail": detail} for field, detail in _validations(error)],
    }


def _validations(error: CoderaiError) -> tuple[tuple[str, str], ...]:
    return error.validations if isinstance(error, (Refused, Invalid, Conflict)) else ()
