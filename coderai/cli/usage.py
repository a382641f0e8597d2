"""``coderai usage``."""

from collections.abc import Sequence
from typing import Annotated

import typer

from coderai.cli import filters
from coderai.cli.filters import Filters
from coderai.cli.options import Run, command
from coderai.cli.shapes import read
from coderai.cli.text import Column, count, table
from coderai.cli.upkeep_shapes import UsageGroup, UsageSummary
from coderai.spreadsheet import csv_line

PATH = "/api/v2/ai/usage"
_SUMS = ("EXCHANGES", "IN", "OUT", "CACHE READ", "CACHE WRITE")


def register(app: typer.Typer) -> None:
    """Add the verbs of this noun."""
    command(app, "summary")(summary_command)


def summary_command(
    run: Run,
    asked: Filters,
    by: Annotated[str, typer.Option("--by", help="user, provider, model, client, day; several with commas.")] = "user",
    limit: Annotated[int, typer.Option("--limit", min=1, max=10_000, help="Groups at most.")] = 1000,
    everything: filters.Everything = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="As CSV with exact numbers.")] = False,
) -> None:
    """Sum up exchanges and tokens; of the last 30 days unless a time is asked for."""
    window = None if everything else filters.MONTH
    with run.api() as api:
        body = api.get(PATH, {"by": by, "limit": str(limit)} | asked.parameters(run.look.now, window))
    if window and asked.any_time:
        run.note("Of the last 30 days; --all shows all, --since 7d those of a week.")
    if run.json:
        run.document(body)
        return
    page = read(body, UsageSummary)
    heads = [name.upper() for name in page.by]
    if as_csv:
        run.out.write(csv_line([name.lower().replace(" ", "_") for name in (*heads, *_SUMS)]))
        for group in page.groups:
            run.out.write(csv_line([*_values(page.by, group), *_sums(group)]))
        return
    if page.groups:
        columns = [*(Column(head, 40) for head in heads), *map(Column, _SUMS)]
        total = ["total", *[""] * (len(heads) - 1), *_shown(run, page.total)]
        shown = [[*_values(page.by, group), *_shown(run, group)] for group in page.groups]
        run.say(table(columns, [*shown, total], run.look))
    else:
        run.note("nothing was used")
    if left := page.count - len(page.groups):
        run.note(f"{left} further groups are part of the total; see them with --limit")


def _values(by: Sequence[str], group: UsageGroup) -> list[str]:
    return [group.user.username if name == "user" else str(getattr(group, name, "")) for name in by]


def _sums(group: UsageGroup) -> list[int]:
    tokens = group.token_usage_summary
    cache = [tokens.cache_read_input_tokens, tokens.cache_write_input_tokens]
    return [group.interceptions, tokens.input_tokens, tokens.output_tokens, *cache]


def _shown(run: Run, group: UsageGroup) -> list[str]:
    return [count(number, run.look) for number in _sums(group)]
