"""Command line of the benchmark: which measurements, how long, and the report."""

import argparse
import contextlib
import json
import shutil
import sys
import tempfile
import time
from pathlib import Path

import bodies
import databases
import figures
import measures
import million
import processes
from measures import Bench, Effort

MEASURES = {
    "requests": measures.requests,
    "first-event": measures.first_event,
    "events": measures.events,
    "streams": measures.streams,
    "memory": measures.memory,
    "start": measures.start,
    "records": measures.records,
    "size": measures.size,
    "fill": million.fill,
    "lists": million.ask,
    "retention": million.retention,
    "erasing": million.erasing,
}

EXTRA = ("size", "fill", "lists", "retention", "erasing")
"""Slow ones, measured only on demand; they need nothing beside them."""

ABOUT = """\
Measure the gateway against a bare aiohttp relay (the control) and against no relay at all, in one run.

A mock provider and a load client, two small C programs that are built on first use, run on the second core; the
control and the gateway run on the first, one at a time, alternating. The gateway has its full durable audit (SQLite,
a sync for each commit) on a throw-away data directory. Everything stays on 127.0.0.1, is bounded in time, and is
ended when this ends.
"""

AFTER = """\
measurements:
  requests     2 KB and 250 KB bodies at concurrency 1, 16, 64: requests per second and per second of the relay's
               processor time (ratio to the control at concurrency 16), and the latency added at concurrency 1
  first-event  added time to the first event of a stream
  events       processor time per paced event (64 events, 20 ms apart)
  streams      the greatest number of paced streams at which no event is more than 200 ms late that is not so late
               through the control as well
  memory       resident memory idle, after many requests, per open stream
  start        exec to the first answer of /healthz, on a data directory that is up to date
  records      (always) whether every answer the load client saw has its records
  size         bytes of an installation without extras (downloads)
  fill         nothing: make the database of a million interceptions, which takes some minutes, and keep it (--keep)
  lists        lists with every kind of filter, pages of sessions, sums, an export over that database
  retention    what deleting its older half costs those who work meanwhile, in windows with and without
  erasing      the same for forgetting its busiest person
               The last five only with --only; the last four take --database, --fill and --keep.

The rates and tails are noisy where others use the machine; the ratios are steadier. Ends with 1 if a figure misses its
"at least" or a measurement failed.
"""

QUICK = Effort(
    rounds=2,
    seconds=0.8,
    stream_seconds=3,
    sse_streams=128,
    open_streams=128,
    memory_requests=10_000,
    starts=3,
    levels=(256,),
)
FULL = Effort(
    rounds=5,
    seconds=4,
    stream_seconds=6,
    sse_streams=200,
    open_streams=256,
    memory_requests=100_000,
    starts=5,
    levels=(256,),
)


def main() -> int:
    options = _options()
    processes.leave_on_signals()
    wanted = options.only or (["fill"] if options.fill else [name for name in MEASURES if name not in EXTRA])
    alone = all(name in EXTRA for name in wanted)
    if not alone:
        wanted.append("records")
    effort = _effort(options)
    begun = time.monotonic()
    with (
        tempfile.TemporaryDirectory(prefix="coderai-bench-", dir=options.folder) as place,
        contextlib.ExitStack() as stack,
    ):
        folder = Path(place)
        try:
            processes.build()
            gateway = not options.control_only and not alone and _gateway_is_there()
            files = bodies.write_bodies(folder)
            bench = stack.enter_context(measures.bench_at(effort, folder, files, control=not alone, gateway=gateway))
        except processes.Failed as failed:
            print(f"bench: {failed}", file=sys.stderr)
            return 2
        bench.details["sync_ms"] = measures.sync_ms(folder)
        failures = _run(bench, wanted)
        if options.keep_logs:
            for log in folder.glob("*.log"):
                shutil.copy(log, options.keep_logs)
    print(figures.table(bench.measured, bench.remarks))
    print(
        f"\nfdatasync of 4 KB here: {bench.details['sync_ms']:.2f} ms; the whole took {time.monotonic() - begun:.0f} s"
    )
    for name, text in failures.items():
        print(f"{name} failed: {text}")
    if options.json:
        _write_json(options.json, bench, failures)
    return (
        1
        if failures or any(figure.verdict(bench.measured.get(figure.key)) == "MISSED" for figure in figures.FIGURES)
        else 0
    )


def _run(bench: Bench, wanted: list[str]) -> dict[str, str]:
    """Run the measurements in the table's order; one that fails does not stop the others."""
    failures = {}
    for name in MEASURES:
        if name not in wanted:
            continue
        bench.say(name)
        try:
            MEASURES[name](bench)
        except processes.Failed as failed:
            failures[name] = str(failed)
            bench.say(f"  failed: {failed}")
    return failures


def _gateway_is_there() -> bool:
    if processes.CODERAI.exists():
        return True
    print(f"bench: {processes.CODERAI} does not exist; measuring the control alone", file=sys.stderr)
    return False


def _write_json(file: Path, bench: Bench, failures: dict[str, str]) -> None:
    rows = [
        {
            "key": figure.key,
            "figure": figure.text,
            "unit": figure.unit,
            "measured": bench.measured.get(figure.key),
            "at_least": figure.least,
            "aim": figure.aim,
            "verdict": figure.verdict(bench.measured.get(figure.key)),
            "remark": bench.remarks.get(figure.key, ""),
        }
        for figure in figures.FIGURES
    ]
    file.write_text(json.dumps({"figures": rows, "details": bench.details, "failures": failures}, indent=2) + "\n")


def _effort(options: argparse.Namespace) -> Effort:
    chosen = vars(QUICK if options.quick else FULL)
    given = {
        "rounds": options.rounds,
        "memory_requests": options.requests,
        "levels": options.streams,
        "rows": options.fill,
        "seconds": options.seconds,
        "times": options.times,
        "database": options.database,
        "kept": options.keep,
        "plans": options.plans,
    }
    return Effort(**chosen | {name: value for name, value in given.items() if value is not None})


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        "scripts/bench", description=ABOUT, epilog=AFTER, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--quick", action="store_true", help="about 90 s instead of 10 min; memory after 10,000 requests"
    )
    parser.add_argument("--only", action="append", choices=list(MEASURES), help="only this measurement; repeatable")
    parser.add_argument("--rounds", type=int, help="how often control and gateway take turns")
    parser.add_argument(
        "--streams", type=_levels, metavar="N,N", help="numbers of paced streams to try, e.g. 256,400,800"
    )
    parser.add_argument("--requests", type=int, metavar="N", help="requests before memory is read again")
    parser.add_argument("--seconds", type=float, help="length of one window of load")
    parser.add_argument("--fill", type=int, metavar="N", help="interceptions to fill in, instead of a million")
    parser.add_argument("--database", choices=databases.KINDS, help="which one to fill; default: sqlite")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="where filled databases stay for the next run")
    parser.add_argument("--times", type=int, help="how often each list is asked for")
    parser.add_argument("--plans", type=Path, metavar="FILE", help="write the query plans of the lists there")
    parser.add_argument(
        "--control-only", action="store_true", help="no gateway: what the machine and the control can do"
    )
    parser.add_argument(
        "--folder", type=Path, help="where the throw-away data goes; default: the system's temporary folder"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write everything measured there as well")
    parser.add_argument("--keep-logs", type=Path, metavar="DIR", help="copy the logs of the processes there")
    return parser.parse_args()


def _levels(text: str) -> tuple[int, ...]:
    return tuple(sorted(int(part) for part in text.split(",")))


if __name__ == "__main__":
    sys.exit(main())
