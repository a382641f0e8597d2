"""The YAML file: groups of keys, no secrets, and no key that we do not know."""

from collections.abc import Callable, Hashable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml

from coderai.errors import BadSettings
from coderai.settings.layers import Found, Source, did_you_mean, one_of
from coderai.settings.model import Row, table

PROVIDERS = ("aibridge.providers", "ai_gateway.providers")


@dataclass(slots=True)
class Document:
    """What one file says."""

    values: dict[str, Found] = field(default_factory=dict)
    providers: tuple[Mapping[str, object], ...] = ()
    providers_at: str = ""
    """File and dotted path, for messages."""


class _Loader(yaml.SafeLoader):
    """Refuses a key that is there twice, which YAML forbids and PyYAML allows."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        mapping = super().construct_mapping(node, deep=deep)
        if len(mapping) < len(node.value) and not any(key.tag.endswith(":merge") for key, _ in node.value):
            raise yaml.constructor.ConstructorError(None, None, "a key is there twice", node.start_mark)
        return mapping


def read_yaml(path: str, read_file: Callable[[str], str], warnings: list[str]) -> Document:
    """Read the file at *path*. Raises BadSettings for what cannot be read or is not known."""
    document = Document()
    found: dict[str, dict[str, Found]] = {}
    for key, value in _leaves(path, _parse(path, read_file), ""):
        if key in PROVIDERS:
            _take_providers(document, path, key, value)
            continue
        found.setdefault(_rows()[key].name, {})[key] = Found(value, Source("yaml", key, path))
    for option, spellings in found.items():
        row = table()[option]
        one = one_of(row, [spellings[key] for key in row.option.yaml if key in spellings], warnings)
        if one is not None:
            document.values[option] = one
    return document


def _parse(path: str, read_file: Callable[[str], str]) -> object:
    try:
        text = read_file(path)
    except OSError as error:
        raise BadSettings(f"--config {path}: cannot be read: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise BadSettings(f"--config {path}: is no UTF-8 text") from error
    try:
        return yaml.load(text, _Loader)  # noqa: S506 -- a SafeLoader
    except yaml.MarkedYAMLError as error:
        line = f" in line {error.problem_mark.line + 1}" if error.problem_mark else ""
        raise BadSettings(f"--config {path}: is no YAML: {error.problem}{line}") from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise BadSettings(f"--config {path}: is no YAML") from error


def _rows() -> Mapping[str, Row]:
    return {key: row for row in table().values() for key in row.option.yaml}


def _leaves(path: str, node: object, prefix: str) -> Iterator[tuple[str, object]]:
    """Yield every option of a group as dotted key and value; null and an absent key are the same."""
    if node is None:
        return
    if not isinstance(node, dict):
        where = f"{path}: {prefix}" if prefix else path
        raise BadSettings(f"{where} must be a group of keys, for example: aibridge: {{enabled: true}}")
    known = {*_rows(), *PROVIDERS}
    for name, value in node.items():
        key = f"{prefix}.{name}" if prefix else str(name)
        if key in known:
            if value is not None:
                yield key, value
        elif any(other.startswith(key + ".") for other in known):
            yield from _leaves(path, value, key)
        else:
            raise BadSettings(f"{path}: {key}: {_why_unknown(str(name), prefix, known)}")


def _why_unknown(name: str, prefix: str, known: set[str]) -> str:
    for row in table().values():
        words = {_squeezed(spelling) for spelling in row.option.flags}
        if not row.option.yaml and {_squeezed(name), _squeezed(prefix + name)} & words:
            return f"not settable in YAML, because it is secret; use the variable {row.option.variables[0]}"
    start = f"{prefix}." if prefix else ""
    siblings = {key.removeprefix(start).partition(".")[0] for key in known if key.startswith(start)}
    hint = did_you_mean(name, siblings, start)
    if not hint:
        same = [key for key in sorted(known) if _squeezed(key.rpartition(".")[2]) == _squeezed(name)]
        hint = f'; did you mean "{same[0]}"?' if same else ""
    return f"unknown key{hint}"


def _squeezed(name: str) -> str:
    return name.lower().replace("_", "").replace("-", "")


def _take_providers(document: Document, path: str, key: str, value: object) -> None:
    if document.providers_at:
        raise BadSettings(f"{path}: {' and '.join(PROVIDERS)} are two names of one list; keep one")
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        raise BadSettings(f"{path}: {key} must be a list of groups, each with at least a type")
    document.providers = tuple({str(name): what for name, what in item.items()} for item in value)
    document.providers_at = f"{path}: {key}"
