"""The measurements over a filled database: what is asked of it, and what keeps it small."""

import asyncio
import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path

import databases
import lists
import plans
import processes
import upkeep
from databases import Filled
from measures import SMALL, Bench
from processes import Target
from sqlalchemy import select

from coderai.store.engine import open_store
from coderai.store.schema import sessions

LIMIT_MS = 100
"""Of what the promise is about: lists of sessions and their details."""
_SHOWN_PLANS = 3


def fill(bench: Bench) -> None:
    """Make the database, in the folder where it is kept."""
    with _filled(bench) as database:
        bench.say(f"  {bench.effort.rows:,} interceptions: {database.url}")


def ask(bench: Bench) -> None:
    """Lists, details, labels, sums and an export."""
    with _filled(bench) as database, database.copy() as url:
        with processes.gateway(bench.folder, bench.direct, "lists", {"CODERAI_DATABASE_URL": url}) as target:
            asked = []
            for question in lists.ask(target, asyncio.run(_longest(url)), bench.effort.times):
                asked.append(question)
                over = "  <-- over the limit" if question.limited and question.p95 > LIMIT_MS else ""
                bench.say(
                    f"  {question.name:48} p50 {question.p50:7.1f}  p95 {question.p95:7.1f}  "
                    f"CPU {question.cpu:7.1f} ms{over}"
                )
            _export(bench, target)
        if bench.effort.plans:
            wanted = [path for question in asked if question.name.startswith("sessions") for path in question.paths[:3]]
            bench.effort.plans.write_text("\n".join(asyncio.run(plans.plans(url, wanted))) + "\n")
            bench.say(f"  the plans of {len(wanted)} lists are in {bench.effort.plans}")
    promised = [question for question in asked if question.limited]
    slowest = max(promised, key=lambda question: question.p95)
    bench.details[f"lists {bench.effort.database}"] = {each.name: {"p50": each.p50, "p95": each.p95} for each in asked}
    bench.measured["lists"] = slowest.p95
    bench.remarks["lists"] = f"(the slowest: {slowest.name}; {bench.effort.rows:,} rows, {bench.effort.database})"


def _export(bench: Bench, target: Target) -> None:
    """The command line's export of everything, for as long as it is worth waiting; the server's memory meanwhile."""
    before = target.memory()
    file = bench.folder / "export.jsonl"
    seconds, count, most = processes.exporting(bench.folder / "lists", file, target, limit=bench.effort.export_seconds)
    bench.say(
        f"  export of interceptions: {count:,} rows in {seconds:.0f} s, {count / seconds:,.0f} a second; "
        f"memory of the server {before / 1e6:.0f} MB before, {most / 1e6:.0f} MB at most meanwhile"
    )


def retention(bench: Bench) -> None:
    """Delete half of the interceptions while people work."""
    _compare(bench, "retention", lambda _: upkeep.retention)


def erasing(bench: Bench) -> None:
    """Empty the records of the busiest person while people work."""
    _compare(bench, "erasing", upkeep.erasing)


def _compare(bench: Bench, name: str, work: Callable[[Target], Callable[[upkeep.Upkeep], tuple[int, bool]]]) -> None:
    body = bench.bodies[SMALL, True]
    with _filled(bench) as database, database.copy() as url:
        settings, metrics = upkeep.settings(url)
        with processes.gateway(bench.folder, bench.direct, name, settings) as target:
            over = upkeep.Upkeep(target, metrics, body, bench.effort.seconds)
            seen, rate = over.compare(upkeep.Work(name, work(target)), bench.effort.rounds)
            for when, what in seen.items():
                bench.say(f"  {name} {bench.effort.database:8} {when:8} {what.line()}")
            bench.say(f"  {rate:,.0f} exchanges a second were dealt with while {upkeep.STREAMS} streams ran")
            bench.details[f"{name} {bench.effort.database}"] = {when: vars(what) for when, what in seen.items()}
            checked = (
                processes.tell(bench.folder / name, "db", "check", "--database-url", url, timeout=600)
                .strip()
                .splitlines()
            )
            bench.say(f"  db check: {checked[-1] if checked else 'nothing said'}")


@contextlib.contextmanager
def _filled(bench: Bench) -> Iterator[Filled]:
    place = bench.effort.kept or bench.folder / "filled"
    with databases.filled(bench.effort.database, Path(place), bench.effort.rows) as database:
        yield database


async def _longest(url: str) -> tuple[str, str]:
    async with open_store(url, create=False, jobs=False) as store, store.reading(limit=None) as connection:
        query = select(sessions.c.id, sessions.c.initiator_id).order_by(sessions.c.interceptions.desc()).limit(1)
        row = (await connection.execute(query)).one()
        return row.id, row.initiator_id
