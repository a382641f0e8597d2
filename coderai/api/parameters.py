"""What stands in a path or behind the question mark."""

from collections.abc import Mapping
from typing import Final

from aiohttp import web
from multidict import MultiMapping

from coderai.errors import Invalid, NotFound

_MOST: Final = 2**31 - 1
_TRUE: Final = frozenset({"true", "1", "t", "yes", "on"})
_FALSE: Final = frozenset({"", "false", "0", "f", "no", "off"})


def once(query: MultiMapping[str]) -> MultiMapping[str]:
    """Return *query*, none of whose names is given twice: of two filters one would be ignored. Raises Invalid."""
    twice = sorted({name for name in query if len(query.getall(name)) > 1})
    if twice:
        raise Invalid("a parameter cannot be used", [(name, "is given twice") for name in twice])
    return query


def whole(query: Mapping[str, str], name: str, default: int = 0, most: int = _MOST) -> int:
    """Return a whole number; *default* when it is missing or 0. Raises Invalid."""
    text = query.get(name, "")
    if not text:
        return default
    number = int(text) if text.isascii() and text.isdigit() and len(text) < 12 else -1
    if not 0 <= number <= most:
        raise Invalid("a parameter cannot be used", [(name, f"must be a whole number from 0 to {most}")])
    return number or default


def flag(query: Mapping[str, str], name: str) -> bool:
    """Return a yes or no; missing means no. Raises Invalid."""
    text = query.get(name, "").lower()
    if text in _TRUE:
        return True
    if text in _FALSE:
        return False
    raise Invalid("a parameter cannot be used", [(name, 'must be "true" or "false"')])


def part(request: web.Request, name: str) -> str:
    """Return a part of the path. Raises NotFound for one that nothing can be called."""
    value = request.match_info[name]
    if unstorable(value):
        raise NotFound(name, "?")
    return value


def clean(query: Mapping[str, str], name: str) -> str:
    """Return a text that the database can compare with; '' when missing. Raises Invalid."""
    value = query.get(name, "")
    if unstorable(value):
        raise Invalid("a parameter cannot be used", [(name, "holds a character that no record can hold")])
    return value


def unstorable(text: str) -> bool:
    """Return whether *text* holds U+0000 or half a surrogate pair."""
    return any(character == "\0" or "\ud800" <= character <= "\udfff" for character in text)
