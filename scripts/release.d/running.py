"""Running the programs that a release is made with."""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import NoReturn

ROOT = Path(__file__).parents[2]


def tool(name: str) -> str:
    """Return one of the programs beside this interpreter."""
    return str(Path(sys.executable).parent / name)


def run(*command: str | Path, said: str = "", cwd: Path = ROOT, environ: Mapping[str, str] | None = None) -> str:
    """Return what *command* printed, having told it *said*; leave with its words when it fails."""
    done = subprocess.run(
        [str(part) for part in command],
        input=said,
        capture_output=True,
        text=True,
        cwd=cwd,
        env={**os.environ, **(environ or {})},
        check=False,
    )
    if done.returncode:
        failed(f"{' '.join(str(part) for part in command[:4])} … failed:\n{done.stdout}{done.stderr}")
    return done.stdout


def failed(what: str) -> NoReturn:
    """Leave: there is no release."""
    sys.exit(f"error: {what}")
