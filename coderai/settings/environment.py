"""Ordinary options in the environment. An empty variable counts as not set."""

from collections.abc import Mapping
from typing import Final

from coderai.settings.indexed import PREFIXES
from coderai.settings.layers import Found, Source, did_you_mean, one_of
from coderai.settings.model import table

_OURS: Final = ("CODER_AIBRIDGE_", "CODER_AI_GATEWAY_")


def read_environment(environ: Mapping[str, str], warnings: list[str]) -> dict[str, Found]:
    """Return what the environment says about which option. Raises BadSettings for contradictions."""
    values = {}
    for row in table().values():
        spellings = (
            Found(environ[name], Source("environment", name)) for name in row.option.variables if environ.get(name)
        )
        found = one_of(row, spellings, warnings)
        if found is not None:
            values[row.name] = found
    warnings += _misspelled(environ)
    return values


def _misspelled(environ: Mapping[str, str]) -> list[str]:
    """Return a warning for each variable that is almost one of ours; others may be meant for another product."""
    known = {name for row in table().values() for name in row.option.variables}
    strangers = (name for name in sorted(environ) if name.startswith(_OURS) and not name.upper().startswith(PREFIXES))
    hints = {name: did_you_mean(name, known, nearness=0.9) for name in strangers if name not in known}
    return [f"{name}: unknown variable, ignored{hint}" for name, hint in hints.items() if hint]
