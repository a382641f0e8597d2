"""``coderai demo``."""

import shutil
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from coderai.cli import sessions
from coderai.cli.filters import Filters
from coderai.cli.options import Run
from coderai.cli.target import Choices

if TYPE_CHECKING:
    from coderai.demo.show import Stage


def demo(
    run: Run,
    once: Annotated[bool, typer.Option("--once", help="Leave after the sessions have been shown.")] = False,
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="Where to listen; 0 takes a free one.")] = 0,
) -> None:
    """Try the gateway without a provider: scripted models, real records, a throw-away data directory."""
    from coderai.demo.show import run_demo  # the whole server: only when it is wanted

    run_demo(once=once, port=port, show=lambda stage: _show(run, stage, staying=not once))


def _show(run: Run, stage: "Stage", *, staying: bool) -> None:
    """Show the sessions as the command would, over HTTP, and what to try next."""
    choices = Choices(url=stage.url, token=stage.token, output=run.choices.output)
    run.say([""] if not run.json else [])
    sessions.list_command(replace(run, choices=choices), Filters(), everything=True)
    if staying and not run.json:  # else server and data are gone before anybody can try
        run.say(_next(stage))
    run.out.flush()


def _next(stage: "Stage") -> Iterator[str]:
    command = _command()
    local = f"{command} --data-dir {stage.data_dir}"
    yield ""
    yield "Try next, in another terminal:"
    yield f'  {local} sessions list --client "Coder Agents"'
    yield f"  {local} sessions show {stage.chat}"
    yield f"  {local} interceptions list -o json"
    yield f"  {command} --url {stage.url} --token {stage.token} sessions list --initiator alice"
    yield f"Or look at it in a browser: {stage.url} (paste the token {stage.token})."
    yield "Or point a tool at it; the models are scripted, the records are real:"
    yield f"  ANTHROPIC_BASE_URL={stage.url}/api/v2/aibridge/anthropic ANTHROPIC_AUTH_TOKEN={stage.token} claude"
    yield ""
    yield "Ctrl-C ends the demonstration and removes its data."


def _command() -> str:
    """How this command is called from anywhere."""
    if shutil.which("coderai"):
        return "coderai"
    called = Path(sys.argv[0])
    return f"{sys.executable} -m coderai" if called.suffix == ".py" else str(called.absolute())
