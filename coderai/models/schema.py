"""The table of options as JSON Schema (draft 2020-12), for forms and for those who check before they send."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from coderai.models.options import Kind, Option, table

PRICE: Final = r"^[0-9]{1,9}(\.[0-9]{1,12})?$"
LONGEST_TEXT: Final = 4096
MOST_ITEMS: Final = 100
MOST_MEMBERS: Final = 1000
_DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"


def schema(families: tuple[str, ...] | None = None) -> dict[str, Any]:
    """Return the schema of ``model_config``, for all families or for some."""
    root = table() if families is None else table(families)
    return {"$schema": _DIALECT, "title": root.name, **_of(root)}


def _of(option: Option) -> dict[str, Any]:
    marks: dict[str, Any] = {"title": option.label, "description": option.text}
    if option.hidden:
        marks["x-hidden"] = True
    if option.conflicts:
        marks["x-conflicts-with"] = list(option.conflicts)
    if option.visible_when:
        marks["x-visible-when"] = option.visible_when
    return marks | _FORMS[option.kind](option)


def _number(option: Option) -> dict[str, Any]:
    return {"type": option.kind, "minimum": option.least, "maximum": option.most}


def _string(option: Option) -> dict[str, Any]:
    limits = {"enum": list(option.enum)} if option.enum else {"minLength": 1, "maxLength": LONGEST_TEXT}
    return {"type": "string", **limits}


def _strings(_option: Option) -> dict[str, Any]:
    item = {"type": "string", "minLength": 1, "maxLength": LONGEST_TEXT}
    return {"type": "array", "items": item, "maxItems": MOST_ITEMS}


def _price(_option: Option) -> dict[str, Any]:
    number = {"type": "number", "minimum": 0, "exclusiveMaximum": 10**9}
    return {"anyOf": [{"type": "string", "pattern": PRICE}, number]}


def _object(option: Option) -> dict[str, Any]:
    names = {"propertyNames": {"not": {"enum": list(option.reserved)}}} if option.reserved else {}
    return {"type": "object", "maxProperties": MOST_MEMBERS, **names}


def _bias(option: Option) -> dict[str, Any]:
    value = {"type": "number", "minimum": option.least, "maximum": option.most}
    return {"type": "object", "additionalProperties": value, "maxProperties": MOST_MEMBERS}


def _group(option: Option) -> dict[str, Any]:
    document: dict[str, Any] = {
        "type": "object",
        "properties": {member.name: _of(member) for member in option.members},
        "additionalProperties": False,
    }
    if option.needs_all:
        document["required"] = [member.name for member in option.members]
    clashes = [[member.name, other] for member in option.members for other in member.conflicts]
    if clashes:
        document["allOf"] = [{"not": {"required": pair}} for pair in clashes]
    return document


def _groups(option: Option) -> dict[str, Any]:
    return {"type": "array", "items": _group(option), "maxItems": MOST_ITEMS}


_FORMS: Final[Mapping[Kind, Callable[[Option], dict[str, Any]]]] = {
    "integer": _number,
    "number": _number,
    "boolean": lambda _option: {"type": "boolean"},
    "string": _string,
    "strings": _strings,
    "price": _price,
    "object": _object,
    "bias": _bias,
    "group": _group,
    "groups": _groups,
}
