"""OpenAI Responses over WebSocket: the same requests and events as over HTTP, one a message.

A client message is a request body with a ``type``; a server message is the JSON of one event. Facts: the API reference,
"WebSocket mode", and the events of OpenAI's SDKs.
"""

import json
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any, Final

from msgspec import Raw, Struct

from coderai.errors import Invalid
from coderai.records import Answer, Ask, ErrorType
from coderai.wire import responses
from coderai.wire.endings import error_type_of, openai_error
from coderai.wire.members import NOTHING, UNREADABLE, Shape, value, word
from coderai.wire.sse import HEAD_BYTES, LINE_BYTES, Verdict

CREATE: Final = "response.create"
STEER: Final = "response.steer"


class Kind(Enum):
    """What a client message is about."""

    CALL = "call"
    """Asks for an answer: to be recorded like an HTTP request."""
    WARM_UP = "warm-up"
    """``generate: false``: the provider prepares itself and answers with nothing."""
    STEER = "steer"
    """Words of the user for an answer that is under way."""
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Message:
    """One client message, as far as we look."""

    kind: Kind
    ask: Ask
    lane: str = ""
    """``stream_id``: answers of different lanes may come at the same time."""
    previous: str = ""
    """``previous_response_id``"""


class _Client(Struct):
    type: Any = None
    generate: Any = None
    stream_id: Any = None
    previous_response_id: Any = None


class _Server(Struct):
    type: Any = None
    stream_id: Any = None
    sequence_number: Any = None
    status: Any = None
    response: Raw = NOTHING


class _Created(Struct):
    model: Any = None


_CLIENT: Final = Shape(_Client)
_SERVER: Final = Shape(_Server)
_CREATED: Final = Shape(_Created)


# ---- what the client says --------------------------------------------------------------------------------------------


def read_message(data: bytes) -> Message:
    """Return what a client message asks for. Raises Invalid if it is no JSON object."""
    try:
        head = _CLIENT.read(data)
        kind = _kind(head, data)
    except UNREADABLE as error:
        raise Invalid(f"the message is not a JSON object: {error}") from error
    return Message(
        kind=kind,
        ask=replace(responses.read_request(data), stream=True),  # whatever it says; some tools leave the member out
        lane=head.stream_id if isinstance(head.stream_id, str) else "",
        previous=head.previous_response_id if isinstance(head.previous_response_id, str) else "",
    )


def _kind(head: _Client, data: bytes) -> Kind:
    if head.type == CREATE and head.generate is not False:
        return Kind.CALL
    # Of a member that is repeated, one reader takes the first and another the last: what anybody may take for a call
    # must not pass unrecorded.
    members = _members(data)
    types = [found for name, found in members if name == "type"]
    if CREATE in types:
        prepared = [found for name, found in members if name == "generate"]
        return Kind.WARM_UP if prepared and all(found is False for found in prepared) else Kind.CALL
    return Kind.STEER if STEER in types else Kind.OTHER


def _members(data: bytes) -> list[tuple[str, Any]]:
    """Return the members of the outermost object, repeated ones included. Raises UNREADABLE."""
    found: list[list[tuple[str, Any]]] = [[]]

    def keep(members: list[tuple[str, Any]]) -> None:
        found[0] = members  # the outermost comes last

    json.loads(data, object_pairs_hook=keep)
    return found[0]


# ---- what the provider says ------------------------------------------------------------------------------------------


class Reader:
    """Watch the messages of one answer go by and collect facts. ``feed`` never raises."""

    def __init__(self) -> None:
        self._meaning = responses.Meaning()
        self._trouble: str | None = None
        self.calls = self._meaning.calls
        """Ids of the tool calls seen so far, in order."""
        self.begun = False
        """A message came."""
        self.disturbed = False
        """Set when the client said something else meanwhile: an error may then be the reply to that."""
        self.status = 200
        """As HTTP would have said it: that of the error by which the provider refused."""

    def feed(self, data: bytes) -> bool:
        """Take in one message; return whether it ends the answer."""
        first, self.begun = not self.begun, True
        if b'"error"' in data[:HEAD_BYTES] and self._is_a_reply(data, first=first):
            return False
        try:
            if len(data) <= LINE_BYTES:
                return self._meaning.read(data) is Verdict.END
            self._note(f"a message of {len(data)} bytes is too long to be read")
        except UNREADABLE as error:
            self._note(f"unreadable message: {error}")
        return self._meaning.ends(data[:HEAD_BYTES])

    def close(self) -> Answer:
        """Return what was learned, also when the answer broke off."""
        learned = self._meaning.answer(self._trouble)
        if self.status >= 400 and learned.error_type in (None, ErrorType.UNKNOWN):
            return replace(learned, error_type=error_type_of(self.status, responses.OVERLOADED))
        return learned

    def _is_a_reply(self, data: bytes, *, first: bool) -> bool:
        """Say whether an error is about something that the client said while this answer was under way.

        Errors inside an answer are numbered like its other events, those about a message have a status instead.
        """
        try:
            event = _SERVER.read(data)
        except UNREADABLE:
            return False
        if event.type != "error":
            return False
        if self.disturbed and not first and event.sequence_number is None:
            return True
        if first and isinstance(event.status, int) and 400 <= event.status < 600:
            self.status = event.status
        return False

    def _note(self, trouble: str) -> None:
        self._trouble = self._trouble or trouble


def lane_of(data: bytes) -> str:
    """Return the lane that a server message belongs to; empty for the usual single one. Never raises."""
    try:
        lane = _SERVER.read(data).stream_id
    except UNREADABLE:
        return ""
    return lane if isinstance(lane, str) else ""


def created_model(data: bytes) -> str | None:
    """Return the model of an answer that begins with this message, None when it is something else. Never raises."""
    if b"response.created" not in data[:HEAD_BYTES]:
        return None
    try:
        event = _SERVER.read(data)
        if event.type != "response.created":
            return None
        model = _CREATED.read(event.response).model
    except UNREADABLE:
        return None
    return model if isinstance(model, str) else ""


# ---- our own words ---------------------------------------------------------------------------------------------------


def error_message(status: int, text: str, lane: str = "") -> bytes:
    """Return an error in the form that the API uses for what concerns a client message."""
    event: dict[str, Any] = {"type": "error", "status": status, "error": _error(status, text)}
    return _written(event, lane)


def steer_refused(data: bytes, text: str) -> bytes:
    """Return the API's own answer for an answer that cannot be steered; the client then makes a new request of it."""
    said = value(data)
    event = {
        "type": "response.steer.failed",
        "sequence_number": 0,
        "error": {"type": "invalid_request_error", "code": "steering_not_supported", "message": text},
        "steer": {"previous_response_id": word(said, "previous_response_id"), "input": said.get("input")},
    }
    return _written(event, "")


def _error(status: int, text: str) -> dict[str, Any]:
    error = json.loads(openai_error(status, text))["error"]
    assert isinstance(error, dict)
    return error


def _written(event: dict[str, Any], lane: str) -> bytes:
    return json.dumps(event | ({"stream_id": lane} if lane else {}), separators=(",", ":")).encode()
