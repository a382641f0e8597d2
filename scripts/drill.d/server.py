"""A server for the drill: ``coderai server`` with a clock that can be set, and that says how many tasks it has.

SIGUSR1 makes it say so; SIGUSR2 makes its clock go ahead by as many seconds as the file $DRILL_CLOCK
says, or back.
"""

import asyncio
import os
import signal
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import uvloop

from coderai.cli.server import serve_with
from coderai.server import Ready, serve
from coderai.settings import Loaded


class SetClock:
    """The clock of the machine, set ahead or back for this process only."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._ahead = timedelta()

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self._ahead

    def set(self) -> None:
        """Do what the file says."""
        self._ahead = timedelta(seconds=float(self._file.read_text()))
        _say(f"the clock is {self._ahead.total_seconds():g} s ahead")


def run(loaded: Loaded) -> int:
    """Serve until SIGTERM."""

    async def until_told() -> None:
        loop, stop = asyncio.get_running_loop(), asyncio.Event()
        clock = SetClock(Path(os.environ.get("DRILL_CLOCK", os.devnull)))
        loop.add_signal_handler(signal.SIGTERM, stop.set)
        loop.add_signal_handler(signal.SIGUSR1, lambda: _say(f"tasks: {len(asyncio.all_tasks())}"))
        loop.add_signal_handler(signal.SIGUSR2, clock.set)
        await serve(loaded, stop=stop, ready=_ready, clock=clock)

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(until_told())
    return 0


def _ready(ready: Ready) -> None:
    _say(ready.introduction)


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(serve_with(sys.argv[2:], os.environ, run=run, out=sys.stdout, err=sys.stderr))
