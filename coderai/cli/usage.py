"""``coderai usage``."""

from collections.abc import Sequence
from typing import Annotated

import typer

from coderai.cli import filters
from coderai.cli.filters import Filters
from coderai.cli.options import Run, command
from coderai.cli.shapes import read
from coderai.cli.text import Column, count, table
from coderai.cli.upkeep_shapes import ToolUsage, UsageGroup, UsageSeries, UsageStretch, UsageSummary
from coderai.spreadsheet import csv_line

PATH = "/api/v2/ai/usage"
_SUMS = ("EXCHANGES", "IN", "OUT", "CACHE READ", "CACHE WRITE")


def register(app: typer.Typer) -> None:
    """Add the verbs of this noun."""
    command(app, "summary")(summary_command)
    command(app, "series")(series_command)
    command(app, "tools")(tools_command)


def summary_command(
    run: Run,
    asked: Filters,
    by: Annotated[str, typer.Option("--by", help="user, provider, model, client, day, hour; with commas.")] = "user",
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


def series_command(
    run: Run,
    asked: Filters,
    interval: Annotated[str, typer.Option("--interval", help="hour (of the last 24) or day (of the last 30).")] = "day",
    as_csv: Annotated[bool, typer.Option("--csv", help="As CSV with exact numbers.")] = False,
) -> None:
    """Sum up exchanges, errors, people, new sessions and tokens hour by hour or day by day, in UTC."""
    with run.api() as api:
        body = api.get(f"{PATH}/series", {"interval": interval} | asked.parameters(run.look.now))
    if run.json:
        run.document(body)
        return
    page = read(body, UsageSeries)
    heads = (interval.upper(), "EXCHANGES", "ERRORS", "USERS", "SESSIONS", *_SUMS[1:])
    shown = [(each.start[:10] if interval == "day" else each.start, each) for each in page.buckets]
    if as_csv:
        run.out.write(csv_line([name.lower().replace(" ", "_") for name in heads]))
        for start, each in shown:
            run.out.write(csv_line([start, *_stretch(each)]))
        return
    rows = [[start, *(count(number, run.look) for number in _stretch(each))] for start, each in shown]
    total = ["total", *(count(number, run.look) for number in _stretch(page.total))]
    run.say(table([Column(head) for head in heads], [*rows, total], run.look))


def tools_command(
    run: Run,
    asked: Filters,
    limit: Annotated[int, typer.Option("--limit", min=1, max=10_000, help="Tools at most.")] = 1000,
    everything: filters.Everything = False,
) -> None:
    """Count the calls of tools; of the last 30 days unless a time is asked for."""
    window = None if everything else filters.MONTH
    with run.api() as api:
        body = api.get(f"{PATH}/tools", {"limit": str(limit)} | asked.parameters(run.look.now, window))
    if run.json:
        run.document(body)
        return
    page = read(body, ToolUsage)
    if page.tools:
        rows = [[each.tool, count(each.calls, run.look)] for each in page.tools]
        run.say(table([Column("TOOL", 60), Column("CALLS")], [*rows, ["total", count(page.total, run.look)]], run.look))
    else:
        run.note("no model called a tool")
    if left := page.count - len(page.tools):
        run.note(f"{left} further tools are part of the total; see them with --limit")


def _stretch(stretch: UsageStretch) -> list[int]:
    tokens = stretch.token_usage_summary
    cache = [tokens.cache_read_input_tokens, tokens.cache_write_input_tokens]
    facts = [stretch.interceptions, stretch.errors, stretch.users, stretch.sessions]
    return [*facts, tokens.input_tokens, tokens.output_tokens, *cache]


def _values(by: Sequence[str], group: UsageGroup) -> list[str]:
    return [group.user.username if name == "user" else str(getattr(group, name, "")) for name in by]


def _sums(group: UsageGroup) -> list[int]:
    tokens = group.token_usage_summary
    cache = [tokens.cache_read_input_tokens, tokens.cache_write_input_tokens]
    return [group.interceptions, tokens.input_tokens, tokens.output_tokens, *cache]


def _shown(run: Run, group: UsageGroup) -> list[str]:
    return [count(number, run.look) for number in _sums(group)]
