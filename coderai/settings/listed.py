"""Providers in YAML: as the indexed ones, with lower-case keys, and secrets only by reference."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from coderai.errors import BadSettings
from coderai.settings.drafts import Draft
from coderai.settings.layers import did_you_mean
from coderai.settings.secretfiles import lines_of
from coderai.settings.yamlfile import Document

_TEXTS: Final = (
    "type",
    "name",
    "base_url",
    "bedrock_region",
    "bedrock_base_url",
    "bedrock_model",
    "bedrock_small_fast_model",
    "bedrock_role_arn",
    "bedrock_external_id",
    "bedrock_protocol",
)
_SECRETS: Final = {
    "key": "keys",
    "bedrock_access_key": "bedrock_access_keys",
    "bedrock_access_key_secret": "bedrock_access_key_secrets",
}
_REFERENCES: Final = {
    f"{name}{plural}_{place}": attribute
    for name, attribute in _SECRETS.items()
    for plural in ("", "s")
    for place in ("env", "file")
}
_INLINE: Final = frozenset(name + plural for name in _SECRETS for plural in ("", "s"))


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Where referenced secrets are."""

    environ: Mapping[str, str]
    read_file: Callable[[str], str]


def read_listed(document: Document, surroundings: Surroundings) -> list[Draft]:
    """Return the providers of the YAML file in their order. Raises BadSettings."""
    return [
        _draft(f"{document.providers_at}[{index}]", row, surroundings) for index, row in enumerate(document.providers)
    ]


def _draft(where: str, row: Mapping[str, object], surroundings: Surroundings) -> Draft:
    draft = Draft(where=where, source="yaml")
    for key, value in row.items():
        if key in _INLINE:
            references = f"{key}_env or {key}_file"
            raise BadSettings(f"{where}: {key}: not settable in YAML, because it is secret; use {references}")
        if key not in _TEXTS and key not in _REFERENCES:
            raise BadSettings(f"{where}: {key}: unknown key{did_you_mean(key, (*_TEXTS, *_REFERENCES))}")
        if value is None:
            continue
        if not isinstance(value, str):
            raise BadSettings(f"{where}: {key}: write a text (between quotes)")
        if key in _TEXTS:
            setattr(draft, key, value)
            continue
        attribute = _REFERENCES[key]
        if getattr(draft, attribute) is not None:
            raise BadSettings(f"{where}: {key}: {attribute} are already given by another key; keep one")
        setattr(draft, attribute, _look_up(f"{where}: {key}", key, value, surroundings))
    return draft


def _look_up(where: str, key: str, name: str, surroundings: Surroundings) -> list[str]:
    """Return the secrets that *name* stands for. In a file, one per line."""
    if key.endswith("_env"):
        value = surroundings.environ.get(name, "")
        if not value.strip():
            raise BadSettings(f"{where}: the variable {name} is not set")
        return value.split(",") if key.endswith("s_env") else [value]
    lines = lines_of(where, name, surroundings.read_file)
    if len(lines) > 1 and not key.endswith("s_file"):
        raise BadSettings(
            f"{where}: {name} holds several lines; for a key per line write {key.removesuffix('_file')}s_file"
        )
    return lines
