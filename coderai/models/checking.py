"""Are these options of a model allowed? By the table of ``options``; the JSON schema says the same."""

import math
import re
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from typing import Any, Final

from coderai.models.options import FAMILIES, Kind, Option, table
from coderai.models.schema import LONGEST_TEXT, MOST_ITEMS, MOST_MEMBERS, PRICE

_ROOT: Final = table()
_PRICE: Final = re.compile(PRICE)

Violation = tuple[str, str]
"""Where, as a path with dots, and what would be right."""


def tidied(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options as they are kept: texts trimmed, prices as texts, without anything that is empty.

    An empty object of a family stays: with it the family's own defaults apply.
    """
    return _tidy_group(_ROOT, document)


def violations(document: Mapping[str, Any]) -> list[Violation]:
    """Return everything that is wrong with tidied options; paths begin with ``model_config``."""
    return list(_check(_ROOT, document, _ROOT.name))


def _tidy_group(option: Option, document: Mapping[str, Any]) -> dict[str, Any]:
    members = {member.name: member for member in option.members}
    found = {}
    for name, value in document.items():
        kept = _tidy(members[name], value) if name in members else value
        if not _empty(kept) or (option.name == "provider_options" and name in FAMILIES and kept == {}):
            found[name] = kept
    return found


def _tidy(option: Option, value: Any) -> Any:
    match option.kind, value:
        case "string", str():
            return value.strip()
        case "strings", list():
            texts = [each.strip() if isinstance(each, str) else each for each in value]
            return [each for each in texts if not _empty(each)]
        case "price", int() | float() if not isinstance(value, bool) and math.isfinite(value):
            return format(Decimal(repr(value)), "f") if value else "0"
        case "price", str():
            return value.strip()
        case "integer", float() if value.is_integer():
            return int(value)
        case "group", Mapping():
            return _tidy_group(option, value)
        case "groups", list():
            return [_tidy_group(option, each) if isinstance(each, Mapping) else each for each in value]
        case _:
            return value


def _empty(value: Any) -> bool:
    return value is None or (isinstance(value, str | list | dict) and not value)


def _check(option: Option, value: Any, path: str) -> Iterator[Violation]:
    yield from _CHECKS[option.kind](option, value, path)


def _number(option: Option, value: Any, path: str) -> Iterator[Violation]:
    kinds = (int,) if option.kind == "integer" else (int, float)
    assert option.least is not None
    assert option.most is not None
    fits = isinstance(value, kinds) and not isinstance(value, bool) and option.least <= value <= option.most
    if not fits:
        whole = "a whole number" if option.kind == "integer" else "a number"
        yield path, f"must be {whole} from {option.least:.16g} to {option.most:.16g}"


def _boolean(_option: Option, value: Any, path: str) -> Iterator[Violation]:
    if not isinstance(value, bool):
        yield path, "must be true or false"


def _string(option: Option, value: Any, path: str) -> Iterator[Violation]:
    if option.enum and value not in option.enum:
        yield path, f"must be one of {', '.join(option.enum)}"
    elif not option.enum and not (isinstance(value, str) and 0 < len(value) <= LONGEST_TEXT):
        yield path, f"must be a text of at most {LONGEST_TEXT} characters"


def _strings(_option: Option, value: Any, path: str) -> Iterator[Violation]:
    fits = isinstance(value, list) and len(value) <= MOST_ITEMS
    if not fits or any(not (isinstance(each, str) and 0 < len(each) <= LONGEST_TEXT) for each in value):
        yield path, f"must be a list of at most {MOST_ITEMS} texts"


def _price(_option: Option, value: Any, path: str) -> Iterator[Violation]:
    if isinstance(value, str) and _PRICE.fullmatch(value):
        return
    if isinstance(value, str) and value.startswith("-"):
        yield path, "must be greater than or equal to zero"
    else:
        yield path, 'must be dollars per million tokens, for example "3.00"'


def _object(option: Option, value: Any, path: str) -> Iterator[Violation]:
    if not isinstance(value, dict) or len(value) > MOST_MEMBERS:
        yield path, f"must be an object of at most {MOST_MEMBERS} members"
        return
    if not _writable(value):
        yield path, "must hold numbers that JSON can write, whole ones of at most 64 bits"
    for name in value:
        if name in option.reserved:
            yield f"{path}.{name}", "is set by the request itself"


def _writable(value: Any) -> bool:
    match value:
        case dict():
            return all(map(_writable, value.values()))
        case list():
            return all(map(_writable, value))
        case float():
            return math.isfinite(value)
        case int():
            return -(2**63) <= value < 2**63
        case _:
            return True


def _bias(option: Option, value: Any, path: str) -> Iterator[Violation]:
    if not isinstance(value, dict) or len(value) > MOST_MEMBERS:
        yield path, "must be an object from token ids to numbers"
        return
    row = Option(option.name, "number", option.text, least=option.least, most=option.most)
    for name, each in value.items():
        yield from _number(row, each, f"{path}.{name}")


def _group(option: Option, value: Any, path: str) -> Iterator[Violation]:
    if not isinstance(value, dict):
        yield path, "must be an object"
        return
    members = {member.name: member for member in option.members}
    for name, each in value.items():
        if name in members:
            yield from _check(members[name], each, f"{path}.{name}")
        else:
            yield f"{path}.{name}", f"is not known; there are {', '.join(members)}"
    for name, member in members.items():
        if option.needs_all and name not in value:
            yield f"{path}.{name}", "is required here"
        for other in member.conflicts:
            if name in value and other in value:
                yield f"{path}.{name}", f"cannot be set together with {other}"


def _groups(option: Option, value: Any, path: str) -> Iterator[Violation]:
    if not isinstance(value, list) or len(value) > MOST_ITEMS:
        yield path, f"must be a list of at most {MOST_ITEMS} objects"
        return
    for at, each in enumerate(value):
        yield from _group(option, each, f"{path}[{at}]")


_CHECKS: Final[Mapping[Kind, Callable[[Option, Any, str], Iterator[Violation]]]] = {
    "integer": _number,
    "number": _number,
    "boolean": _boolean,
    "string": _string,
    "strings": _strings,
    "price": _price,
    "object": _object,
    "bias": _bias,
    "group": _group,
    "groups": _groups,
}
