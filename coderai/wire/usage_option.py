"""Asking for the usage chunk of a Chat stream: one edit on the raw JSON, every other byte stays."""

import re
from collections.abc import Iterator
from typing import Any, Final

from msgspec import Raw, Struct

from coderai.wire.members import NOTHING, UNREADABLE, Shape, value

MOST_PLACES: Final = 64
"""The member's name may also stand in tool schemas; more places than these are not tried."""

_WISH: Final = b'"include_usage":true'


class _Options(Struct):
    stream_options: Raw = NOTHING


_OPTIONS: Final = Shape(_Options)


def wants_usage(stream_options: Raw) -> bool:
    """Say whether the client asks for the usage chunk itself."""
    try:
        options = value(stream_options)
    except UNREADABLE:
        return False
    return isinstance(options, dict) and options.get("include_usage") is True


def with_usage(body: bytes) -> bytes:
    """Return *body*, a JSON object, with ``stream_options.include_usage`` set; unchanged where it has a wrong type.

    We do not know where in the text the decoder found the member. So each place where its name and value stand is
    tried, the last first (of repeated members the last counts), until reading the result shows the wish.
    """
    if b'"stream_options"' not in body and b"\0" not in body[:4]:  # the usual case; zeros: UTF-16, which JSON may be
        return _appended(body)
    for edited in _attempts(body):
        try:
            if wants_usage(_OPTIONS.read(edited).stream_options):
                return edited
        except UNREADABLE:
            continue
    return body


def _appended(body: bytes) -> bytes:
    end = body.rfind(b"}")
    return body[:end] + b',"stream_options":{' + _WISH + b"}" + body[end:]


def _attempts(body: bytes) -> Iterator[bytes]:
    old = bytes(_OPTIONS.read(body).stream_options)
    if not old:
        yield _appended(body)
        return
    places = [*re.finditer(rb'"stream_options"\s*:\s*' + re.escape(old), body)][-MOST_PLACES:]
    for new in _new_options(old):
        for place in reversed(places):
            yield body[: place.end() - len(old)] + new + body[place.end() :]


def _new_options(old: bytes) -> Iterator[bytes]:
    options: Any = value(old)
    if options is None:
        yield b"{" + _WISH + b"}"
    elif isinstance(options, dict) and "include_usage" not in options:
        yield old[:-1] + (b"," if options else b"") + _WISH + b"}"
    elif isinstance(options, dict) and options["include_usage"] in (None, False):
        for place in reversed([*re.finditer(rb'"include_usage"\s*:\s*(false|null|0)', old)][-MOST_PLACES:]):
            yield old[: place.start(1)] + b"true" + old[place.end(1) :]
