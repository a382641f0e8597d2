"""Ordinary options in the environment. An empty variable counts as not set."""

from collections.abc import Mapping

from coderai.settings.layers import Found, Source, one_of
from coderai.settings.model import table


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
    return values
