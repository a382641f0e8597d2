"""``coderai export``: all records that match, page by page; nothing is ever held as a whole."""

import os
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated, TextIO

import msgspec
import typer

from coderai.cli import interceptions, sessions
from coderai.cli.connection import Api, Query, segment
from coderai.cli.errors import Refused, WrongUse
from coderai.cli.filters import Filters
from coderai.cli.options import Run, command
from coderai.cli.progress import progress
from coderai.cli.shapes import Interception, Session, read
from coderai.errors import CoderaiError
from coderai.spreadsheet import csv_line

_PAGE = "200"
_BUSY_SECONDS = 1.0


class Form(StrEnum):
    """How an export is written."""

    JSONL = "jsonl"
    CSV = "csv"


Format = Annotated[Form, typer.Option("--format", help="jsonl: the API's documents, one per line; or csv.")]
File = Annotated[str | None, typer.Option("--file", "-f", help="Where to; without it: standard output.")]
Force = Annotated[bool, typer.Option("--force", help="Replace the file when it is there.")]
Row = tuple[str | int | None, ...]


@dataclass(frozen=True, slots=True)
class Noun:
    """What can be exported, one page at a time."""

    heads: tuple[str, ...]
    row: Callable[[bytes], Row]
    pages: Callable[[Api, Query], Iterator[tuple[list[msgspec.Raw], int]]]
    """Gives the rows of each page, and how many there are in all; 0 when nobody has counted that far."""


def register(app: typer.Typer) -> None:
    """Add the verbs of this noun."""
    command(app, "sessions")(sessions_command)
    command(app, "interceptions")(interceptions_command)


def sessions_command(
    run: Run,
    asked: Filters,
    form: Format = Form.JSONL,
    file: File = None,
    force: Force = False,
) -> None:
    """Write sessions, newest activity first: their facts and token counts. Everything, unless filtered."""
    _export(run, SESSIONS, asked, form, file, force=force)


def interceptions_command(
    run: Run,
    asked: Filters,
    thoughts: Annotated[
        bool, typer.Option("--thoughts", help="What models thought, and how exchanges ended, as well: slower.")
    ] = False,
    form: Format = Form.JSONL,
    file: File = None,
    force: Force = False,
) -> None:
    """Write single exchanges, newest first: tokens, prompts, tool calls. Everything, unless filtered."""
    if thoughts and form is Form.CSV:
        raise WrongUse("--thoughts does not fit into a table: say --format jsonl")
    _export(run, WHOLE_INTERCEPTIONS if thoughts else INTERCEPTIONS, asked, form, file, force=force)


def _export(run: Run, noun: Noun, asked: Filters, form: Form, file: str | None, *, force: bool) -> None:
    if run.json:
        raise WrongUse("an export has forms of its own: say --format jsonl or --format csv")
    query = asked.parameters(run.look.now) | {"limit": _PAGE}
    written = 0
    with run.api() as api, _writing(run, file, force=force) as out, progress(run, quiet=out is run.out) as told:
        if form is Form.CSV:
            out.write(csv_line(noun.heads))
        for rows, total in noun.pages(api, query):
            out.writelines(_lines(noun, rows, form))
            written += len(rows)
            told(written, total)
    if out is not run.out:
        run.note(f"{written} {'row' if written == 1 else 'rows'} written to {file}")


def _lines(noun: Noun, rows: Iterable[msgspec.Raw], form: Form) -> Iterator[str]:
    for raw in rows:
        yield bytes(raw).decode() + "\n" if form is Form.JSONL else csv_line(noun.row(bytes(raw)))


@contextmanager
def _writing(run: Run, name: str | None, *, force: bool) -> Iterator[TextIO]:
    """Give where to write. A file is for its owner only, and there when it is whole, or not at all."""
    if name in (None, "-"):
        yield run.out
        return
    path = Path(str(name))
    if path.exists() and not force:
        raise WrongUse(f"{path} exists: say --force to replace it")
    if path.exists() and not path.is_file():
        raise WrongUse(f"{path} is no file; without --file everything goes to standard output")
    part = path.with_name(path.name + ".part")
    try:
        handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        try:
            with os.fdopen(handle, "w", encoding="utf-8", newline="") as file:
                yield file
            part.replace(path)
        except BaseException:
            part.unlink(missing_ok=True)
            raise
    except OSError as error:
        raise CoderaiError(f"cannot write {path}: {error.strerror}") from error


class _Sessions(msgspec.Struct, frozen=True):
    sessions: list[msgspec.Raw] = []
    count: int = 0
    count_capped: bool = False
    next_cursor: str | None = None


class _Interceptions(msgspec.Struct, frozen=True):
    results: list[msgspec.Raw] = []
    count: int = 0
    count_capped: bool = False


class _Id(msgspec.Struct, frozen=True):
    id: str


def _session_pages(api: Api, query: Query) -> Iterator[tuple[list[msgspec.Raw], int]]:
    cursor: str | None = None
    while True:
        page = read(_get(api, sessions.PATH, {**query, "cursor": cursor}), _Sessions)
        yield page.sessions, 0 if page.count_capped else page.count
        cursor = page.next_cursor
        if not cursor:
            return


def _interception_pages(api: Api, query: Query) -> Iterator[tuple[list[msgspec.Raw], int]]:
    after: str | None = None
    while True:
        page = read(_get(api, interceptions.PATH, {**query, "after_id": after}), _Interceptions)
        yield page.results, 0 if page.count_capped else page.count
        if str(len(page.results)) != _PAGE:
            return
        after = read(bytes(page.results[-1]), _Id).id


def _whole_interception_pages(api: Api, query: Query) -> Iterator[tuple[list[msgspec.Raw], int]]:
    for rows, total in _interception_pages(api, query):
        ids = [read(bytes(raw), _Id).id for raw in rows]
        yield [msgspec.Raw(_get(api, f"{interceptions.PATH}/{segment(each)}").strip()) for each in ids], total


def _get(api: Api, path: str, query: Query | None = None) -> bytes:
    """Return an answer, however often the server says that it was asked too often."""
    while True:
        try:
            return api.get(path, query)
        except Refused as refused:
            if refused.status != 429:
                raise
            time.sleep(_BUSY_SECONDS)


def _session_row(body: bytes) -> Row:
    one = read(body, Session)
    tokens = one.token_usage_summary
    return (
        one.id,
        one.initiator.username,
        " ".join(person.username for person in one.on_behalf_of),
        one.client,
        " ".join(one.providers),
        " ".join(one.models),
        one.started_at,
        one.last_active_at,
        one.ended_at,
        one.threads,
        one.interceptions,
        tokens.input_tokens,
        tokens.output_tokens,
        tokens.cache_read_input_tokens,
        tokens.cache_write_input_tokens,
        one.last_prompt,
    )


def _interception_row(body: bytes) -> Row:
    one = read(body, Interception)
    tokens = one.tokens
    return (
        one.id,
        one.session_id,
        one.initiator.username,
        one.on_behalf_of.username if one.on_behalf_of else None,
        one.client,
        one.provider,
        one.provider_name,
        one.model,
        one.started_at,
        one.ended_at,
        tokens.input_tokens,
        tokens.output_tokens,
        tokens.cache_read_input_tokens,
        tokens.cache_write_input_tokens,
        " ".join(call.tool for call in one.tool_usages),
        one.user_prompts[0].prompt if one.user_prompts else None,
    )


_TOKENS = ("input_tokens", "output_tokens", "cache_read_input_tokens", "cache_write_input_tokens")
_TIMES = ("started_at", "last_active_at", "ended_at", "threads", "interceptions")
SESSIONS = Noun(
    ("id", "initiator", "on_behalf_of", "client", "providers", "models", *_TIMES, *_TOKENS, "last_prompt"),
    _session_row,
    _session_pages,
)
INTERCEPTIONS = Noun(
    (
        *("id", "session_id", "initiator", "on_behalf_of", "client", "provider", "provider_name", "model"),
        *("started_at", "ended_at", *_TOKENS, "tools", "prompt"),
    ),
    _interception_row,
    _interception_pages,
)
WHOLE_INTERCEPTIONS = Noun((), _interception_row, _whole_interception_pages)
