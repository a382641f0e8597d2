"""``coderai completion``: what a shell needs to complete our commands."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated

import typer

from coderai.cli.options import Run

VARIABLE = "_CODERAI_COMPLETE"
"""Set by the shell's function when it asks the program what could stand here."""


class Shell(StrEnum):
    """Those that are known."""

    BASH = "bash"
    ZSH = "zsh"
    FISH = "fish"


_HOWTO = {
    Shell.BASH: 'put into ~/.bashrc:  eval "$(coderai completion bash)"',
    Shell.ZSH: 'put into ~/.zshrc, after compinit:  eval "$(coderai completion zsh)"',
    Shell.FISH: "put into ~/.config/fish/config.fish:  coderai completion fish | source",
}


def prepare(environ: Mapping[str, str]) -> None:
    """Make ready to answer a shell, when it is one that asks."""
    if VARIABLE in environ:
        from typer.completion import get_completion_inspect_parameters

        get_completion_inspect_parameters()  # called for what it does: it tells typer which shells there are


def completion(run: Run, shell: Annotated[Shell, typer.Argument(help="The shell you use.")]) -> None:
    """Print the script that lets a shell complete commands and options."""
    from typer.completion import get_completion_script  # type: ignore[attr-defined] # there is no other way to it

    run.say([get_completion_script(prog_name="coderai", complete_var=VARIABLE, shell=shell.value)])
    if run.look.terminal:
        run.note(_HOWTO[shell])
