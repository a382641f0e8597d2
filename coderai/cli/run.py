"""One run of a command: what was chosen, where its output goes, and the API it talks to."""

import json
import os
import shutil
import socket
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TextIO

from coderai.cli.connection import Api, over, to_url
from coderai.cli.errors import WrongUse
from coderai.cli.target import Choices, Configured, Local, Output, Remote, checked, find_local, find_target
from coderai.cli.text import Look, harmless_json
from coderai.errors import CoderaiError, Invalid

DEFAULT_SECONDS = 30.0
DATABASE = "coderai.db"


@dataclass(frozen=True, slots=True)
class Run:
    """What a command function gets."""

    choices: Choices
    look: Look
    environ: Mapping[str, str]
    out: TextIO
    err: TextIO

    @property
    def json(self) -> bool:
        """Whether stdout is to be one JSON document."""
        return self.choices.output is Output.JSON

    def say(self, lines: Iterable[str]) -> None:
        """Write lines to stdout."""
        for line in lines:
            self.out.write(line + "\n")

    def note(self, text: str) -> None:
        """Write something that is not the result to stderr."""
        self.err.write(text + "\n")

    def document(self, body: bytes) -> None:
        """Write a JSON document to stdout: unchanged to a pipe, indented for a person."""
        if self.look.terminal:
            try:
                text = json.dumps(json.loads(body), indent=2, ensure_ascii=False)
            except ValueError as error:
                raise CoderaiError("the server's answer is no JSON; is this a coderai server?") from error
            self.out.write(harmless_json(text) + "\n")
        else:
            self.out.write(body.decode(errors="replace").rstrip("\n") + "\n")

    @contextmanager
    def server(self, url: str, token: str | None) -> Iterator[Api]:
        """Connect to the server at *url*, whatever else was chosen. Raises WrongUse when that is no address."""
        with closing(to_url(Remote(checked(url), token), _seconds(self.choices.timeout))) as api:
            yield api

    @contextmanager
    def local_api(self) -> Iterator[Api]:
        """Connect to the local data, as their owner. Raises CoderaiError when there are none."""
        with _local(self.local(), _seconds(self.choices.timeout), self.environ) as api:
            yield api

    def local(self) -> Local:
        """Return where the local data are. Raises WrongUse when a server is named, CoderaiError when there are none."""
        if self.choices.url:
            raise WrongUse("this works on the local data directory: say --data-dir instead of --url")
        local = find_local(self.choices, self.environ, _configured(self.environ))
        if not local.database_url and not (local.data_dir / DATABASE).exists():
            raise CoderaiError(f"there is no database in {local.data_dir}: say --data-dir or --database-url")
        return local

    @property
    def names_server(self) -> bool:
        """Whether a server at an address was chosen: by an option, the environment or a sign-in."""
        target = find_target(self.choices, self.environ, read_small_file, _configured(self.environ))
        return isinstance(target, Remote)

    @contextmanager
    def api(self) -> Iterator[Api]:
        """Connect to the chosen server, or to the local data directory."""
        seconds = _seconds(self.choices.timeout)
        match find_target(self.choices, self.environ, read_small_file, _configured(self.environ)):
            case Remote() as remote:
                with closing(to_url(remote, seconds)) as api:
                    yield api
            case Local() as local:
                new = not local.database_url and not (local.data_dir / DATABASE).exists()
                with _local(local, seconds, self.environ) as api:
                    if new:  # usually a server runs, but on another directory
                        self.note(f"{local.data_dir} is new; for data elsewhere say --data-dir or --url.")
                    yield api


def start(choices: Choices) -> Run:
    """Return the run for this process: its streams, its environment, the time. Raises CoderaiError."""
    if sys.stdout is None or sys.stderr is None:
        raise CoderaiError("standard output and standard error must be open; >/dev/null is")
    terminal = sys.stdout.isatty()
    look = Look(
        terminal=terminal,
        width=shutil.get_terminal_size((100, 24)).columns,
        now=datetime.now(UTC),
        color=terminal and not choices.no_color and not os.environ.get("NO_COLOR"),
    )
    return Run(choices, look, _with_files_read(os.environ), sys.stdout, sys.stderr)


def _with_files_read(environ: Mapping[str, str]) -> Mapping[str, str]:
    """Return the environment with the secrets of ``CODER…_FILE``. Raises CoderaiError."""
    if not any(name.startswith("CODER") and name.endswith("_FILE") for name in environ):
        return environ
    from coderai.settings.secretfiles import with_files_read  # all settings: only where they are needed

    return with_files_read(environ, lambda name: Path(name).read_text(encoding="utf-8"))


def read_small_file(path: Path) -> str | None:
    """Return the text of a file of ours, None when there is none. Raises CoderaiError when it cannot be read."""
    try:
        return path.read_text()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise CoderaiError(f"cannot read {path}: {error}") from error


@contextmanager
def _local(local: Local, seconds: float, environ: Mapping[str, str]) -> Iterator[Api]:
    running = _running_server(local)
    if running is not None:
        connected, url = running
        where = f"the server that runs on {local.data_dir}"
        with closing(over(connected, where, seconds, address=url)) as api:
            yield api
        return
    from coderai.cli.hosting import hosting
    from coderai.server import local_api  # the whole server: only when there is nobody to ask

    opened = hosting(lambda: local_api(data_dir=local.data_dir, database_url=local.database_url, environ=environ))
    with opened as ours, closing(over(ours, f"the data in {local.data_dir}", seconds)) as api:
        yield api


def _running_server(local: Local) -> tuple[socket.socket, str] | None:
    """Connect to the server that runs on this data directory, unless another database is asked for.

    Returns the address of its listener as well.
    """
    text = read_small_file(local.data_dir / "server.json")
    try:
        known = json.loads(text or "{}")
        path, url, database = known.get("socket"), known.get("url"), known.get("database_url")
    except (ValueError, AttributeError):
        return None
    if not isinstance(path, str) or not _same_database(local.database_url, database):
        return None
    connection = socket.socket(socket.AF_UNIX)
    try:
        connection.connect(path)
    except OSError:  # the file of a server that was killed
        connection.close()
        return None
    return connection, url if isinstance(url, str) else ""


def _same_database(asked: str | None, running: object) -> bool:
    if asked is None:
        return True
    from coderai.store.locations import without_secrets

    return without_secrets(asked) == running


def _configured(environ: Mapping[str, str]) -> Configured:
    def configured(path: str) -> tuple[str, str | None]:
        from coderai.settings import load  # pydantic: only when there is a file to read

        settings = load(["--config", path], environ, lambda name: Path(name).read_text()).settings
        database = settings.database_url
        return str(settings.data_dir), database.get_secret_value() if database else None

    return configured


def _seconds(text: str | None) -> float:
    if text is None:
        return DEFAULT_SECONDS
    from coderai.durations import parse

    seconds = float(text) if text.replace(".", "", 1).isdigit() else parse(text).total_seconds()
    if seconds <= 0:
        raise Invalid(f"--timeout {text}: must be longer than nothing, for example 30s")
    return seconds
