"""Looking into provider JSON without trusting it: typed partial decoding that never stumbles over what we do not read.

msgspec first; what it refuses although it is common JSON (lone surrogates, NaN) gets a second reading by the standard
library. All failures are ``UNREADABLE``.
"""

import json
from typing import Any, Final, Generic, TypeVar

import msgspec
from msgspec import Raw

UNREADABLE: Final = (ValueError, RecursionError)
"""What unreadable JSON raises in either library: broken, not UTF-8, nested too deeply."""

NOTHING: Final = Raw(b"")
"""Default of a ``Raw`` member that may be missing."""

S = TypeVar("S", bound=msgspec.Struct)

_LIST: Final = msgspec.json.Decoder(list[Raw])


class Shape(Generic[S]):
    """The members of an object that we read; all of them optional.

    Their types are ``Any``, ``Raw``, or an array of ``Raw`` items beside the other types that a member may rightly
    have. Where the text has another type, the member holds what was found: look before you use it.
    """

    def __init__(self, struct: type[S]) -> None:
        self._struct = struct
        self._decoder = msgspec.json.Decoder(struct)
        annotations = struct.__annotations__
        self._kinds = {name: annotations[name] for name in struct.__struct_fields__}

    def read(self, text: bytes | Raw) -> S:
        """Return what *text* says; of repeated members the last. Raises UNREADABLE, also for what is no object."""
        try:
            return self._decoder.decode(text)
        except UNREADABLE:
            loaded = json.loads(bytes(text))
        if not isinstance(loaded, dict):
            raise ValueError("it is some other JSON value")
        found = {name: _kept(kind, loaded[name]) for name, kind in self._kinds.items() if name in loaded}
        return self._struct(**found)


def _kept(kind: Any, loaded: Any) -> Any:
    """Return *loaded* the way that a member of this kind holds it."""
    if kind is Raw:
        return _raw(loaded)
    return [_raw(item) for item in loaded] if kind is not Any and isinstance(loaded, list) else loaded


def _raw(loaded: Any) -> Raw:
    return Raw(json.dumps(loaded).encode())


def items(text: Raw) -> list[Raw] | None:
    """Return the items of an array unread; None when it is no array, or an unreadable one."""
    try:
        return _LIST.decode(text)
    except UNREADABLE:
        pass
    try:
        loaded = json.loads(bytes(text))
    except UNREADABLE:
        return None
    return [_raw(item) for item in loaded] if isinstance(loaded, list) else None


def value(text: bytes | Raw) -> Any:
    """Return the whole value. Raises UNREADABLE."""
    try:
        return msgspec.json.decode(text)
    except UNREADABLE:
        return json.loads(bytes(text))


def source(text: Raw) -> str:
    """Return the JSON text as it came."""
    return bytes(text).decode("utf-8", "replace").strip()


def word(holder: Any, name: str) -> str:
    """Return a member that should be a string, else an empty one."""
    found = holder.get(name) if isinstance(holder, dict) else None
    return found if isinstance(found, str) else ""


def part(holder: Any, name: str) -> dict[str, Any]:
    """Return a member that should be an object, else an empty one."""
    found = holder.get(name) if isinstance(holder, dict) else None
    return found if isinstance(found, dict) else {}


def count(holder: Any, name: str) -> int:
    """Return a member that should be a number of tokens, else 0; never negative."""
    found = holder.get(name) if isinstance(holder, dict) else None
    if isinstance(found, float) and found == found and abs(found) < 2**63:
        found = int(found)
    return max(found, 0) if isinstance(found, int) and not isinstance(found, bool) else 0
