"""Amazon's binary event stream, turned into the server-sent events of the Messages API.

::

    total length (4, big endian) | headers' length (4) | CRC-32 of these 8 bytes (4)
    headers | payload | CRC-32 of all before (4)

    header: name's length (1) | name | type (1) | value; a string (type 7) has its length (2) before it

Pure: bytes in, bytes out, whatever the borders of the chunks. A message whose length or sum is wrong ends the reading:
nothing behind it can be trusted.
"""

import base64
import json
import re
import struct
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from msgspec import Struct

from coderai.errors import BrokenOff
from coderai.wire.amazon_errors import error_document, words
from coderai.wire.members import UNREADABLE, Shape

CONTENT_TYPE: Final = "application/vnd.amazon.eventstream"
SERVER_SENT: Final = "text/event-stream"
MESSAGE_BYTES: Final = 16 << 20
"""The largest message; Amazon's own bound. A claim beyond it is a fault, and is not waited for."""
HEADER_BYTES: Final = 128 << 10

_PRELUDE: Final = struct.Struct(">III")
_SUM_BYTES: Final = 4
_SIZES: Final = {0: 0, 1: 0, 2: 1, 3: 2, 4: 4, 5: 8, 8: 8, 9: 16}
"""Bytes of a header's value by type; 6 (bytes) and 7 (string) carry their length."""
_STRING: Final = 7
_COUNTED: Final = frozenset({6, _STRING})


@dataclass(frozen=True, slots=True)
class Message:
    """One message; of its headers the strings."""

    headers: Mapping[str, str]
    payload: bytes


class MessageReader:
    """Takes bytes, gives whole messages. Holds no more than one unfinished message."""

    def __init__(self) -> None:
        self._waiting = bytearray()
        self._needed = _PRELUDE.size

    @property
    def at_border(self) -> bool:
        """Whether nothing of an unfinished message is there."""
        return not self._waiting

    def feed(self, chunk: bytes) -> Iterator[Message]:
        """Yield the messages that *chunk* completes. Raises BrokenOff at the first that is broken."""
        self._waiting += chunk
        while len(self._waiting) >= self._needed:
            if self._needed == _PRELUDE.size:
                self._needed = _length(self._waiting)
                continue
            whole = bytes(memoryview(self._waiting)[: self._needed])
            del self._waiting[: self._needed]
            self._needed = _PRELUDE.size
            yield _message(whole)


def _length(begun: bytearray) -> int:
    total, headers, crc = _PRELUDE.unpack_from(begun)
    if crc != zlib.crc32(memoryview(begun)[: _PRELUDE.size - _SUM_BYTES]):
        raise BrokenOff("the provider's event stream is broken: the sum over a message's lengths is wrong")
    if not _PRELUDE.size + _SUM_BYTES <= total <= MESSAGE_BYTES:
        raise BrokenOff(f"the provider's event stream is broken: a message of {total} bytes")
    if headers > min(HEADER_BYTES, total - _PRELUDE.size - _SUM_BYTES):
        raise BrokenOff(f"the provider's event stream is broken: headers of {headers} bytes in a message of {total}")
    return int(total)


def _message(whole: bytes) -> Message:
    body, crc = whole[:-_SUM_BYTES], int.from_bytes(whole[-_SUM_BYTES:], "big")
    if crc != zlib.crc32(body):
        raise BrokenOff("the provider's event stream is broken: the sum over a message is wrong")
    end = _PRELUDE.size + int.from_bytes(whole[4:8], "big")
    try:
        headers = dict(_headers(body[_PRELUDE.size : end]))
    except (LookupError, ValueError, struct.error) as error:
        raise BrokenOff(f"the provider's event stream is broken: unreadable headers ({error!r})") from error
    return Message(headers, body[end:])


def _headers(text: bytes) -> Iterator[tuple[str, str]]:
    at = 0
    while at < len(text):
        name = text[at + 1 : (at := at + 1 + text[at])].decode()
        kind, at = text[at], at + 1
        if kind in _COUNTED:
            (size,) = struct.unpack_from(">H", text, at)
            at += 2
        else:
            size = _SIZES[kind]
        content, at = text[at : at + size], at + size
        if at > len(text):
            raise ValueError("a header goes beyond the headers")
        if kind == _STRING:
            yield name, content.decode()


# ---- the Messages API inside -----------------------------------------------------------------------------------------


class _Chunk(Struct):
    bytes: Any = None


class _Event(Struct):
    type: Any = None


_CHUNK: Final = Shape(_Chunk)
_EVENT: Final = Shape(_Event)
_NAME: Final = re.compile(r"[a-z0-9_.-]{1,64}", re.ASCII | re.IGNORECASE)
_LINE_BREAKS: Final = bytes.maketrans(b"\r\n", b"  ")  # in valid JSON they stand between tokens only


class MessagesEvents:
    """Decodes the answer of a streamed call into server-sent events."""

    content_type = SERVER_SENT

    def __init__(self) -> None:
        self._reader = MessageReader()
        self._trouble: BrokenOff | None = None
        self._over = False

    def feed(self, chunk: bytes) -> bytes:
        """Return the events that *chunk* completes. Raises BrokenOff, once everything before the fault is out."""
        if self._over:
            return b""
        if self._trouble is not None:
            raise self._trouble
        out: list[bytes] = []
        try:
            for message in self._reader.feed(chunk):
                out.append(self._event(message))
                if self._over:
                    break
        except BrokenOff as error:
            self._trouble = error
            if not any(out):
                raise
        return b"".join(out)

    def end(self) -> bytes:
        """Return nothing: everything is out. Raises BrokenOff when the body ended within a message."""
        if self._trouble is not None and not self._over:
            raise self._trouble
        if not self._reader.at_border and not self._over:
            raise BrokenOff("the provider's event stream ends within a message")
        return b""

    def _event(self, message: Message) -> bytes:
        match message.headers.get(":message-type"):
            case "event" if message.headers.get(":event-type") == "chunk":
                return _server_sent(_inner(message.payload))
            case "exception":
                self._over = True
                return _failed(message.headers.get(":exception-type", ""), words(message.payload)[1])
            case "error":
                self._over = True
                return _failed(message.headers.get(":error-code", ""), message.headers.get(":error-message", ""))
            case _:
                return b""


def _inner(payload: bytes) -> bytes:
    """Return the JSON of the event that a chunk carries."""
    try:
        return base64.b64decode(_CHUNK.read(payload).bytes, validate=True)
    except (*UNREADABLE, TypeError) as error:
        raise BrokenOff(
            f"the provider's event stream is broken: an unreadable chunk ({type(error).__name__})"
        ) from error


def _server_sent(event: bytes) -> bytes:
    data = event.translate(_LINE_BREAKS).strip()
    try:
        kind = _EVENT.read(data).type
    except UNREADABLE as error:
        raise BrokenOff("the provider's event stream is broken: a chunk that holds no JSON object") from error
    if not isinstance(kind, str) or not _NAME.fullmatch(kind):
        return b"data: " + data + b"\n\n"
    return b"event: " + kind.encode() + b"\ndata: " + data + b"\n\n"


def _failed(exception: str, text: str) -> bytes:
    form = error_document(500, exception, text)
    return b"event: error\ndata: " + json.dumps(form, separators=(",", ":")).encode() + b"\n\n"
