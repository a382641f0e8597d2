"""The form of a model's options, made from the JSON Schema that the API serves; and back into a document. Pure."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

PREFIX: Final = "model_config."
"""As the API names the fields that it refuses."""
_GROUPS: Final = {"cost": "Prices, in US dollars per million tokens", "reasoning_effort": "Reasoning"}


@dataclass(frozen=True, slots=True)
class Field:
    """One input."""

    path: str
    """Dotted, inside ``model_config``."""
    group: str
    label: str
    help: str
    kind: str
    """``number``, ``choice``, ``switch``, ``lines``, ``json`` or ``text``."""
    choices: tuple[str, ...] = ()
    least: float | None = None
    most: float | None = None

    @property
    def name(self) -> str:
        """Of the input, and of the field in a refusal."""
        return PREFIX + self.path

    @property
    def options(self) -> list[tuple[str, str]]:
        """Values and texts of a choice; the first unsets."""
        return [("", "–"), *((each, each) for each in self.choices)]


def fields(schema: Mapping[str, Any], path: str = "", label: str = "") -> Iterator[Field]:
    """Yield the inputs that people are meant to see, in the schema's order."""
    for name, node in schema.get("properties", {}).items():
        here = f"{path}.{name}" if path else name
        title = node.get("title", name)
        if "properties" in node:
            deeper = "" if here in _GROUPS or here.count(".") < 2 else title
            yield from fields(node, here, f"{label} {deeper}".strip())
        elif not node.get("x-hidden"):
            yield _field(here, f"{label}: {title}" if label else title, node)


def _field(path: str, label: str, node: Mapping[str, Any]) -> Field:
    top = path.split(".")[0]
    group = _GROUPS.get(top, "Options of the provider" if "." in path else "Sampling")
    kind = _kind(node)
    choices = tuple(node.get("enum", ()))
    return Field(
        path, group, label, node.get("description", ""), kind, choices, node.get("minimum"), node.get("maximum")
    )


def _kind(node: Mapping[str, Any]) -> str:
    match node.get("type"):
        case "boolean":
            return "switch"
        case "integer" | "number":
            return "number"
        case "array":
            return "lines"
        case "object":
            return "json"
    return "choice" if "enum" in node else "text"


def written(document: Mapping[str, Any], field: Field) -> str:
    """Return what stands in the input for the value that *document* has."""
    value: Any = document
    for name in field.path.split("."):
        value = value.get(name) if isinstance(value, Mapping) else None
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case list():
            return "\n".join(map(str, value))
        case dict():
            return json.dumps(value)
    return str(value)


def merged(before: Mapping[str, Any], known: Iterator[Field], given: Mapping[str, str]) -> dict[str, Any]:
    """Return *before* with what was typed; an empty input unsets.

    What cannot be read stays text, which the API refuses at its field.
    """
    document: dict[str, Any] = json.loads(json.dumps(before))
    for field in known:
        if field.name in given:
            _set(document, field.path.split("."), _value(field, given[field.name].strip()))
    return document


def _value(field: Field, text: str) -> Any:
    if not text:
        return None
    match field.kind:
        case "switch":
            return {"true": True, "false": False}.get(text, text)
        case "lines":
            return [line.strip() for line in text.splitlines() if line.strip()]
        case "number" | "json":
            try:
                return json.loads(text)
            except (ValueError, RecursionError):
                return text
    return text


def _set(document: dict[str, Any], path: list[str], value: Any) -> None:
    """Groups that have become empty go as well."""
    name, *rest = path
    if rest:
        inner = document.get(name)
        inner = inner if isinstance(inner, dict) else {}
        _set(inner, rest, value)
        value = inner or None
    if value is None:
        document.pop(name, None)
    else:
        document[name] = value
