"""The measurements. Each compares within one run, alternating between control and gateway, and takes medians."""

import contextlib
import os
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

import processes
from processes import Target, load

SMALL, LARGE = "2 KB", "250 KB"
CONCURRENCY = (1, 16, 64)
VERDICT_AT = 16
"""The concurrency whose ratio stands for a body size in the table of figures."""
RECORDS = {
    "interceptions": "aibridge_interceptions WHERE ended_at IS NOT NULL",
    "prompts": "aibridge_user_prompts",
    "usages": "aibridge_token_usages",
}
STREAM_EVENTS, PACE_MS = 64, 20


@dataclass(frozen=True)
class Effort:
    """How long and how often."""

    rounds: int
    seconds: float
    stream_seconds: float
    sse_streams: int
    open_streams: int
    memory_requests: int
    starts: int
    levels: tuple[int, ...]
    rows: int = 1_000_000
    times: int = 30
    """How often each question is asked."""
    database: str = "sqlite"
    kept: Path | None = None
    """Where filled databases stay for the next run."""
    plans: Path | None = None
    export_seconds: float = 20


@dataclass
class Bench:
    """What a measurement needs, and where its results go. ``gateway`` and ``control`` are None where there is none
    to measure."""

    effort: Effort
    folder: Path
    bodies: dict[tuple[str, bool], Path]
    direct: Target
    control: Target | None
    gateway: Target | None
    measured: dict[str, float] = field(default_factory=dict)
    remarks: dict[str, str] = field(default_factory=dict)
    details: dict[str, Any] = field(default_factory=dict)

    @property
    def relays(self) -> list[Target]:
        return [target for target in (self.control, self.gateway) if target is not None]

    def in_turn(self, targets: list[Target]) -> Iterator[Target]:
        """Every target once per round, first A B, then B A."""
        for number in range(self.effort.rounds):
            yield from targets if number % 2 == 0 else reversed(targets)

    def say(self, text: str) -> None:
        print(text, file=sys.stderr, flush=True)


@contextlib.contextmanager
def bench_at(
    effort: Effort, folder: Path, bodies: dict[tuple[str, bool], Path], *, control: bool, gateway: bool
) -> Iterator[Bench]:
    """Start everything that is measured side by side, and warm it up."""
    with contextlib.ExitStack() as stack:
        direct = stack.enter_context(processes.mock(folder))
        bare = stack.enter_context(processes.control(folder, direct)) if control else None
        ours = stack.enter_context(processes.gateway(folder, direct)) if gateway else None
        bench = Bench(effort, folder, bodies, direct, bare, ours)
        for target in bench.relays:
            for size in (SMALL, LARGE):
                load(target, "--connections", "8", body=bodies[size, False], seconds=0.4)
        yield bench


def requests(bench: Bench) -> None:
    """Requests per second and per CPU second at each concurrency, and the latency that a relay adds."""
    for key, size in (("2k", SMALL), ("250k", LARGE)):
        for connections in CONCURRENCY:
            alone = connections == 1
            targets = [bench.direct, *bench.relays] if alone else bench.relays
            seen: dict[str, list[dict[str, Any]]] = {target.name: [] for target in targets}
            for target in bench.in_turn(targets):
                cpu = target.cpu()
                result = load(
                    target,
                    "--connections",
                    str(connections),
                    body=bench.bodies[size, False],
                    seconds=bench.effort.seconds,
                )
                result["per_cpu_second"] = result["finished"] / (target.cpu() - cpu)
                seen[target.name].append(result)
            _note_requests(bench, key, size, connections, seen)


def _note_requests(bench: Bench, key: str, size: str, connections: int, seen: dict[str, list[dict[str, Any]]]) -> None:
    rows = {
        name: {what: median(_at(result, what) for result in results) for what in _SHOWN}
        for name, results in seen.items()
    }
    bench.details[f"requests {size} x{connections}"] = rows
    for name, row in rows.items():
        bench.say(
            f"  {size:>6} x{connections:<3} {name:8} {row['per_second']:8.0f}/s {row['per_cpu_second']:8.0f}/CPU s  "
            f"p50 {row['latency.p50_us'] / 1000:.2f}  p99 {row['latency.p99_us'] / 1000:.2f} ms"
        )
    if "gateway" not in seen:
        return
    if connections == VERDICT_AT:
        bench.measured[f"requests_{key}"] = _paired(seen["gateway"], seen["control"], "per_cpu_second", _ratio)
    if connections == 1:
        bench.measured[f"added_{key}"] = _paired(seen["gateway"], seen["direct"], "latency.p50_us", _added_ms)
        p99 = _paired(seen["gateway"], seen["direct"], "latency.p99_us", _added_ms)
        bare = _paired(seen["control"], seen["direct"], "latency.p50_us", _added_ms)
        bench.remarks[f"added_{key}"] = f"(added p99 {p99:.2f} ms; the control adds {bare:.2f} at p50)"


_SHOWN = ("per_second", "per_cpu_second", "latency.p50_us", "latency.p99_us")


def _at(result: dict[str, Any], dotted: str) -> float:
    value: Any = result
    for name in dotted.split("."):
        value = value[name]
    return float(value)


def _paired(ours: list[dict[str, Any]], theirs: list[dict[str, Any]], what: str, compare: Any) -> float:
    """The median over the rounds of what the two runs of a round, next to each other in time, say together."""
    return float(median(compare(_at(a, what), _at(b, what)) for a, b in zip(ours, theirs, strict=True)))


def _ratio(ours: float, theirs: float) -> float:
    return ours / theirs


def _added_ms(ours: float, theirs: float) -> float:
    return (ours - theirs) / 1000


def first_event(bench: Bench) -> None:
    """The time to the first event of a stream, one stream at a time."""
    seen: dict[str, list[dict[str, Any]]] = {target.name: [] for target in [bench.direct, *bench.relays]}
    for target in bench.in_turn([bench.direct, *bench.relays]):
        options = ("--connections", "1", "--stream", "--events", "8")
        query = "&stream=1&events=8&pace=2"
        result = load(target, *options, query=query, body=bench.bodies[SMALL, True], seconds=bench.effort.seconds)
        seen[target.name].append(result)
    bench.details["first event"] = {
        name: {
            what: median(_at(result, what) for result in results)
            for what in ("first_event.p50_us", "first_event.p99_us")
        }
        for name, results in seen.items()
    }
    for name, row in bench.details["first event"].items():
        bench.say(
            f"  first event {name:8} p50 {row['first_event.p50_us'] / 1000:.2f}  "
            f"p99 {row['first_event.p99_us'] / 1000:.2f} ms"
        )
    bare = _paired(seen["control"], seen["direct"], "first_event.p50_us", _added_ms)
    if "gateway" in seen:
        bench.measured["added_first_event"] = _paired(seen["gateway"], seen["direct"], "first_event.p50_us", _added_ms)
        bench.remarks["added_first_event"] = f"(the control adds {bare:.2f})"


def _stream(bench: Bench, target: Target, streams: int) -> dict[str, Any]:
    """Paced streams against *target*, spread evenly over their own length."""
    options = ("--connections", str(streams), "--stream", "--events", str(STREAM_EVENTS))
    ramp = str(STREAM_EVENTS * PACE_MS)
    query = f"&stream=1&events={STREAM_EVENTS}&pace={PACE_MS}"
    cpu = target.cpu()
    result = load(
        target,
        *options,
        "--ramp-ms",
        ramp,
        query=query,
        body=bench.bodies[SMALL, True],
        seconds=bench.effort.stream_seconds,
    )
    result["us_per_event"] = (target.cpu() - cpu) * 1e6 / result["events"]
    return result


def events(bench: Bench) -> None:
    """The processor time of a paced event, with its share of the request and the records around it."""
    streams = bench.effort.sse_streams
    seen: dict[str, list[dict[str, Any]]] = {target.name: [] for target in bench.relays}
    for target in bench.in_turn(bench.relays):
        seen[target.name].append(_stream(bench, target, streams))
    for name, results in seen.items():
        row = {
            what: median(_at(result, what) for result in results)
            for what in ("us_per_event", "lateness.p50_us", "lateness.p99_us")
        }
        bench.details.setdefault(f"events x{streams}", {})[name] = row
        bench.say(
            f"  events x{streams} {name:8} {row['us_per_event']:.1f} CPU us/event  lateness p50 "
            f"{row['lateness.p50_us'] / 1000:.2f}  p99 {row['lateness.p99_us'] / 1000:.2f} ms"
        )
    if "gateway" in seen:
        bench.measured["event_cpu"] = _paired(seen["gateway"], seen["control"], "us_per_event", _ratio)


def streams(bench: Bench) -> None:
    """The greatest of the asked numbers of streams at which the gateway has no stall that the control has not."""
    for level in bench.effort.levels:
        seen = {target.name: [_stream(bench, target, level)] for target in bench.relays}
        stalls = {name: sum(result["stalls"] for result in results) for name, results in seen.items()}
        worst = {name: max(result["lateness"]["max_us"] for result in results) / 1000 for name, results in seen.items()}
        bench.details[f"streams x{level}"] = {"stalls": stalls, "worst_ms": worst}
        bench.say(f"  streams x{level}: stalls {stalls}, latest event {_plain(worst)} ms")
        if bench.gateway is None:
            continue
        if stalls["gateway"] > stalls["control"]:
            bench.remarks["streams"] = f"({level}: {stalls['gateway']} stalls, control {stalls['control']})"
            bench.measured.setdefault("streams", 0)
            return
        bench.measured["streams"] = level
        bench.remarks["streams"] = f"(tried up to {level})"


def _plain(values: dict[str, float]) -> str:
    return ", ".join(f"{name} {value:.0f}" for name, value in values.items())


def memory(bench: Bench) -> None:
    """Resident memory of gateways of their own: idle, after many requests, and for each open stream."""
    if bench.gateway is None:
        return
    with processes.gateway(bench.folder, bench.direct, "memory") as target:
        time.sleep(1)
        bench.measured["memory_idle"] = target.memory() / 1e6
        count = bench.effort.memory_requests
        load(target, "--connections", "16", "--requests", str(count), body=bench.bodies[SMALL, False], seconds=300)
        time.sleep(1)
        bench.measured["memory_after"] = target.memory() / 1e6
        bench.remarks["memory_after"] = f"(after {count:,})"
    for key, size in (("2k", SMALL), ("250k", LARGE)):
        with processes.gateway(bench.folder, bench.direct, f"streams-{key}") as target:
            bench.measured[f"memory_stream_{key}"] = _memory_of_streams(bench, target, size)
    bench.say(
        f"  memory {_plain({name: value for name, value in bench.measured.items() if name.startswith('memory')})}"
    )


def _memory_of_streams(bench: Bench, target: Target, size: str) -> float:
    """KB for each open stream: the middle of what is seen between the last start and the first end."""
    load(target, "--connections", "4", body=bench.bodies[size, False], seconds=0.5)
    before, seen, over = target.memory(), [], threading.Event()
    streams, begun = bench.effort.open_streams, time.monotonic()

    def watch() -> None:
        while not over.wait(0.05):
            seen.append((time.monotonic() - begun, target.memory()))

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:  # a second to start them all, 64 events of 80 ms each
        options = ("--connections", str(streams), "--requests", str(streams), "--ramp-ms", "1000", "--stream")
        load(target, *options, query="&stream=1&events=64&pace=80", body=bench.bodies[size, True], seconds=20)
    finally:
        over.set()
        watcher.join()
    steady = [used for when, used in seen if 2 < when < 4.5]
    if not steady:
        raise processes.Failed("the streams were over before their memory could be read")
    return (median(steady) - before) / streams / 1e3


def start(bench: Bench) -> None:
    """From exec to the first answer of /healthz, on a data directory that is up to date."""
    if bench.gateway is None:
        return
    data, log = bench.folder / "start", bench.folder / "start.log"
    times = []
    for _ in range(bench.effort.starts + 1):
        port = processes.free_port()
        command, extra = processes.gateway_command(data, port, bench.direct)
        begun = time.monotonic()
        with processes.running(command, processes.RELAY_CORES, log, extra) as process:
            processes.wait_for(process, port, "GET", "/healthz", log)
            times.append(time.monotonic() - begun)
    bench.measured["start"] = median(times[1:])
    bench.remarks["start"] = f"(first start, with all migrations: {times[0]:.2f} s)"


def records(bench: Bench) -> None:
    """Whether the gateway has a finished record, with its prompt and usage, of every answer the load client saw."""
    if bench.gateway is None or bench.gateway.database is None:
        return
    with contextlib.closing(sqlite3.connect(f"file:{bench.gateway.database}?mode=ro", uri=True)) as database:
        found = {}
        for what, where in RECORDS.items():
            found[what] = database.execute(f"SELECT count(*) FROM {where}").fetchone()[0]
    answered = bench.gateway.answered
    bench.details["records"] = {"answered": answered, **found}
    bench.say(f"  {answered:,} answers, recorded: {found}")
    missing = {what: answered - count for what, count in found.items() if count < answered}
    if missing:
        raise processes.Failed(f"of {answered:,} answers the client saw, records are missing: {missing}")


def size(bench: Bench) -> None:
    """The bytes that pip puts on disk for coderai and what it needs, without extras and byte code."""
    root = processes.HERE.parent.parent
    with tempfile.TemporaryDirectory(prefix="coderai-size-") as folder:
        command = [sys.executable, "-m", "pip", "install", "-qq", "--no-compile", "--disable-pip-version-check"]
        command += ["-c", str(root / "scripts/constraints.txt"), "--target", folder, str(root)]
        if subprocess.run(command, check=False, timeout=600).returncode != 0:
            raise processes.Failed("pip could not install the project into a folder")
        files = [
            Path(place, name) for place, _, names in os.walk(folder) for name in names if not name.endswith(".pyc")
        ]
        bench.measured["size"] = sum(file.stat().st_size for file in files) / 1e6


def sync_ms(folder: Path) -> float:
    """The median milliseconds of an fdatasync after a 4 KB append where the gateway keeps its database."""
    times = []
    with (folder / "sync").open("wb", buffering=0) as file:
        for _ in range(50):
            file.write(bytes(4096))
            begun = time.perf_counter()
            os.fdatasync(file.fileno())
            times.append(time.perf_counter() - begun)
    return median(times) * 1000
