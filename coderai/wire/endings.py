"""How things end badly: the providers' error forms, for reading theirs and for writing our own."""

import json
from collections.abc import Mapping
from typing import Any, Final

from coderai.records import ErrorType
from coderai.wire.members import UNREADABLE, value

MESSAGE_BYTES: Final = 1024
"""As much of a provider's error message as is kept."""

_BY_STATUS: Final[Mapping[int, ErrorType]] = {
    400: ErrorType.BAD_REQUEST,
    401: ErrorType.UNAUTHORIZED,
    403: ErrorType.UNAUTHORIZED,
    404: ErrorType.BAD_REQUEST,
    408: ErrorType.TIMEOUT,
    413: ErrorType.BAD_REQUEST,
    422: ErrorType.BAD_REQUEST,
    429: ErrorType.RATE_LIMITED,
}

_BY_WORD: Final[Mapping[str, ErrorType]] = {
    # Anthropic: error.type
    "invalid_request_error": ErrorType.BAD_REQUEST,
    "authentication_error": ErrorType.UNAUTHORIZED,
    "permission_error": ErrorType.UNAUTHORIZED,
    "not_found_error": ErrorType.BAD_REQUEST,
    "request_too_large": ErrorType.BAD_REQUEST,
    "rate_limit_error": ErrorType.RATE_LIMITED,
    "api_error": ErrorType.SERVER_ERROR,
    "overloaded_error": ErrorType.OVERLOADED,
    "timeout_error": ErrorType.TIMEOUT,
    # OpenAI: error.code or error.type
    "bad_request": ErrorType.BAD_REQUEST,
    "context_length_exceeded": ErrorType.BAD_REQUEST,
    "invalid_prompt": ErrorType.BAD_REQUEST,
    "model_not_found": ErrorType.BAD_REQUEST,
    "invalid_api_key": ErrorType.UNAUTHORIZED,
    "rate_limit_exceeded": ErrorType.RATE_LIMITED,
    "insufficient_quota": ErrorType.RATE_LIMITED,
    "usage_limit_reached": ErrorType.RATE_LIMITED,
    "tokens": ErrorType.RATE_LIMITED,
    "requests": ErrorType.RATE_LIMITED,
    "server_error": ErrorType.SERVER_ERROR,
    "internal_error": ErrorType.SERVER_ERROR,
    "internal_server_error": ErrorType.SERVER_ERROR,
    "server_is_overloaded": ErrorType.OVERLOADED,
    "service_unavailable": ErrorType.OVERLOADED,
    "slow_down": ErrorType.OVERLOADED,
    "timeout": ErrorType.TIMEOUT,
    "vector_store_timeout": ErrorType.TIMEOUT,
}

_ANTHROPIC: Final[Mapping[int, str]] = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    405: "invalid_request_error",
    413: "request_too_large",
    415: "invalid_request_error",
    426: "invalid_request_error",
    429: "rate_limit_error",
    501: "invalid_request_error",
    503: "overloaded_error",
    504: "timeout_error",
    529: "overloaded_error",
}
"""Other 4xx are ``invalid_request_error``, other 5xx ``api_error``."""

_OPENAI: Final[Mapping[int, tuple[str, str | None]]] = {
    400: ("invalid_request_error", None),
    401: ("invalid_request_error", "invalid_api_key"),  # exactly this pair stops the retries of some tools
    403: ("invalid_request_error", "permission_denied"),
    404: ("invalid_request_error", "not_found"),
    405: ("invalid_request_error", "method_not_supported"),
    413: ("invalid_request_error", "request_too_large"),
    415: ("invalid_request_error", "unsupported_media_type"),
    426: ("invalid_request_error", "upgrade_required"),
    429: ("rate_limit_error", "rate_limit_exceeded"),
    501: ("invalid_request_error", "unsupported"),
    502: ("server_error", "bad_gateway"),
    503: ("server_error", "service_unavailable"),
    504: ("server_error", "timeout"),
    529: ("server_error", "overloaded"),
}


def anthropic_error(status: int, message: str, detail: str = "", code: str | None = None) -> bytes:
    """Return an error body for routes of the Anthropic family; *code* is not part of that form."""
    kind = _ANTHROPIC.get(status, "invalid_request_error" if status < 500 else "api_error")
    body: dict[str, Any] = {"type": "error", "error": {"type": kind, "message": message}}
    return _written(body, status, message, detail)


def openai_error(status: int, message: str, detail: str = "", code: str | None = None) -> bytes:
    """Return an error body for routes of the OpenAI and Copilot families."""
    kind, usual = _OPENAI.get(status, ("invalid_request_error" if status < 500 else "server_error", None))
    error = {"message": message, "type": kind, "param": None, "code": code or usual}
    return _written({"error": error}, status, message, detail)


def _written(body: dict[str, Any], status: int, message: str, detail: str) -> bytes:
    if status == 401:  # some tools show only these two
        body |= {"message": message, "detail": detail}
    return json.dumps(body, ensure_ascii=True, separators=(",", ":")).encode()


def error_type_of(status: int, overloaded: int) -> ErrorType:
    """Classify an upstream status; *overloaded* is the one by which this provider says so (529, 503)."""
    if status == overloaded:
        return ErrorType.OVERLOADED
    return _BY_STATUS.get(status, ErrorType.SERVER_ERROR if status >= 500 else ErrorType.UNKNOWN)


def read_error(status: int, body: bytes, overloaded: int) -> tuple[ErrorType, str]:
    """Classify an upstream error answer; the text is the provider's own, at most MESSAGE_BYTES."""
    kind = error_type_of(status, overloaded)
    try:
        loaded = value(body)
    except UNREADABLE:
        return kind, shortened(body[: 2 * MESSAGE_BYTES].decode("utf-8", "replace").strip())
    if isinstance(loaded, list) and loaded:  # Google's compatible endpoint wraps the object in an array
        loaded = loaded[0]
    return kind, shortened(_message(loaded))


def read_error_object(error: Any, overloaded: int) -> tuple[ErrorType, str]:
    """Classify an error that came inside a stream or inside a 2xx body: by its code or type, else unknown."""
    kind = ErrorType.UNKNOWN
    for name in ("code", "type", "status"):
        said = error.get(name) if isinstance(error, dict) else None
        if isinstance(said, str) and said in _BY_WORD:
            kind = _BY_WORD[said]
            break
        number = int(said) if isinstance(said, str) and said.isascii() and said.isdigit() and len(said) == 3 else said
        if isinstance(number, int) and not isinstance(number, bool) and 400 <= number < 600:
            kind = error_type_of(number, overloaded)
            break
    return kind, shortened(_message(error))


def shortened(text: str) -> str:
    """Return at most MESSAGE_BYTES of *text*, cut between characters."""
    encoded = text[: MESSAGE_BYTES + 1].encode("utf-8", "replace")
    return encoded[:MESSAGE_BYTES].decode("utf-8", "ignore")


def _message(said: Any) -> str:
    """Return the words of the error forms that are in use."""
    if isinstance(said, str):
        return said
    if not isinstance(said, dict):
        return ""
    for name in ("error", "message", "detail", "msg"):
        if found := _message(said.get(name)):
            return found
    return ""
