"""``coderai server``: settings first, then everything else."""

import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final, TextIO

from coderai.errors import BadSettings, CoderaiError, StoreUnusable
from coderai.observe import logs
from coderai.settings import Loaded, load
from coderai.settings.flags import BadUsage
from coderai.settings.rendering import help_text, write_config
from coderai.store.locations import locate, without_secrets

OK: Final = 0
ERROR: Final = 1
USAGE: Final = 2


def server_command(arguments: list[str]) -> int:
    """Run ``coderai server`` with raw arguments, and return the exit code."""
    return serve_with(arguments, os.environ, run=_run, out=sys.stdout, err=sys.stderr)


def serve_with(
    arguments: list[str],
    environ: Mapping[str, str],
    *,
    run: Callable[[Loaded], int],
    out: TextIO,
    err: TextIO,
) -> int:
    """Load the settings and do what they ask for; *run* serves."""
    try:
        loaded = load(arguments, environ, _read_file)
    except BadSettings as error:
        for line in _lines(error):
            print(f"error: {line}", file=err)
        if isinstance(error, BadUsage):
            print("Try: coderai server --help", file=err)
        return USAGE if isinstance(error, BadUsage) else ERROR
    for warning in loaded.warnings:
        print(f"warning: {warning}", file=err)
    match loaded.action:
        case "help":
            print(help_text(), end="", file=out)
        case "write_config":
            print(write_config(loaded), end="", file=out)
        case "check":
            return _check(loaded, out, err)
        case "serve":
            return _serve(loaded, run, err)
    return OK


def summary(loaded: Loaded) -> str:
    """Return what ``--check`` says about settings that are fine."""
    settings = loaded.settings
    lines = [
        "ok",
        f"  config     {loaded.config or 'none'}",
        f"  data       {settings.data_dir}",
        f"  database   {without_secrets(settings.database)}",
        f"  listener   {settings.http_address or 'none'}",
        f"  gateway    {'on' if settings.aibridge_enabled else 'off'}",
        f"  providers  {len(settings.providers)}",
    ]
    for provider in settings.providers:
        keys = len(provider.keys)
        credentials = "Bedrock" if provider.bedrock else f"{keys} key" + ("" if keys == 1 else "s")
        lines.append(
            f"    {provider.name}  {provider.type}  {provider.base_url}  {credentials}  from {provider.origin}"
        )
    return "\n".join(lines)


def _lines(error: BadSettings) -> list[str]:
    """Return everything that is wrong with the settings, a line for each."""
    if len(error.validations) < 2:
        return [str(error)]
    return [f"{where}: {what}" if where else what for where, what in error.validations]


def _check(loaded: Loaded, out: TextIO, err: TextIO) -> int:
    """Say what is in force. Nothing is opened: a database that is down is no mistake of the configuration."""
    try:
        locate(loaded.settings.database)
    except StoreUnusable as error:
        print(f"error: {error}", file=err)
        return ERROR
    print(summary(loaded), file=out)
    return OK


def _serve(loaded: Loaded, run: Callable[[Loaded], int], err: TextIO) -> int:
    try:
        with logs.configured(loaded.settings):
            return run(loaded)
    except CoderaiError as error:
        print(f"error: {error}", file=err)
        return ERROR


def _run(loaded: Loaded) -> int:
    from coderai.server import run  # everything heavy, only when something is to be served

    return run(loaded)


def _read_file(path: str) -> str:
    return Path(path).read_text(encoding="utf-8")
