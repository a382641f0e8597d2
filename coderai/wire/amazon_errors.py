"""Amazon's error answers in the form of the Messages API, which is the one that a Messages tool understands."""

import json
from collections.abc import Mapping
from typing import Final

from coderai.wire.endings import anthropic_error
from coderai.wire.members import UNREADABLE, part, value, word

COLLECTED_BYTES: Final = 1 << 20
"""A longer body is no error document; it is passed on as it is."""

_KINDS: Final[Mapping[str, str]] = {
    "accessdenied": "permission_error",
    "expiredtoken": "authentication_error",
    "incompletesignature": "authentication_error",
    "internalfailure": "api_error",
    "internalserver": "api_error",
    "invalidsignature": "authentication_error",
    "missingauthenticationtoken": "authentication_error",
    "modelerror": "api_error",
    "modelnotready": "overloaded_error",
    "modelstreamerror": "api_error",
    "modeltimeout": "timeout_error",
    "resourcenotfound": "not_found_error",
    "servicequotaexceeded": "rate_limit_error",
    "serviceunavailable": "overloaded_error",
    "throttling": "rate_limit_error",
    "toomanyrequests": "rate_limit_error",
    "unrecognizedclient": "authentication_error",
    "validation": "invalid_request_error",
}
"""By the exception's name without ``Exception``, in lower case."""

STALE: Final = frozenset({"expiredtoken", "unrecognizedclient", "invalidclienttokenid"})
"""The credentials themselves were refused: others may be there by now."""


def exception_name(exception: str) -> str:
    """Return an exception's name as the tables here have it.

    In headers and bodies it may have something before it (``com.amazon.coral.service#``) or behind (``:http://...``).
    """
    return exception.partition(":")[0].rpartition("#")[2].strip().lower().removesuffix("exception")


def error_document(status: int, exception: str, message: str) -> dict[str, object]:
    """Return the Messages API's error for one of Amazon's; *status* decides where the name is unknown."""
    name = exception_name(exception)
    if "signature" in name:  # further lines repeat what was signed, which includes a session token
        message = message.partition("\n")[0]
    form: dict[str, object] = json.loads(anthropic_error(status, message or exception or "the provider failed"))
    if name in _KINDS:
        form["error"] = {"type": _KINDS[name], "message": message or exception}
    return form


def words(body: bytes) -> tuple[str, str]:
    """Return name and text of the exception that *body* tells; the name is mostly in a header, and empty here."""
    try:
        said = value(body)
    except UNREADABLE:
        return "", body[:1024].decode("utf-8", "replace").strip()
    return word(said, "__type") or word(said, "code"), word(said, "message") or word(said, "Message")


class ErrorBody:
    """Decodes the body of an answer with an error status."""

    content_type = "application/json"

    def __init__(self, status: int, headers: Mapping[str, str]) -> None:
        self._status = status
        self._exception = headers.get("x-amzn-ErrorType", "")
        self._request_id = headers.get("x-amzn-RequestId", "")
        self._collected = bytearray()
        self._passing = False

    def feed(self, chunk: bytes) -> bytes:
        """Return nothing before the end, unless it becomes too long."""
        if self._passing:
            return chunk
        self._collected += chunk
        if len(self._collected) <= COLLECTED_BYTES:
            return b""
        self._passing = True
        return bytes(self._collected)

    def end(self) -> bytes:
        """Return the body in the form of the Messages API; one that has it already stays as it is."""
        if self._passing:
            return b""
        body = bytes(self._collected)
        if _is_anthropic(body):
            return body
        exception, message = words(body)
        form = error_document(self._status, self._exception or exception, message)
        if self._request_id:
            form["request_id"] = self._request_id
        return json.dumps(form, separators=(",", ":")).encode()


def _is_anthropic(body: bytes) -> bool:
    try:
        said = value(body)
    except UNREADABLE:
        return False
    return word(said, "type") == "error" and bool(part(said, "error"))
