"""``coderai sessions``."""

from collections.abc import Iterator
from typing import Annotated, Final

import typer
from msgspec import structs

from coderai.cli import filters
from coderai.cli.connection import Api, segment
from coderai.cli.errors import Refused, asking_for
from coderai.cli.filters import Filters
from coderai.cli.options import Run, command
from coderai.cli.shapes import Session, SessionDetail, SessionPage, Thread, read, who
from coderai.cli.text import Column, Look, count, distinct, one_line, table, when
from coderai.cli.tree import session_lines
from coderai.cli.watching import watch_command
from coderai.errors import Conflict, NotFound

PATH = "/api/v2/aibridge/sessions"
_PAGE: Final = 200
_SHORTEST: Final = 4
"""A piece of an id that is shorter names nothing."""
_COLUMNS = (
    Column("ID"),
    Column("INITIATOR", 20),
    Column("CLIENT", 24, least=12),
    Column("PROVIDER", 18, least=9, leaves=2),
    Column("MODELS", 28, least=12, leaves=4),
    Column("THREADS", leaves=3),
    Column("IN"),
    Column("OUT"),
    Column("CACHE R/W", leaves=1),
    Column("LAST ACTIVE"),
    Column("LAST PROMPT", 60, least=18),
)


def register(app: typer.Typer) -> None:
    """Add the verbs of this noun."""
    command(app, "list")(list_command)
    command(app, "ls", hidden=True)(list_command)
    command(app, "show")(show_command)
    command(app, "watch")(watch_command)


def list_command(
    run: Run,
    asked: Filters,
    limit: filters.Limit = 100,
    after: Annotated[str | None, typer.Option("--after", help="Id of the last session of the page before.")] = None,
    cursor: Annotated[str | None, typer.Option("--cursor", help="next_cursor of the page before.")] = None,
    everything: filters.Everything = False,
) -> None:
    """List sessions, newest activity first; of the last 24 hours unless a time is asked for."""
    window = None if everything or asked.session_id else filters.DAY
    parameters = asked.parameters(run.look.now, window) | {
        "limit": str(limit),
        "after_session_id": after,
        "cursor": cursor,
    }
    with run.api() as api:
        body = api.get(PATH, parameters)
    if window and asked.any_time:
        run.note("Sessions of the last 24 hours; --all shows all, --since 7d those of a week.")
    if run.json:
        run.document(body)
        return
    page = read(body, SessionPage)
    if page.sessions:
        ids = distinct([session.id for session in page.sessions], run.look)
        rows = [[shown, *_row(session, run.look)] for shown, session in zip(ids, page.sessions, strict=True)]
        run.say(table(_COLUMNS, rows, run.look))
    run.note(_footer(page, limit))


def show_command(
    run: Run,
    session: Annotated[str, typer.Argument(help="Its id, the beginning or end of that, or the id of an interception.")],
    initiator: filters.Initiator = None,
    thread: Annotated[int | None, typer.Option("--thread", min=1, help="Only this one; the first is 1.")] = None,
    full: Annotated[bool, typer.Option("--full", help="Cut nothing.")] = False,
) -> None:
    """Show a session: its threads, prompts, thinking, tool calls and tokens."""
    with run.api() as api, asking_for("session", session):
        body, session = _detail(api, session, initiator)
        if run.json:
            run.document(body)
            return
        detail = read(body, SessionDetail)
        threads = [*detail.threads, *_further_threads(api, detail, session, initiator)]
    if thread is not None and thread > len(threads):
        raise NotFound("thread", f"{thread} of {len(threads)}")
    shown = threads if thread is None else [threads[thread - 1]]
    run.say(session_lines(structs.replace(detail, threads=shown), run.look, full=full, first=thread or 1))


def _detail(api: Api, session: str, initiator: str | None) -> tuple[bytes, str]:
    """Return the first page, also for the beginning or the end of an id as a list on a terminal shows it."""
    query = {"limit": str(_PAGE), "initiator": initiator}
    try:
        return api.get(f"{PATH}/{segment(session)}", query), session
    except Refused as refused:
        part = session.strip("….")
        if refused.status != 404 or len(part) < _SHORTEST:
            raise
        page = api.read(PATH, SessionPage, {"limit": "1000", "initiator": initiator})
        ids = sorted({one.id for one in page.sessions if one.id.startswith(part) or one.id.endswith(part)})
        if not ids:
            raise
        if len(ids) > 1:
            raise Conflict(f"several sessions have {part!r} in their ids: {', '.join(ids[:5])}") from refused
        return api.get(f"{PATH}/{segment(ids[0])}", query), ids[0]


def _further_threads(api: Api, page: SessionDetail, session: str, initiator: str | None) -> Iterator[Thread]:
    while len(page.threads) == _PAGE:
        query = {"limit": str(_PAGE), "initiator": initiator, "after_id": page.threads[-1].id}
        page = api.read(f"{PATH}/{segment(session)}", SessionDetail, query)
        yield from page.threads


def _row(session: Session, look: Look) -> list[str]:
    tokens = session.token_usage_summary
    cache = f"{count(tokens.cache_read_input_tokens, look)}/{count(tokens.cache_write_input_tokens, look)}"
    return [
        who(session.initiator, session.on_behalf_of),
        session.client or "Unknown",
        ", ".join(session.providers),
        ", ".join(session.models),
        str(session.threads),
        count(tokens.input_tokens, look),
        count(tokens.output_tokens, look),
        cache,
        when(session.last_active_at or session.started_at, look),
        session.last_prompt or "",
    ]


def _footer(page: SessionPage, limit: int) -> str:
    if not page.sessions:
        return "no sessions"
    total = f"more than {page.count}" if page.count_capped else str(page.count)
    text = f"{len(page.sessions)} of {total} session{'s' if page.count != 1 else ''}."
    if len(page.sessions) < limit or len(page.sessions) == page.count:
        return text
    return f"{text} Next page: --after {one_line(page.sessions[-1].id)}"
