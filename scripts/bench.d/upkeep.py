"""What deleting the old half, or a person, of a million interceptions costs those who are working meanwhile.

Windows with and without the work take turns on one server, so that a noisy machine is noisy for both.
"""

import http.client
import json
import re
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

from lists import Asking
from processes import Failed, Target, free_port, load

STREAMS, EVENTS, PACE_MS = 32, 8, 25
_LEAD = 0.4
"""The work begins so many seconds before the load that it is measured with."""
_BUCKET = re.compile(r'recorder_commit_duration_seconds_bucket\{le="([^"]+)"\} ([0-9.e+]+)')


@dataclass
class Seen:
    """What the load saw in the windows of one kind; milliseconds."""

    first_event_p50: list[float] = field(default_factory=list)
    first_event_p99: list[float] = field(default_factory=list)
    whole_p50: list[float] = field(default_factory=list)
    whole_p99: list[float] = field(default_factory=list)
    worst: list[float] = field(default_factory=list)
    commits: Counter[float] = field(default_factory=Counter)
    """By the upper end of their bucket, in seconds."""

    def line(self) -> str:
        """The medians over the windows; the worst of all."""
        shown = [
            f"first event p50 {median(self.first_event_p50):6.1f} p99 {median(self.first_event_p99):6.1f}",
            f"exchange p50 {median(self.whole_p50):6.1f} p99 {median(self.whole_p99):6.1f}",
            f"worst {max(self.worst):6.0f}",
            f"commit p50 {self.commit(0.5):5.1f} p99 {self.commit(0.99):6.1f} of {self.commits.total():.0f}",
        ]
        return "   ".join(shown)

    def commit(self, part: float) -> float:
        """A quantile of the commits, as well as the buckets tell."""
        left, lower = part * self.commits.total(), 0.0
        for upper, count in sorted(self.commits.items()):
            if count >= left:
                return (lower + (min(upper, 10.0) - lower) * left / count if count else upper) * 1000
            left, lower = left - count, upper
        return float("nan")


@dataclass(frozen=True)
class Work:
    """One kind of work, in calls of some seconds each; *call* returns how many exchanges it dealt with, and whether
    there is more."""

    name: str
    call: Callable[["Upkeep"], tuple[int, bool]]


class Upkeep:
    """A server under even load, and what is done to its database meanwhile."""

    def __init__(self, target: Target, metrics: int, body: Path, seconds: float) -> None:
        self.target = target
        self._metrics = metrics
        self._body = body
        self._seconds = seconds

    def compare(self, work: Work, rounds: int) -> tuple[dict[str, Seen], float]:
        """Return what the load saw without and with the work, and how many exchanges a second the work deals with."""
        seen, done, taken = {"without": Seen(), "with": Seen()}, 0, 0.0
        self._window(Seen())
        for _ in range(rounds):
            self._window(seen["without"])
            outcome: list[tuple[int, bool] | Failed] = []
            began = time.monotonic()
            worker = threading.Thread(target=lambda: outcome.append(_caught(work, self)))  # noqa: B023
            worker.start()
            time.sleep(_LEAD)
            self._window(seen["with"])
            worker.join()
            taken += time.monotonic() - began
            if isinstance(result := outcome[0], Failed):
                raise result
            done += result[0]
            if not result[1]:
                break
        return seen, done / taken

    def post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """Return the answer. Raises Failed."""
        connection = http.client.HTTPConnection("127.0.0.1", self.target.port, timeout=120)
        headers = {"Coder-Session-Token": self.target.token, "Content-Type": "application/json"}
        connection.request("POST", path, json.dumps(body), headers)
        answer = connection.getresponse()
        text = answer.read()
        connection.close()
        if answer.status != 200:
            raise Failed(f"POST {path}: {answer.status} {text[:300]!r}")
        found: dict[str, Any] = json.loads(text)
        return found

    def _window(self, seen: Seen) -> None:
        before = self._commits()
        options = ["--connections", str(STREAMS), "--stream", "--events", str(EVENTS), "--ramp-ms", "200"]
        query = f"&stream=1&events={EVENTS}&pace={PACE_MS}"
        result = load(self.target, *options, query=query, body=self._body, seconds=self._seconds)
        after = self._commits()
        seen.first_event_p50.append(result["first_event"]["p50_us"] / 1000)
        seen.first_event_p99.append(result["first_event"]["p99_us"] / 1000)
        seen.whole_p50.append(result["latency"]["p50_us"] / 1000)
        seen.whole_p99.append(result["latency"]["p99_us"] / 1000)
        seen.worst.append(result["latency"]["max_us"] / 1000)
        lower = 0.0
        for upper, count in sorted(after.items()):
            seen.commits[upper] += int(count - before.get(upper, 0) - lower)
            lower = count - before.get(upper, 0)

    def _commits(self) -> dict[float, float]:
        connection = http.client.HTTPConnection("127.0.0.1", self._metrics, timeout=10)
        connection.request("GET", "/metrics")
        text = connection.getresponse().read().decode()
        connection.close()
        return {float(upper): float(count) for upper, count in _BUCKET.findall(text)}


def settings(url: str) -> tuple[dict[str, str], int]:
    """Variables of a gateway on that database with metrics, and the port of those."""
    port = free_port()
    return {
        "CODERAI_DATABASE_URL": url,
        "CODER_PROMETHEUS_ENABLE": "true",
        "CODER_PROMETHEUS_ADDRESS": f"127.0.0.1:{port}",
    }, port


def retention(upkeep: Upkeep) -> tuple[int, bool]:
    """Delete what is older than 30 days, for some seconds."""
    answer = upkeep.post("/api/v2/ai/retention/run", {"ai_records": "30d", "api_keys": "0", "audit_logs": "0"})
    return answer["deleted"]["interceptions"], answer["left"] > 0


def erasing(target: Target) -> Callable[[Upkeep], tuple[int, bool]]:
    """Empty the records of the busiest person, for some seconds a call."""
    asking = Asking(target)
    user = asking.get("/api/v2/users/user0")["id"]
    asking.close()

    def call(upkeep: Upkeep) -> tuple[int, bool]:
        answer = upkeep.post(f"/api/v2/users/{user}/erase", {})
        return answer["erased"]["interceptions"], not answer["done"]

    return call


def _caught(work: Work, upkeep: Upkeep) -> tuple[int, bool] | Failed:
    try:
        return work.call(upkeep)
    except Failed as failed:
        return failed
