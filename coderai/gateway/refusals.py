"""How the data plane says no: our text inside the error form that the caller's tool understands."""

from collections.abc import Callable, Mapping
from typing import Final

from aiohttp import web

from coderai.errors import (
    Busy,
    CircuitOpen,
    CoderaiError,
    Forbidden,
    Invalid,
    KeysExhausted,
    NotSignedIn,
    StoreUnavailable,
    TooLarge,
    Unsupported,
    UpstreamError,
)
from coderai.wire.endings import anthropic_error, openai_error

Form = Callable[[int, str], bytes]
"""Makes an error body from a status and a text."""

_FORMS: Final[Mapping[str, Form]] = {"anthropic": anthropic_error, "openai": openai_error}
"""By family name."""

_STATUSES: Final[tuple[tuple[type[CoderaiError], int], ...]] = (
    (NotSignedIn, 401),
    (Forbidden, 403),
    (TooLarge, 413),
    (Unsupported, 415),
    (Invalid, 400),
    (StoreUnavailable, 503),
    (CircuitOpen, 503),
    (UpstreamError, 502),
)

_FINAL: Final = frozenset({400, 401, 403, 404, 405, 413, 415, 426, 501})
"""Trying the same again cannot help; without the header some tools repeat a 401 for minutes (clients.md)."""


def form_of(family: str, path: str) -> Form:
    """Return the error form for a raw *path* below a provider; in a family of two languages the route tells which."""
    return _FORMS.get(family) or (anthropic_error if path.startswith("/v1/messages") else openai_error)


def form_for(path: str) -> Form:
    """Guess the error form for a path of no known provider."""
    return anthropic_error if "/messages" in path or "anthropic" in path else openai_error


def refuse(
    form: Form, status: int, message: str, headers: Mapping[str, str] | None = None, *, final: bool = False
) -> web.Response:
    """Return our own refusal; *final* says that trying again cannot help, whatever the status."""
    response = web.Response(status=status, body=form(status, message), content_type="application/json")
    if final or status in _FINAL:
        response.headers["x-should-retry"] = "false"
    elif status == 503:
        response.headers["Retry-After"] = "1"
    response.headers.update(headers or {})
    return response


def status_of(error: CoderaiError) -> int:
    """Return the status for an error of our tree; 500 for what should not have come this far."""
    if isinstance(error, Busy | KeysExhausted):
        return error.status
    for kind, status in _STATUSES:
        if isinstance(error, kind):
            return status
    return 500


def advice(error: CoderaiError) -> Mapping[str, str] | None:
    """Return the header that says when to come back, or that only an administrator can help; None without advice."""
    seconds = getattr(error, "retry_after", None)
    if seconds is not None:
        return {"Retry-After": str(seconds)}
    return {"x-should-retry": "false"} if isinstance(error, KeysExhausted) and error.status == 502 else None
