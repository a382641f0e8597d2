"""Command line of the drill: which scenarios, how many, and the report."""

import argparse
import asyncio
import json
import logging
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import asdict
from pathlib import Path

import soak
from checks import Verdict
from program import PROGRAM, Drill, run

from coderai.durations import parse

ABOUT = """\
Load over every API, streamed and not, against a scripted provider, and meanwhile everything that can happen to a
gateway and its database. After each scenario the records are compared with what the clients saw: every exchange that
ended at a client is recorded as complete, nothing twice, nothing reached the provider without a record, the roll-up of
sessions equals a recount from the rows, nothing stays open, and service came back without a hand.

Everything stays on 127.0.0.1, on throw-away directories and a PostgreSQL of its own, and is bounded in time and count.
Ends with 1 if a promise was broken. With --soak: some minutes of mixed load instead, watching what grows.
"""


def main() -> int:
    options = _options()
    logging.getLogger("aiohttp").setLevel(logging.CRITICAL)  # the provider's clients are killed in the middle
    folder = Path(tempfile.mkdtemp(prefix="coderai-drill-"))
    try:
        if options.soak:
            return asyncio.run(soak.main(folder, options.soak.total_seconds(), options.output, options.seed))
        return asyncio.run(_drill(folder, options))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


async def _drill(folder: Path, options: argparse.Namespace) -> int:
    began = time.monotonic()
    async with AsyncExitStack() as stack:
        verdicts = await run(Drill(folder, options.seed, options.quick, _say, stack), options.only or [])
    if options.output == "json":
        print(json.dumps({"seed": options.seed, "scenarios": [asdict(each) for each in verdicts]}, indent=2))
    else:
        print(_table(verdicts))
        print(f"\nseed {options.seed}; the whole took {time.monotonic() - began:.0f} s")
    return 1 if any(verdict.broken for verdict in verdicts) else 0


def _table(verdicts: Sequence[Verdict]) -> str:
    head = (
        "scenario",
        "faults",
        "asked",
        "ended",
        "recorded",
        "interrupted",
        "refused",
        "back p50/max",
        "s",
        "promises",
    )
    rows = [head, *(_row(each) for each in verdicts)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(head))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    lines += [f"{each.name}: {each.remark}" for each in verdicts if each.remark]
    lines += [f"{each.name}: BROKEN: {promise}" for each in verdicts for promise in each.broken]
    return "\n".join(lines)


def _row(verdict: Verdict) -> tuple[str, ...]:
    back = f"{statistics.median(verdict.back):.2f} / {max(verdict.back):.2f} s" if verdict.back else "-"
    refused = " ".join(f"{status}:{count}" for status, count in verdict.refusals.items()) or "-"
    counts = (verdict.faults, verdict.asked, verdict.ended, verdict.complete, verdict.interrupted)
    kept = "BROKEN" if verdict.broken else "kept"
    return (verdict.name, *map(str, counts), refused, back, f"{verdict.seconds:.0f}", kept)


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        "scripts/drill", description=ABOUT, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    names = [scenario.name for scenario in PROGRAM]
    parser.add_argument(
        "--quick", action="store_true", help="one to five of each instead of many: one to two minutes instead of eight"
    )
    parser.add_argument("--only", action="append", choices=names, metavar="NAME", help="only this scenario; repeatable")
    parser.add_argument("--seed", type=int, default=20261121, help="of the moments at which things happen")
    parser.add_argument("-o", "--output", choices=("table", "json"), default="table")
    parser.add_argument("--soak", type=parse, metavar="TIME", help="mixed load for so long, for example 20m")
    parser.epilog = "scenarios: " + ", ".join(names)
    return parser.parse_args()
