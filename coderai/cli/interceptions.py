"""``coderai interceptions``."""

from typing import Annotated

import typer

from coderai.cli import filters
from coderai.cli.connection import segment
from coderai.cli.errors import asking_for
from coderai.cli.filters import Filters
from coderai.cli.options import Run, command
from coderai.cli.shapes import Interception, InterceptionPage, RawResults, read, who
from coderai.cli.text import Column, Look, count, lasting, moment, one_line, table, when
from coderai.cli.tree import interception_lines

PATH = "/api/v2/aibridge/interceptions"
_COLUMNS = (
    Column("ID"),
    Column("INITIATOR", 20, leaves=7),
    Column("CLIENT", 24, least=11),
    Column("PROVIDER", 20, least=9, leaves=2),
    Column("MODEL", 28, least=12, leaves=5),
    Column("IN", leaves=3),
    Column("OUT", leaves=4),
    Column("TOOLS", 24, least=8, leaves=6),
    Column("STARTED"),
    Column("TOOK", leaves=1),
    Column("PROMPT", 60, least=16),
)


def register(app: typer.Typer) -> None:
    """Add the verbs of this noun."""
    command(app, "list")(list_command)
    command(app, "ls", hidden=True)(list_command)
    command(app, "show")(show_command)


def list_command(
    run: Run,
    asked: Filters,
    limit: filters.Limit = 100,
    after: Annotated[str | None, typer.Option("--after", "--after-id", help="Id of the last row before.")] = None,
    everything: filters.Everything = False,
) -> None:
    """List single exchanges, newest first. With -o json: the array of them."""
    parameters = asked.parameters(run.look.now) | {"limit": str(limit), "after_id": after}
    with run.api() as api:
        body = api.get(PATH, parameters)
    if run.json:
        run.document(bytes(read(body, RawResults).results))
        return
    page = read(body, InterceptionPage)
    if page.results:
        run.say(table(_COLUMNS, [_row(one, run.look) for one in page.results], run.look))
    run.note(_footer(page, limit))


def show_command(
    run: Run,
    interception: Annotated[str, typer.Argument(help="Its id.")],
    full: Annotated[bool, typer.Option("--full", help="Cut nothing.")] = False,
) -> None:
    """Show one exchange with everything that was recorded about it."""
    with run.api() as api, asking_for("interception", interception):
        body = api.get(f"{PATH}/{segment(interception)}")
    if run.json:
        run.document(body)
        return
    run.say(interception_lines(read(body, Interception), run.look, full=full))


def _row(one: Interception, look: Look) -> list[str]:
    begun, ended = moment(one.started_at), moment(one.ended_at)
    return [
        one.id,
        who(one.initiator, [one.on_behalf_of] if one.on_behalf_of else []),
        one.client or "Unknown",
        one.provider_name or one.provider,
        one.model,
        count(one.tokens.input_tokens, look),
        count(one.tokens.output_tokens, look),
        ", ".join(call.tool for call in one.tool_usages),
        when(one.started_at, look),
        lasting(ended - begun) if begun and ended else "running",
        one.user_prompts[0].prompt if one.user_prompts else "",
    ]


def _footer(page: InterceptionPage, limit: int) -> str:
    if not page.results:
        return "no interceptions"
    total = f"more than {page.count}" if page.count_capped else str(page.count)
    text = f"{len(page.results)} of {total} interception{'s' if page.count != 1 else ''}."
    if len(page.results) < limit or len(page.results) == page.count:
        return text
    return f"{text} Next page: --after {one_line(page.results[-1].id)}"
