"""A progress bar on stderr, for a person who waits; nothing for a pipe."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from coderai.cli.options import Run

Told = Callable[[int, int], None]
"""Takes what is done, and how much there is in all; 0 when nobody knows."""


@contextmanager
def progress(run: Run, *, quiet: bool = False) -> Iterator[Told]:
    """Give what moves the bar. With *quiet* there is one only when the result does not go to the same terminal."""
    if not run.err.isatty() or (quiet and run.look.terminal):
        yield lambda _done, _total: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeElapsedColumn

    columns = (BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    console = Console(file=run.err, no_color=not run.look.color)
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("", total=None)
        yield lambda done, total: bar.update(task, completed=done, total=max(total, done) if total else None)
