"""Our errors as answers: ``{message, detail?, validations?}``. The only place where the API's statuses are chosen."""

import sys
from collections.abc import Mapping
from typing import Any, Final

from aiohttp import web
from multidict import CIMultiDict

from coderai.api.answers import answer
from coderai.errors import (
    Busy,
    CoderaiError,
    Conflict,
    Forbidden,
    Invalid,
    NotFound,
    NotSignedIn,
    StoreUnavailable,
    TooLarge,
)
from coderai.observe import logs

log = logs.get("api")

_STATUSES: Final[tuple[tuple[type[CoderaiError], int], ...]] = (
    (Invalid, 400),
    (NotSignedIn, 401),
    (Forbidden, 403),
    (NotFound, 404),
    (Conflict, 409),
    (TooLarge, 413),
    (StoreUnavailable, 503),
)
_SIGNED_OUT: Final = "You are signed out or your token does not work any more."
_NOT_FOUND: Final = "There is no such thing, or you may not see it."
_HTTP: Final = {
    404: "There is no such route.",
    405: "This method is not allowed here.",
    413: "The request body is too large.",
}


def refusal(error: CoderaiError) -> web.Response:
    """Return the answer for an error of ours."""
    status = next((status for kind, status in _STATUSES if isinstance(error, kind)), 500)
    if isinstance(error, Busy):
        status = error.status
    return answer(_body(error), status, _headers(error))


def http_refusal(error: web.HTTPException) -> web.Response:
    """Return the answer for what aiohttp itself refuses."""
    headers = {"Allow": error.headers["Allow"]} if "Allow" in error.headers else {}
    return answer({"message": _HTTP.get(error.status, error.reason)}, error.status, headers)


def fault(request: web.Request, request_id: str) -> web.Response:
    """Log the exception being handled, and return an answer that does not tell what it was."""
    fields = {"method": request.method, "path": request.path, "request_id": request_id}
    log.error("request failed", exception=sys.exception(), **fields)
    text = "The server made a mistake; its log says which one."
    return answer({"message": text, "detail": f"request {request_id}"}, 500)


def _body(error: CoderaiError) -> dict[str, Any]:
    match error:
        case Invalid():
            body: dict[str, Any] = {"message": error.message}
            if error.detail:
                body["detail"] = error.detail
        case NotSignedIn():
            body = {"message": _SIGNED_OUT, "detail": str(error)}
        case Forbidden():
            body = {"message": "You are not allowed to do this.", "detail": str(error)}
        case NotFound():
            body = {"message": _NOT_FOUND}  # the same for what is not there and for what may not be seen
        case Busy():
            body = {"message": "Too many requests; try again later.", "detail": str(error)}
        case StoreUnavailable():
            body = {"message": "The database is not available; try again.", "detail": str(error)}
        case _:
            body = {"message": str(error)}
    if isinstance(error, Invalid | Conflict) and error.validations:
        body["validations"] = [{"field": name, "detail": detail} for name, detail in error.validations]
    return body


def _headers(error: CoderaiError) -> Mapping[str, str]:
    if isinstance(error, Busy):
        return {"Retry-After": str(error.retry_after)}
    code = {NotSignedIn: "invalid_token", Forbidden: "insufficient_scope"}.get(type(error))
    if code is None:
        return CIMultiDict()
    words = "".join(character if character.isascii() and character.isprintable() else "?" for character in str(error))
    words = words.replace("\\", "/").replace('"', "'")
    return {"WWW-Authenticate": f'Bearer realm="coder", error="{code}", error_description="{words}"'}
