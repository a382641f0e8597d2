"""A JSON object taken apart at its members: some are replaced, removed or added, every other byte stays."""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import msgspec
from msgspec import Raw

from coderai.wire.members import NOTHING, UNREADABLE

_OPENING: Final = re.compile(rb"[ \t\r\n]*\{[ \t\r\n]*")
_BETWEEN: Final = re.compile(rb"[ \t\r\n]*,[ \t\r\n]*")
_KEY: Final = re.compile(rb'("[^"\\]*(?:\\.[^"\\]*)*")[ \t\r\n]*:[ \t\r\n]*', re.DOTALL)
_CLOSING: Final = re.compile(rb"[ \t\r\n]*\}[ \t\r\n]*")
_OBJECT: Final = msgspec.json.Decoder(dict[str, Raw])


@dataclass(slots=True)
class _Member:
    name: str
    before: bytes
    """The comma that separates it from the member before; not used for the first."""
    key: bytes
    """With the colon and the white space around it."""
    value: bytes | memoryview


class EditedObject:
    """One JSON object. Raises UNREADABLE when *text* is none. Of repeated members the last counts."""

    def __init__(self, text: bytes) -> None:
        try:
            self._opening, self._members, self._closing = _taken_apart(text, _measured(text))
        except UNREADABLE:  # lone surrogates, NaN, another encoding than UTF-8, a member that is there twice
            text = text.decode(json.detect_encoding(text), "surrogatepass").encode("utf-8", "surrogatepass")
            self._opening, self._members, self._closing = _taken_apart(text, _scanned(text))

    def __len__(self) -> int:
        return len(self._members)

    def get(self, name: str) -> Raw:
        """Return the value of a member as it is written; ``NOTHING`` when there is none."""
        found = [member.value for member in self._members if member.name == name]
        return Raw(bytes(found[-1])) if found else NOTHING

    def set(self, name: str, value: bytes) -> None:
        """Replace a member's value in its place, or append the member."""
        found = [member for member in self._members if member.name == name]
        if not found:
            found = [_Member(name, b",", json.dumps(name).encode() + b":", value)]
            self._members += found
        found[-1].value = value
        self._members = [member for member in self._members if member.name != name or member is found[-1]]

    def remove(self, *names: str) -> None:
        """Remove members, wherever and however often they are there."""
        self._members = [member for member in self._members if member.name not in names]

    def written(self) -> bytes:
        """Return the object as text, in UTF-8."""
        parts: list[bytes | memoryview] = [self._opening]
        for number, member in enumerate(self._members):
            if number:
                parts.append(member.before)
            parts += (member.key, member.value)
        parts.append(self._closing)
        return b"".join(parts)


EndOf = Callable[[str, int], int]
"""Tells where a member's value ends, from its name and where it begins. Raises UNREADABLE."""


def _taken_apart(text: bytes, end_of: EndOf) -> tuple[bytes, list[_Member], bytes]:
    """Return what is before the first member, the members, what is behind the last."""
    at = _past(_OPENING, text, 0)
    opening, view, members = text[:at], memoryview(text), list[_Member]()
    while not _CLOSING.fullmatch(text, at):
        before = at
        if members:
            at = _past(_BETWEEN, text, at)
        begin = _past(_KEY, text, at)
        name = json.loads(text[at:begin].rstrip(b" \t\r\n:"))
        end = end_of(name, begin)
        members.append(_Member(name, text[before:at], text[at:begin], view[begin:end]))
        at = end
    return opening, members, text[at:]


def _past(pattern: re.Pattern[bytes], text: bytes, at: int) -> int:
    found = pattern.match(text, at)
    if found is None:
        raise ValueError(f"it is no JSON object, or none that can be taken apart at byte {at}")
    return found.end()


def _measured(text: bytes) -> EndOf:
    """Take the lengths from the fast decoder, which does not say where it found a value, so that has to agree."""
    values = _OBJECT.decode(text)

    def end_of(name: str, begin: int) -> int:
        value = memoryview(values.get(name, NOTHING))
        end = begin + value.nbytes
        if not value or memoryview(text)[begin:end] != value:
            raise ValueError(f"the member {name} is there twice")
        return end

    return end_of


def _scanned(text: bytes) -> EndOf:
    """Read every value with the standard library; in Latin-1 its offsets are those of the bytes."""
    latin = text.decode("latin-1")
    decoder = json.JSONDecoder()

    def end_of(_: str, begin: int) -> int:
        return decoder.raw_decode(latin, begin)[1]

    return end_of
