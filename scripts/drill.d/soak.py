"""Some minutes of mixed load at a moderate rate, and whether anything of the server grows meanwhile."""

import asyncio
import json
import os
import random
import signal
import statistics
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from checks import Expected, Verdict, judge
from load import Load
from stage import Stage, staged

from tests.end_to_end.processes import Gateway

EVERY = 10.0
WARM_UP = 0.25
"""Of the time: caches fill, and memory once taken stays."""
CLIENTS = 10
PAUSE = 0.25
SERVER = (sys.executable, str(Path(__file__).with_name("server.py")))

MOST_MEGABYTES_PER_HOUR = 10.0
SHORTEST = 900.0
"""Seconds of a soak whose slope of memory says something."""
MOST_GROWTH = 4
"""Of tasks, descriptors, connections and threads, between the first and the last third after the warm-up."""
_PAGE = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True)
class Sample:
    """The server at one moment."""

    second: float
    megabytes: float
    tasks: int
    descriptors: int
    connections: int
    threads: int


@dataclass(frozen=True)
class Report:
    """What came of it."""

    seconds: float
    exchanges: int
    per_second: float
    first_megabytes: float
    last_megabytes: float
    megabytes_per_hour: float
    growth: dict[str, float]
    broken: list[str]


async def main(folder: Path, seconds: float, output: str, seed: int) -> int:
    """Soak, print the report, return the exit code."""
    verdict, url = Verdict("soak"), f"sqlite:///{folder}/coderai.db"
    samples: list[Sample] = []
    async with staged(verdict, url, random.Random(seed), folder, quick=False, program=SERVER) as stage:
        stage.load = Load(stage.gateways, stage.owner, random.Random(seed), clients=CLIENTS, pause=PAUSE)
        async with stage.load.running(), asyncio.TaskGroup() as tasks:
            looking = tasks.create_task(_management(stage), name="management")
            began = time.monotonic()
            while (second := time.monotonic() - began) < seconds:
                samples.append(await _sample(stage.gateway, second))
                print(samples[-1], file=sys.stderr, flush=True)
                await asyncio.sleep(min(EVERY, seconds / 20))
            looking.cancel()
    await judge(verdict, url, stage.load.exchanges, stage.agent.asked, Expected((200, 503), exact=True))
    report = _report(samples, seconds, len(stage.load.exchanges), verdict.broken)
    print(
        json.dumps({**asdict(report), "samples": [asdict(each) for each in samples]})
        if output == "json"
        else _text(report)
    )
    return 1 if report.broken else 0


async def _management(stage: Stage) -> None:
    """What people do meanwhile: lists, tokens that come and go, a provider that is edited."""
    await stage.add_provider("sk-corp-0123456789")
    for turn in range(1_000_000):
        for path in ("/aibridge/sessions", "/aibridge/interceptions?limit=20", "/users", "/ai/providers"):
            await stage.call("GET", path)
        made = await stage.call("POST", "/users/me/keys/tokens", {"token_name": f"soak-{turn}"})
        await stage.call("PATCH", "/ai/providers/corp", {"display_name": f"Corp {turn}"})
        await stage.call("DELETE", f"/users/me/keys/{made['key'].split('-')[0]}")
        await asyncio.sleep(2)


async def _sample(gateway: Gateway, second: float) -> Sample:
    process = Path(f"/proc/{gateway.pid}")
    links = []
    for descriptor in (process / "fd").iterdir():
        with suppress(FileNotFoundError):  # closed a moment ago
            links.append(str(descriptor.readlink()))
    before = len(gateway.log)
    gateway.signal(signal.SIGUSR1)
    async with asyncio.timeout(10):
        while not (said := [line for line in gateway.log[before:] if line.startswith("tasks: ")]):
            await asyncio.sleep(0.01)
    return Sample(
        second=round(second, 1),
        megabytes=round(int((process / "statm").read_text().split()[1]) * _PAGE / 1e6, 2),
        tasks=int(said[-1].split()[1]),
        descriptors=len(links),
        connections=sum(link.startswith("socket:") for link in links),
        threads=len(list((process / "task").iterdir())),
    )


def _report(samples: Sequence[Sample], seconds: float, exchanges: int, broken: Sequence[str]) -> Report:
    warm = [each for each in samples if each.second >= seconds * WARM_UP]
    slope = statistics.linear_regression([each.second for each in warm], [each.megabytes for each in warm]).slope * 3600
    third = len(warm) // 3
    growth = {
        name: statistics.median(getattr(each, name) for each in warm[-third:])
        - statistics.median(getattr(each, name) for each in warm[:third])
        for name in ("tasks", "descriptors", "connections", "threads")
    }
    found = list(broken)
    if slope > MOST_MEGABYTES_PER_HOUR and seconds >= SHORTEST:
        found.append(f"memory grew by {slope:.1f} MB an hour; {MOST_MEGABYTES_PER_HOUR:g} are allowed")
    found += [
        f"{count:g} more {name}; {MOST_GROWTH} are allowed" for name, count in growth.items() if count > MOST_GROWTH
    ]
    first, last = warm[0].megabytes, warm[-1].megabytes
    return Report(seconds, exchanges, round(exchanges / seconds, 1), first, last, round(slope, 2), growth, found)


def _text(report: Report) -> str:
    lines = [
        f"{report.exchanges} exchanges in {report.seconds:.0f} s, {report.per_second} a second",
        f"memory after the warm-up {report.first_megabytes} MB, at the end {report.last_megabytes} MB: "
        f"{report.megabytes_per_hour:+} MB an hour",
        *(f"{name}: {count:+g}" for name, count in report.growth.items()),
        *(f"BROKEN: {promise}" for promise in report.broken),
    ]
    return "\n".join(lines)
