"""What made-up answers of the three wire APIs have in common: tools, tokens, text in pieces, errors."""

import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from coderai.demo.script import Reply
from coderai.records import Api

EVENT_STREAM = "text/event-stream"
_WORDS_PER_PIECE = 3


@dataclass(frozen=True, slots=True)
class Tool:
    """A tool that the model wants called. A mapping is sent as JSON arguments, a string as free text or raw JSON."""

    name: str
    input: Mapping[str, Any] | str = field(default_factory=dict)
    id: str = ""
    """Made up when empty: ``toolu_…`` for Messages, ``call_…`` for the others."""
    kind: str = ""
    """Messages: ``tool_use`` (default), ``server_tool_use``. Responses: ``function_call`` (default for a mapping),
    ``custom_tool_call`` (default for a string). Chat: ``function`` (default for a mapping), ``custom``."""
    item_id: str = ""
    """Responses only: the id of the output item."""

    @property
    def arguments(self) -> str:
        """The input as it is on the wire."""
        return self.input if isinstance(self.input, str) else compact(self.input)


@dataclass(frozen=True, slots=True)
class Tokens:
    """Usage in buckets that do not overlap; each API writes it in its own way."""

    input: int = 412
    """Without what came from the cache."""
    output: int = 61
    cache_read: int = 0
    cache_write: int = 0
    reasoning: int = 0
    """Part of the output. OpenAI's APIs only."""


SOME: Final = Tokens()
"""For answers whose numbers do not matter."""


def compact(document: object) -> str:
    """Return JSON without spaces, with non-ASCII characters as they are."""
    return json.dumps(document, separators=(",", ":"), ensure_ascii=False)


def event(data: Mapping[str, Any]) -> bytes:
    """Return a server-sent event whose name is the ``type`` of its data."""
    return f"event: {data['type']}\ndata: {compact(data)}\n\n".encode()


def unnamed_event(data: Mapping[str, Any]) -> bytes:
    """Return a server-sent event without a name, as Chat Completions sends them."""
    return f"data: {compact(data)}\n\n".encode()


def pieces(text: str) -> list[str]:
    """Split *text* as a model streams it: a few words at a time; joined they are the text again."""
    words = text.split(" ")
    groups = [" ".join(words[at : at + _WORDS_PER_PIECE]) for at in range(0, len(words), _WORDS_PER_PIECE)]
    return [group if at == 0 else " " + group for at, group in enumerate(groups)] if text else []


def made_up(prefix: str, length: int = 24) -> str:
    """Return an id that no other answer has."""
    return prefix + secrets.token_hex(length)[:length]


def error_answer(
    api: Api, status: int = 500, message: str = "Something went wrong", headers: Mapping[str, str] | None = None
) -> Reply:
    """Return an error status with a body in the form of *api*, as the provider would send it before an answer."""
    return Reply(status=status, headers=headers or {}, chunks=[compact(error_body(api, status, message)).encode()])


def error_body(api: Api, status: int, message: str) -> dict[str, Any]:
    """Return the document of an error in the form of *api*."""
    if api is Api.MESSAGES:
        kind = _ANTHROPIC_ERRORS.get(status, "api_error")
        error = {"type": kind, "message": message}
        return {"type": "error", "error": error, "request_id": "req_011CSHoEeqs5C35K2UUqR7Fy"}
    kind, code = _OPENAI_ERRORS.get(status, ("server_error", None))
    return {"error": {"message": message, "type": kind, "param": None, "code": code}}


def error_event(api: Api, message: str = "Overloaded", kind: str = "overloaded_error") -> bytes:
    """Return the event that says in the middle of a stream that it failed."""
    match api:
        case Api.MESSAGES:
            return event({"type": "error", "error": {"type": kind, "message": message}})
        case Api.CHAT:
            return unnamed_event({"error": {"message": message, "type": kind, "param": None, "code": None}})
        case Api.RESPONSES:
            return event({"type": "error", "code": kind, "message": message, "param": None, "sequence_number": 3})


_ANTHROPIC_ERRORS = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    529: "overloaded_error",
}

_OPENAI_ERRORS: dict[int, tuple[str, str | None]] = {
    400: ("invalid_request_error", None),
    401: ("invalid_request_error", "invalid_api_key"),
    403: ("invalid_request_error", None),
    404: ("invalid_request_error", "model_not_found"),
    429: ("requests", "rate_limit_exceeded"),
}
