"""Secrets in files: ``X_FILE`` names a file with the secret that the variable ``X`` would hold.

Containers and systemd hand secrets over as files; a variable can be read by whoever may look at the process.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Final

from coderai.errors import BadSettings

ENDING: Final = "_FILE"
_INDEXED: Final = re.compile(
    r"CODER_(?:AIBRIDGE|AI_GATEWAY)_PROVIDER_[0-9]+_(?:KEY|BEDROCK_ACCESS_KEY|BEDROCK_ACCESS_KEY_SECRET)S?",
    re.IGNORECASE | re.ASCII,
)


def with_files_read(environ: Mapping[str, str], read_file: Callable[[str], str]) -> Mapping[str, str]:
    """Return *environ* with every ``X_FILE`` replaced by ``X``. Done twice, it changes nothing.

    A variable for several secrets ends in S: its file has one on each line. Raises BadSettings.
    """
    files = dict(_named_files(environ))
    if not files:
        return environ
    secrets = {}
    for variable, file in files.items():
        where = variable + ENDING
        if environ.get(variable):
            raise BadSettings(f"{variable} and {where} are both set; use one of them")
        lines = lines_of(where, file, read_file)
        if len(lines) > 1 and not variable.upper().endswith("S"):
            raise BadSettings(f"{where}: {file} holds several lines; it should hold one secret")
        secrets[variable] = ",".join(lines)
    others = {name: value for name, value in environ.items() if name.removesuffix(ENDING) not in secrets}
    return {**others, **secrets}


def lines_of(where: str, file: str, read_file: Callable[[str], str]) -> list[str]:
    """Return the lines of *file*, which *where* names: one at least. Raises BadSettings."""
    try:
        lines = read_file(file).strip().splitlines()
    except OSError as error:
        raise BadSettings(f"{where}: {file} cannot be read: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise BadSettings(f"{where}: {file} is no UTF-8 text") from error
    if not lines:
        raise BadSettings(f"{where}: {file} is empty")
    return lines


def _named_files(environ: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Yield (variable, file) for each secret that is in a file."""
    candidates = [
        (name.removesuffix(ENDING), file)
        for name, file in environ.items()
        if file and name.startswith("CODER") and name.endswith(ENDING)
    ]
    if not candidates:
        return  # a command starts without building the table
    from coderai.settings.model import table

    known = {name for row in table().values() if row.form.secret for name in row.option.variables}
    yield from ((name, file) for name, file in candidates if name in known or _INDEXED.fullmatch(name))
