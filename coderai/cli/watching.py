"""``coderai sessions watch``: what is going on, as it happens."""

import time
from collections.abc import Iterator
from typing import Annotated, Any

import msgspec
import typer

from coderai.cli.connection import Api
from coderai.cli.filters import What
from coderai.cli.options import Run
from coderai.cli.shapes import Session, read, who
from coderai.cli.text import Look, count, moment, one_line
from coderai.errors import ServerUnreachable

PATH = "/api/v2/aibridge/sessions"
_REMEMBERED = 10_000
"""Sessions that are compared with what they were."""


class _Page(msgspec.Struct, frozen=True):
    sessions: list[msgspec.Raw] = []


def watch_command(
    run: Run,
    asked: What,
    last: Annotated[int, typer.Option("--last", min=0, max=200, help="Sessions to begin with.")] = 10,
    interval: Annotated[float, typer.Option(min=0.2, max=60, help="Seconds between two looks.")] = 2.0,
) -> None:
    """Show sessions as they begin and go on, until Ctrl-C. With -o json: one document per line."""
    parameters = asked.asked() | {"limit": "200", "include_running": "true"}
    known: dict[tuple[str, str], Any] = {}
    with run.api() as api:
        for page in _looking(run, api, parameters, interval):
            new = [(raw, session) for raw, session in _read(page) if known.get(_key(session)) != session]
            shown = new if known else new[:last]
            for raw, session in reversed(shown):  # the latest activity comes last
                run.say([bytes(raw).decode() if run.json else line(session, run.look)])
            run.out.flush()
            known |= {_key(session): session for _, session in reversed(new)}
            while len(known) > _REMEMBERED:
                known.pop(next(iter(known)))


def line(session: Session, look: Look) -> str:
    """Return what is shown of a session that has begun or gone on."""
    at = moment(session.last_active_at or session.started_at)
    clock = at.astimezone().strftime("%H:%M:%S") if at and look.terminal else session.last_active_at or ""
    tokens = session.token_usage_summary
    sums = f"{count(tokens.input_tokens, look)} in / {count(tokens.output_tokens, look)} out"
    state = f"running ({session.running})" if session.running else "ended"
    facts = [
        clock,
        who(session.initiator, session.on_behalf_of),
        session.client or "Unknown",
        ", ".join(session.models),
        state,
        sums,
        session.last_prompt or "",
    ]
    text = "  ".join(one_line(fact) for fact in facts if fact)
    return text if not look.terminal or len(text) <= look.width else text[: max(look.width - 1, 0)] + "…"


def _looking(run: Run, api: Api, parameters: dict[str, str | None], interval: float) -> Iterator[_Page]:
    """Yield what there is, again and again. A server that is away for a while is waited for."""
    reached = True
    while True:
        try:
            page = read(api.get(PATH, parameters), _Page)
        except ServerUnreachable as error:
            if reached:
                run.note(f"{error}; trying again every {interval:g} s")
            reached = False
        else:
            if not reached:
                run.note("there again")
            reached = True
            yield page
        time.sleep(interval)


def _read(page: _Page) -> list[tuple[msgspec.Raw, Session]]:
    return [(raw, read(bytes(raw), Session)) for raw in page.sessions]


def _key(session: Session) -> tuple[str, str]:
    return session.id, session.initiator.id
