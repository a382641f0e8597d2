"""What people ask for, over a million interceptions: lists with every filter, details, labels, sums, exports.

Asked of a real server through its REST API. Figures are milliseconds as the client sees them.
"""

import http.client
import itertools
import json
import random
import statistics
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote, urlencode

from processes import Failed, Target

AI = "/api/v2/aibridge/"
COMBINATIONS = 60


@dataclass
class Question:
    """One thing that is asked for, with the paths that stand for it. *limited*: the promised limit holds for it."""

    name: str
    paths: list[str]
    limited: bool = False
    times: int = 0
    """How often; 0: as often as the run wants."""
    p50: float = 0
    p95: float = 0
    cpu: float = 0
    """The server's processor time for one answer, all threads; PostgreSQL's own is not in it."""


class Asking:
    """A client of the API that takes the time."""

    def __init__(self, target: Target) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", target.port, timeout=120)
        self._headers = {"Coder-Session-Token": target.token}

    def get(self, path: str) -> Any:
        """Return the document there. Raises Failed."""
        return json.loads(self._read(path))

    def milliseconds(self, path: str) -> float:
        """Return how long the answer took to its last byte. Raises Failed."""
        begun = time.perf_counter()
        self._read(path)
        return (time.perf_counter() - begun) * 1000

    def close(self) -> None:
        """Let go of the connection."""
        self._connection.close()

    def _read(self, path: str) -> bytes:
        self._connection.request("GET", path, headers=self._headers)
        answer = self._connection.getresponse()
        text = answer.read()
        if answer.status != 200:
            raise Failed(f"GET {path}: {answer.status} {text[:200]!r}")
        return text


def ask(target: Target, longest: tuple[str, str], times: int) -> Iterator[Question]:
    """Ask everything *times* times, once before that unmeasured, and yield it with its figures.

    *longest* is the key of the session with the most exchanges.
    """
    asking = Asking(target)
    try:
        for question in questions(asking, longest):
            paths = list(itertools.islice(itertools.cycle(question.paths), question.times or times))
            asking.milliseconds(paths[0])
            before = target.cpu()
            taken = [asking.milliseconds(path) for path in paths]
            question.cpu = (target.cpu() - before) * 1000 / len(paths)
            question.p50 = statistics.median(taken)
            question.p95 = sorted(taken)[int(0.95 * (len(taken) - 1))]
            yield question
    finally:
        asking.close()


def questions(asking: Asking, longest: tuple[str, str]) -> list[Question]:
    """Everything that is asked, with times and ids that the database really has."""
    newest = asking.get(f"{AI}interceptions?limit=1")["results"][0]["started_at"]
    end = datetime.fromisoformat(newest)
    filters = list(_filters(end))
    page = asking.get(f"{AI}sessions?limit=1000")
    deep, cursor = page, page["next_cursor"]
    for _ in range(8):
        behind = asking.get(f"{AI}sessions?{urlencode({'limit': 1000, 'cursor': cursor})}")
        if "next_cursor" not in behind:
            break
        deep, cursor = behind, behind["next_cursor"]
    some = random.Random(3).sample(page["sessions"] + deep["sessions"], 40)
    return [
        Question("sessions: limit 1000", [_list("sessions", {"limit": "1000"})], limited=False),
        Question("sessions: offset 9000", [_list("sessions", {"offset": "9000"})], limited=True),
        Question("sessions: deep, by cursor", [_list("sessions", {"cursor": cursor})], limited=True),
        *(Question(f"sessions: {name}", [_list("sessions", wanted)], limited=True) for name, wanted in filters),
        Question("sessions: any combination", [_list("sessions", each) for each in _combinations(end)], True, 120),
        Question("session", [_session(each["id"], each["initiator"]["id"]) for each in some], limited=True),
        Question("the longest session", [_session(*longest)], limited=True),
        Question("models", [f"{AI}models"]),
        Question("clients", [f"{AI}clients"]),
        *(Question(f"interceptions: {name}", [_list("interceptions", wanted)]) for name, wanted in filters),
        Question(
            "interceptions: any combination", [_list("interceptions", each) for each in _combinations(end)], times=60
        ),
        *(
            Question(f"usage by {by}", [f"/api/v2/ai/usage?{urlencode({'by': by} | wanted)}"], times=3)
            for by, wanted in (
                ("user", {}),
                ("day", {}),
                ("model,client", {}),
                ("day,user", {"started_after": _stamp(end - timedelta(days=7))}),
            )
        ),
    ]


def _list(noun: str, wanted: dict[str, str]) -> str:
    return f"{AI}{noun}?{urlencode({'limit': '50'} | wanted)}"


def _session(session_id: str, initiator_id: str) -> str:
    return f"{AI}sessions/{quote(session_id, safe='')}?{urlencode({'initiator': initiator_id})}"


def _filters(end: datetime) -> Iterator[tuple[str, dict[str, str]]]:
    day, month = _stamp(end - timedelta(days=1)), _stamp(end - timedelta(days=30))
    yield "no filter", {}
    yield "running too", {"include_running": "true"}
    yield "client, much used", {"client": "Claude Code"}
    yield "client, little used", {"client": "Zed"}
    yield "client, unheard of", {"client": "Nobody"}
    yield "client, used long ago", {"client": "Roo Code"}
    yield "client, running too", {"client": "Codex", "include_running": "true"}
    yield "provider", {"provider": "openai"}
    yield "provider name", {"provider_name": "azure"}
    yield "model, much used", {"model": "claude-sonnet-4-5"}
    yield "model, used long ago", {"model": "claude-3-7-sonnet"}
    yield "client and model that never met", {"client": "Codex", "model": "claude-sonnet-4-5"}
    yield "three texts", {"client": "Coder Agents", "model": "claude-opus-4-5", "provider": "anthropic"}
    yield "last day", {"started_after": day}
    yield "last 30 days", {"started_after": month}
    yield "before the last 30 days", {"started_before": month}
    yield "a day, a month ago", {"started_after": month, "started_before": _stamp(end - timedelta(days=29))}
    yield "last day, client", {"started_after": day, "client": "Coder Agents"}
    yield "last 30 days, little used client", {"started_after": month, "client": "Zed"}
    yield "last 30 days, used long ago", {"started_after": month, "client": "Roo Code"}
    yield "last 30 days, never met", {"started_after": month, "client": "Codex", "model": "claude-sonnet-4-5"}
    yield "busy person", {"initiator": "user0"}
    yield "busy person, little used client", {"initiator": "user0", "client": "Zed"}
    yield "busy person, used long ago", {"initiator": "user0", "client": "Roo Code"}
    yield "quiet person", {"initiator": "user197"}
    yield "quiet person, model", {"initiator": "user197", "model": "gpt-4o"}
    yield "service account", {"initiator": "user199"}
    yield "on behalf of", {"on_behalf_of": "user0"}
    yield "on behalf of, last day", {"on_behalf_of": "user0", "started_after": day}


def _combinations(end: datetime) -> list[dict[str, str]]:
    """Filters as a tester without mercy would put them together; the same ones each time."""
    chance = random.Random(11)
    values = {
        "client": ["Claude Code", "Codex", "Coder Agents", "Zed", "Roo Code"],
        "model": ["claude-sonnet-4-5", "claude-opus-4-5", "gpt-5-mini", "claude-3-7-sonnet"],
        "provider": ["anthropic", "openai", "copilot"],
        "provider_name": ["anthropic-corp", "azure", "anthropic-eu"],
        "initiator": ["user0", "user50", "user150", "user199"],
        "on_behalf_of": ["user0", "user60"],
        "started_after": [_stamp(end - timedelta(days=days)) for days in (1, 10, 45)],
        "started_before": [_stamp(end - timedelta(days=days)) for days in (0.5, 8, 44)],
        "include_running": ["true"],
    }
    found = []
    while len(found) < COMBINATIONS:
        names = chance.sample(list(values), chance.choice((2, 2, 3, 3, 4, 5)))
        wanted = {name: chance.choice(values[name]) for name in names}
        if wanted.get("started_after", "") < wanted.get("started_before", "z"):
            found.append(wanted)
    return found


def _stamp(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"
