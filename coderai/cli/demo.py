"""``coderai demo``."""

from typing import Annotated

import typer

from coderai.cli.options import Run


def demo(
    run: Run,
    once: Annotated[bool, typer.Option("--once", help="Leave after the sessions have been shown.")] = False,
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="Where to listen; 0 takes a free one.")] = 0,
) -> None:
    """Try the gateway without a provider: scripted models, real records, a throw-away data directory."""
    from coderai.demo.show import run_demo  # the whole server: only when it is wanted

    raise typer.Exit(run_demo(once=once, port=port, say=run.out.write, terminal=run.look.terminal))
