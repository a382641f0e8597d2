"""How the options of a model are written on the command line: flags for all, ``--option NAME=VALUE`` for the rest."""

import json
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Final

from coderai.cli.errors import WrongUse
from coderai.errors import CoderaiError
from coderai.models.families import SPEECHES
from coderai.models.options import FAMILIES, GENERAL, Option

_SIZES: Final = {"k": 1_000, "m": 1_000_000}
_PRICES: Final = ("input", "output", "cache_read", "cache_write")


@dataclass(frozen=True, slots=True)
class Flags:
    """The options that have a flag; None: not given. An empty text unsets."""

    max_output_tokens: str | None = None
    temperature: str | None = None
    top_p: str | None = None
    top_k: str | None = None
    presence_penalty: str | None = None
    frequency_penalty: str | None = None
    input_price: str | None = None
    output_price: str | None = None
    cache_read_price: str | None = None
    cache_write_price: str | None = None

    def given(self) -> Mapping[str, str]:
        """Return those that were given, as ``--option`` would name them."""
        found = {}
        for field in fields(self):
            value = getattr(self, field.name)
            what = field.name.removesuffix("_price")
            if value is not None:
                found[f"cost.{what}_price_per_million_tokens" if what in _PRICES else field.name] = value
        return found


def merged(before: Mapping[str, Any], flags: Flags, options: Iterable[str], provider_type: str) -> dict[str, Any]:
    """Return ``model_config`` with what was given on the command line. Raises WrongUse.

    A name stands for an option of the provider's family, else for one that all have; dots lead into groups.
    """
    document: dict[str, Any] = json.loads(json.dumps(before))
    for name, text in flags.given().items():
        _set(document, name.split("."), _value(_row(GENERAL, name.split(".")), name, text))
    family = SPEECHES[provider_type].options if provider_type in SPEECHES else ""
    for each in options:
        name, equals, text = each.partition("=")
        if not equals or not name:
            raise WrongUse(f"--option {each!r} must look like NAME=VALUE, for example effort=high")
        path = name.split(".")
        if (row := _row(FAMILIES.get(family, ()), path)) is not None:
            _set(document, ["provider_options", family, *path], _value(row, name, text))
        elif (row := _row(GENERAL, path)) is not None:
            _set(document, path, _value(row, name, text))
        else:
            known = ", ".join(option.name for option in FAMILIES.get(family, ()))
            raise WrongUse(f"no option {name!r} for providers of type {provider_type}; there are: {known}")
    return document


def from_file(name: str) -> dict[str, Any]:
    """Read a whole ``model_config``. Raises CoderaiError."""
    try:
        document = json.loads(sys.stdin.read() if name == "-" else Path(name).read_text())
    except (OSError, ValueError) as error:
        raise CoderaiError(f"cannot read the options from {name}: {error}") from error
    if not isinstance(document, dict):
        raise CoderaiError(f"the options in {name} must be a JSON object")
    return document


def whole(text: str, what: str) -> int:
    """Return ``200000``, ``200k`` or ``1M`` as a number. Raises WrongUse."""
    size = _SIZES.get(text[-1:].lower(), 1)
    digits = text[:-1] if size > 1 else text
    if not (digits.isascii() and digits.isdigit()):
        raise WrongUse(f"{what} {text!r} is no whole number; for example 200000 or 200k")
    return int(digits) * size


def listing(provider_type: str) -> Iterable[tuple[str, str, str]]:
    """Yield name, allowed values and meaning of what ``--option`` takes for a type of provider. Raises WrongUse."""
    if provider_type not in SPEECHES:
        raise WrongUse(f"no models for providers of type {provider_type!r}; there are: {', '.join(SPEECHES)}")
    for row in (*FAMILIES[SPEECHES[provider_type].options], *GENERAL):
        if row.kind == "group":
            yield from ((f"{row.name}.{member.name}", _allowed(member), member.text) for member in row.members)
        else:
            yield row.name, _allowed(row), row.text


def _row(rows: Iterable[Option], path: list[str]) -> Option | None:
    found = next((row for row in rows if row.name == path[0]), None)
    if found is None or len(path) == 1:
        return found
    if found.kind in ("object", "bias"):
        return Option(path[-1], "object", "")
    return _row(found.members, path[1:])


def _value(row: Option | None, name: str, text: str) -> Any:
    if row is None or not text:
        return None  # nothing, which unsets
    match row.kind:
        case "string" | "price":
            return text
        case "strings" if not text.startswith("["):
            return text.split(",")
        case "integer":
            return whole(text, name) if text[-1:].lower() in _SIZES else _json(text)
        case _:
            return _json(text)


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text  # the server says what would be right


def _set(document: dict[str, Any], path: list[str], value: Any) -> None:
    *way, last = path
    for name in way:
        inner = document.get(name)
        document[name] = document = inner if isinstance(inner, dict) else {}
    if value is None:
        document.pop(last, None)
    else:
        document[last] = value


def _allowed(row: Option) -> str:
    if row.enum:
        return ", ".join(row.enum)
    if row.least is not None and row.kind != "bias":
        most = "" if (row.most or 0) > 10**12 else f" to {row.most:g}"
        return f"{row.least:g}{most or ' or more'}"
    return {"boolean": "true, false", "strings": "a,b,...", "price": "dollars", "string": "text"}.get(row.kind, "JSON")
