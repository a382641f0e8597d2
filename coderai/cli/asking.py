"""What a command asks the person for: missing values, secrets, consent."""

import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

import typer

from coderai.cli.errors import WrongUse
from coderai.cli.run import Run
from coderai.errors import CoderaiError

_MOST_BYTES = 64 * 1024
"""Of a file with a secret."""


def can_ask() -> bool:
    """Whether somebody is there to answer."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def asked(given: str | None, what: str, option: str) -> str:
    """Return *given*, else what the person answers. Raises WrongUse when nobody is there, naming *option*."""
    if given:
        return given
    if not can_ask():
        raise WrongUse(f"{what} is missing: say {option}")
    return str(typer.prompt(what, err=True))


def agreed(question: str, *, yes: bool) -> None:
    """Return when the person agrees. Raises Abort when not, WrongUse when nobody is there."""
    if yes:
        return
    if not sys.stdin.isatty():
        raise WrongUse("nobody here to confirm: say --yes")
    typer.confirm(question, abort=True, err=True)


def secrets_from(
    run: Run,
    what: str,
    given: Iterable[str],
    files: Iterable[str],
    variables: Iterable[str],
    environ: Mapping[str, str],
) -> list[str]:
    """Return the secrets of an option's three forms: said on the command line, in files (``-``: stdin), in variables.

    Raises WrongUse for a variable that is not set, CoderaiError for a file that cannot be read. Neither repeats a
    secret.
    """
    found = list(given)
    if found:
        run.note(f"note: a {what} on the command line can be seen by others; a file or a variable does not show it")
    found += [_from_file(what, name) for name in files]
    for name in variables:
        if not environ.get(name):
            raise WrongUse(f"the variable {name} is not set")
        found.append(environ[name].strip())
    return found


def _from_file(what: str, name: str) -> str:
    try:
        if name == "-":
            text = sys.stdin.read(_MOST_BYTES)
        else:
            with Path(name).open() as file:
                text = file.read(_MOST_BYTES)
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is no text"
        raise CoderaiError(f"cannot read the {what} from {name}: {reason}") from error
    if not text.strip():
        raise CoderaiError(f"there is no {what} in {'the standard input' if name == '-' else name}")
    return text.strip()
