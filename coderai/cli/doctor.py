"""``coderai doctor``: is everything as it should be on this machine?"""

import asyncio
import json
from collections.abc import Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from coderai.cli.config import Options, loaded_here
from coderai.cli.errors import FAILED
from coderai.cli.options import Run
from coderai.cli.text import one_line
from coderai.errors import CoderaiError

if TYPE_CHECKING:
    from coderai.server.examining import Verdict


def doctor(
    run: Run,
    options: Options = None,
    fix: Annotated[bool, typer.Option("--fix", help="Take away others' access to our files.")] = False,
    offline: Annotated[bool, typer.Option("--offline", help="Connect to nobody but the database.")] = False,
) -> None:
    """Check configuration, files, database, providers, address and clocks; exit code 1 when something is wrong."""
    verdicts = []
    for verdict in _examined(run, options, fix=fix, offline=offline):
        verdicts.append(verdict)
        if not run.json:
            run.say([f"{verdict.state:<4}  {one_line(verdict.what):<12}  {one_line(verdict.text)}"])
    if run.json:
        run.document(json.dumps([asdict(verdict) for verdict in verdicts]).encode())
    if any(verdict.state == "fail" for verdict in verdicts):
        raise typer.Exit(FAILED)


def _examined(run: Run, options: list[str] | None, *, fix: bool, offline: bool) -> Iterator["Verdict"]:
    from coderai.server import examining  # the whole server: only when it is wanted

    try:
        loaded = loaded_here(run, options)
    except CoderaiError as error:
        yield examining.Verdict("fail", "settings", str(error))
        return
    settings, now = loaded.settings, run.look.now
    for warning in loaded.warnings:
        yield examining.Verdict("warn", "settings", warning)
    if not loaded.warnings:
        origin = loaded.config or "no file"
        yield examining.Verdict("ok", "settings", f"{len(loaded.provenance)} options set ({origin})")
    yield from examining.examine_files(settings.data_dir, fix=fix)
    verdicts, seen = asyncio.run(examining.examine_database(settings, now))
    yield from verdicts
    if offline:
        return
    yield from examining.examine_providers(settings, seen.upstreams if seen else (), run.environ)
    yield from examining.examine_address(settings, now)
