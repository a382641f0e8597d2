"""One layer of settings: what one place says about which option, and what happens when it says it twice."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Literal

from coderai.errors import BadSettings
from coderai.settings.forms import holds_password
from coderai.settings.model import Row

_LONGEST = 80


@dataclass(frozen=True, slots=True)
class Source:
    """Where a value came from."""

    kind: Literal["flag", "environment", "yaml", "default"]
    name: str = ""
    """As a person would look for it: ``--aibridge-retention``, ``CODER_AIBRIDGE_RETENTION``, ``aibridge.retention``."""
    file: str = ""
    """Of YAML."""

    def __str__(self) -> str:
        return f"{self.file}: {self.name}" if self.file else self.name or self.kind


@dataclass(frozen=True, slots=True)
class Found:
    """A value as it was written."""

    value: object
    source: Source


def one_of(row: Row, spellings: Iterable[Found], warnings: list[str]) -> Found | None:
    """Return what one place says about an option, which may be spelled in several ways.

    Raises BadSettings when names of equal rank contradict each other.
    """
    first, *others = (*spellings, None)
    if first is None:
        return None
    for other in others:
        if other is None or not row.option.twins:
            continue
        if other.value != first.value:
            one, two = (describe(row, found.source, found.value) for found in (first, other))
            raise BadSettings(f"{one} contradicts {two}: they are two names of one option, remove one")
        warnings.append(f"{first.source} and {other.source} are two names of one option; remove one")
    return first


def describe(row: Row, source: Source, value: object) -> str:
    """Return ``name="value"`` for messages, only the name of what must not be shown."""
    if row.form.secret or (isinstance(value, str) and holds_password(value)):
        return str(source)
    text = json.dumps(value, ensure_ascii=False, default=str)
    return f"{source}={text if len(text) <= _LONGEST else text[:_LONGEST] + '…'}"


def did_you_mean(word: str, words: Iterable[str], prefix: str = "", *, nearness: float = 0.7) -> str:
    """Return ``; did you mean "…"?`` when one of *words* is near, else nothing."""
    near = get_close_matches(word, list(words), n=1, cutoff=nearness)
    return f'; did you mean "{prefix}{near[0]}"?' if near else ""
