"""Variables as the lines that set them, for each family of shells."""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from coderai.setups.snippets import MAKE_TOKEN, TOKEN, shell

_TOKEN: Final = re.compile(re.escape(TOKEN) + r"\b")
_NAME: Final = TOKEN[1:]
_MISSING: Final = f"{_NAME} is not set; make a token with: {MAKE_TOKEN}"
_FISH: Final = {each: "\\" + each for each in '\\"$'}
_POWERSHELL: Final = {each: "`" + each for each in '`"$\N{LEFT DOUBLE QUOTATION MARK}\N{RIGHT DOUBLE QUOTATION MARK}„'}
"""The typographic quotes end a text there as well."""


def sh(exports: Mapping[str, str], unset: Sequence[str] = ()) -> str:
    """Return lines for ``eval``."""
    return shell(exports, unset=unset).text


def fish(exports: Mapping[str, str], unset: Sequence[str] = ()) -> str:
    """Return lines for ``source``."""
    lines = [f"set -q {_NAME}; or echo '{_MISSING}' >&2"] if _wants_token(exports) else []
    lines += [f"set -e {name}" for name in unset]
    lines += [f'set -gx {name} "{_written(value, _FISH, TOKEN)}"' for name, value in exports.items()]
    return "\n".join(lines) + "\n"


def powershell(exports: Mapping[str, str], unset: Sequence[str] = ()) -> str:
    """Return lines for ``Invoke-Expression``."""
    lines = [f"if (-not $env:{_NAME}) {{ throw '{_MISSING}' }}"] if _wants_token(exports) else []
    lines += [f"Remove-Item Env:{name} -ErrorAction SilentlyContinue" for name in unset]
    token = f"$($env:{_NAME})"
    lines += [f'$env:{name} = "{_written(value, _POWERSHELL, token)}"' for name, value in exports.items()]
    return "\n".join(lines) + "\n"


SHELLS: Final[Mapping[str, Callable[[Mapping[str, str], Sequence[str]], str]]] = {
    "sh": sh,
    "fish": fish,
    "powershell": powershell,
}


def usual_shell(environ: Mapping[str, str], *, windows: bool) -> str:
    """Return the shell that a command was probably called from."""
    name = environ.get("SHELL", "").rpartition("/")[2]
    return "powershell" if windows else "fish" if name == "fish" else "sh"


def _wants_token(exports: Mapping[str, str]) -> bool:
    return any(_TOKEN.search(value) for value in exports.values())


def _written(value: str, escapes: Mapping[str, str], token: str) -> str:
    """Nothing in *value* means anything to the shell but the placeholder of the token."""
    plain = ("".join(escapes.get(character, character) for character in part) for part in _TOKEN.split(value))
    return token.join(plain)
