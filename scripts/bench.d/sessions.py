"""How fast is the look-up at a million interceptions?

    scripts/bench_sessions [--interceptions 1000000] [--file FILE] [--rounds 30]

Fills an SQLite file (once; it is kept for the next run) in bulk, roll-up included, then measures lists, details and
labels through the REST API in this process, and prints p50, p95 and the processor time of one call, client included,
in milliseconds. Not part of the tests.
"""

import argparse
import asyncio
import random
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import aiohttp
from aiohttp import web
from aiohttp.test_utils import TestServer

from coderai.api.app import Services, add_routes
from coderai.control.tokens import Lifetimes
from coderai.settings import Settings
from coderai.store.engine import open_store
from coderai.store.types import to_micros

END = datetime(2026, 11, 20, 12, tzinfo=UTC)
SPAN = timedelta(days=60)
USERS = [f"01900000-0000-7000-8000-{number:012x}" for number in range(200)]
# (client, provider, provider_name, models): what is used much, little, and no more.
TOOLS = [
    (60, "Claude Code", "anthropic", "anthropic-corp", ["claude-sonnet-4-5", "claude-haiku-4-5"]),
    (20, "Codex", "openai", "openai", ["gpt-5.3-codex"]),
    (15, "Coder Agents", "anthropic", "anthropic-eu", ["claude-sonnet-4-5", "claude-opus-4-5"]),
    (4, "Unknown", "openai", "azure", ["gpt-4o"]),
    (1, "Zed", "openai", "azure", ["gpt-5-mini"]),
]
RETIRED = ("Roo Code", "anthropic", "anthropic-corp", ["claude-3-7-sonnet"])
"""What all used in the first ten days."""


def uuid(chance: random.Random, at: int) -> str:
    text = f"{at // 1000:012x}7{chance.getrandbits(12):03x}8{chance.getrandbits(60):015x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def sessions(total: int, chance: random.Random) -> Iterator[list[tuple]]:
    """Yield sessions as rows of interceptions, oldest first; eight each on average, some much longer."""
    made, begin, width = 0, to_micros(END - SPAN), SPAN // timedelta(microseconds=1)
    while made < total:
        size = min(int(chance.paretovariate(1.2) * 2.2) + 1, 4000, total - made)
        start = begin + width * made // total + chance.randrange(10**9)
        tool = chance.choices(TOOLS, [each[0] for each in TOOLS])[0][1:]
        client, provider, name, models = RETIRED if made < total // 6 and chance.random() < 0.7 else tool
        user = USERS[int(chance.random() ** 3 * len(USERS))]
        session = str(chance.getrandbits(100)) if chance.random() < 0.7 else None
        rows, root, at = [], None, start
        for step in range(size):
            row_id = uuid(chance, at)
            prompted = step == 0 or chance.random() < 0.15
            root = None if prompted else root
            session = session or row_id
            rows.append(
                (
                    row_id,
                    user,
                    provider,
                    name,
                    chance.choice(models),
                    client,
                    session,
                    root,
                    at,
                    at + 8 * 10**6,
                    prompted,
                )
            )
            root = root or row_id
            at += chance.randrange(10**7, 6 * 10**7)
        made += size
        yield rows


def fill(path: Path, total: int) -> None:
    """Put *total* interceptions with their children into the file."""
    chance, db = random.Random(7), sqlite3.connect(path)
    db.executescript("PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF; PRAGMA cache_size=-400000;")
    stamp = to_micros(END - SPAN)
    db.executemany(
        "INSERT INTO users (id, email, username, created_at, updated_at, status) VALUES (?, ?, ?, ?, ?, 'active')",
        [(each, f"u{number}@example.com", f"user{number}", stamp, stamp) for number, each in enumerate(USERS)],
    )
    done, began = 0, time.monotonic()
    batch: list[tuple] = []
    for session in sessions(total, chance):
        batch += session
        if len(batch) >= 20_000:
            insert(db, batch, chance)
            done += len(batch)
            batch = []
            print(f"\rfilled {done:,} in {time.monotonic() - began:.0f} s", end="", file=sys.stderr)
    insert(db, batch, chance)
    print("\nroll-up ...", file=sys.stderr)
    db.executescript(ROLL_UP)
    db.commit()
    db.close()


def insert(db: sqlite3.Connection, rows: list[tuple], chance: random.Random) -> None:
    db.executemany(
        "INSERT INTO aibridge_interceptions (id, initiator_id, provider, provider_name, model, client, session_id,"
        " thread_root_id, started_at, ended_at, api_key_id, metadata, user_agent, api, ending, http_status)"
        " VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
        [
            (
                *row[:10],
                "WuoWs4ZsMX",
                '{"Username":"user"}',
                "claude-cli/2.0.14 (external, cli)",
                "messages",
                "complete",
                200,
            )
            for row in rows
        ],
    )
    db.executemany(
        "INSERT INTO aibridge_token_usages (interception_id, id, provider_response_id, input_tokens, output_tokens,"
        " cache_read_input_tokens, cache_write_input_tokens, metadata, created_at) VALUES (?,?,?,?,?,?,?,?,?)",
        [
            (row[0], uuid(chance, row[9]), "msg_01", 1200, 340, 18000, 900, '{"output_reasoning":12}', row[9])
            for row in rows
        ],
    )
    db.executemany(
        "INSERT INTO aibridge_user_prompts (interception_id, id, prompt, metadata, created_at) VALUES (?,?,?,?,?)",
        [
            (row[0], uuid(chance, row[8]), "please fix the flaky login test " * 8, "{}", row[8])
            for row in rows
            if row[10]
        ],
    )
    db.executemany(
        "INSERT INTO aibridge_tool_usages (interception_id, id, provider_tool_call_id, tool, input, metadata,"
        " created_at, initiator_id) VALUES (?,?,?,?,?,?,?,?)",
        [
            (
                row[0],
                uuid(chance, row[9]),
                f"toolu_{row[0]}",
                "read_file",
                '{"path":"tests/test_login.py"}',
                "{}",
                row[9],
                row[1],
            )
            for row in rows
            if chance.random() < 0.8
        ],
    )
    db.commit()


ROLL_UP = """
INSERT INTO session_facets (session_id, initiator_id, provider, provider_name, model, client, on_behalf_of, first_at,
    last_at, n)
SELECT session_id, initiator_id, provider, provider_name, model, client, '', min(started_at), max(started_at), count(*)
FROM aibridge_interceptions GROUP BY 1, 2, 3, 4, 5, 6;

CREATE TEMP TABLE newest AS
SELECT i.session_id, i.initiator_id, max(p.created_at) AS at, p.interception_id
FROM aibridge_user_prompts p JOIN aibridge_interceptions i ON i.id = p.interception_id GROUP BY 1, 2;
CREATE UNIQUE INDEX temp.newest_key ON newest (session_id, initiator_id);

INSERT INTO sessions (id, initiator_id, started_at, first_id, client, metadata, ended_at, last_active_at,
    last_prompt_at,
    last_prompt_interception_id, interceptions, threads, input_tokens, output_tokens, cache_read_input_tokens,
    cache_write_input_tokens)
SELECT i.session_id, i.initiator_id, min(i.started_at), i.id, i.client, i.metadata, max(i.ended_at) AS ended,
    n.at, n.at, n.interception_id, count(*), sum(i.thread_root_id IS NULL), count(*) * 1200, count(*) * 340,
    count(*) * 18000, count(*) * 900
FROM aibridge_interceptions i JOIN newest n ON n.session_id = i.session_id AND n.initiator_id = i.initiator_id
GROUP BY i.session_id, i.initiator_id;
"""

DAY_AGO = (END - timedelta(days=1)).isoformat().replace("+00:00", "Z")
MONTH_AGO = (END - timedelta(days=30)).isoformat().replace("+00:00", "Z")
LISTS: list[tuple[str, dict[str, str]]] = [
    ("no filter", {}),
    ("limit 1000", {"limit": "1000"}),
    ("offset 9000", {"offset": "9000"}),
    ("client, much used", {"client": "Claude Code"}),
    ("client, little used", {"client": "Zed"}),
    ("client, unheard of", {"client": "Nobody"}),
    ("client, used long ago", {"client": "Roo Code"}),
    ("provider", {"provider": "openai"}),
    ("provider name", {"provider_name": "azure"}),
    ("model, much used", {"model": "claude-sonnet-4-5"}),
    ("model, used long ago", {"model": "claude-3-7-sonnet"}),
    ("client and model that never met", {"client": "Codex", "model": "claude-sonnet-4-5"}),
    ("three texts", {"client": "Coder Agents", "model": "claude-opus-4-5", "provider": "anthropic"}),
    ("last day", {"started_after": DAY_AGO}),
    ("last 30 days", {"started_after": MONTH_AGO}),
    ("before the last 30 days", {"started_before": MONTH_AGO}),
    ("a day, a month ago", {"started_after": MONTH_AGO, "started_before": "2026-10-22T12:00:00Z"}),
    ("last day, client", {"started_after": DAY_AGO, "client": "Coder Agents"}),
    ("last 30 days, little used client", {"started_after": MONTH_AGO, "client": "Zed"}),
    ("last 30 days, used long ago", {"started_after": MONTH_AGO, "client": "Roo Code"}),
    ("last 30 days, never met", {"started_after": MONTH_AGO, "client": "Codex", "model": "claude-sonnet-4-5"}),
    ("busy user", {"initiator": "user0"}),
    ("busy user, little used client", {"initiator": "user0", "client": "Zed"}),
    ("quiet user", {"initiator": "user199"}),
    ("quiet user, model", {"initiator": "user199", "model": "gpt-4o"}),
    ("running too", {"include_running": "true", "client": "Codex"}),
]


@asynccontextmanager
async def serving(url: str):
    settings = Settings()
    async with open_store(url, jobs=False) as store:
        app = web.Application()
        add_routes(app, Services.over(store, settings=settings, lifetimes=Lifetimes()), private=True)
        async with TestServer(app) as server, aiohttp.ClientSession() as http:
            yield server.make_url("/api/v2/aibridge/"), http


async def measure(url: str, path: Path, rounds: int) -> None:
    with sqlite3.connect(path) as db:
        counts = [
            db.execute(f"SELECT count(*) FROM {name}").fetchone()[0] for name in ("aibridge_interceptions", "sessions")
        ]
        ids = [
            row[0] for row in db.execute("SELECT id FROM sessions WHERE interceptions < 200 ORDER BY random() LIMIT 40")
        ]
        (longest,) = db.execute("SELECT id FROM sessions ORDER BY interceptions DESC LIMIT 1").fetchone()
        big = [row[0] for row in db.execute("SELECT id FROM sessions WHERE interceptions BETWEEN 200 AND 400 LIMIT 10")]
    print(f"{counts[0]:,} interceptions in {counts[1]:,} sessions, {path.stat().st_size / 2**20:,.0f} MB\n")
    print(f"{'':<48} {'p50':>8} {'p95':>8} {'CPU':>8}   ms")
    async with serving(url) as (root, http):

        async def ask(target: str, parameters: dict[str, str]) -> tuple[float, float]:
            began, worked = time.perf_counter(), time.process_time()
            async with http.get(root.join(root / target), params=parameters) as response:
                body = await response.read()
            if response.status != 200:
                raise SystemExit(body.decode())
            return (time.perf_counter() - began) * 1000, (time.process_time() - worked) * 1000

        def show(name: str, measured: list[tuple[float, float]]) -> None:
            times, work = zip(*measured, strict=True)
            p95 = statistics.quantiles(times, n=20)[18]
            print(f"{name:<48} {statistics.median(times):8.1f} {p95:8.1f} {statistics.median(work):8.1f}")

        for name, parameters in LISTS:
            await ask("sessions", parameters)
            show(f"sessions: {name}", [await ask("sessions", parameters) for _ in range(rounds)])
        show("session", [await ask(f"sessions/{each}", {}) for each in ids])
        show("session of 200 to 400 exchanges", [await ask(f"sessions/{each}", {}) for each in big * 3])
        show("the longest session", [await ask(f"sessions/{longest}", {}) for _ in range(5)])
        for name in ("models", "clients"):
            show(name, [await ask(name, {}) for _ in range(rounds)])
        for name, parameters in LISTS:
            if "limit" not in name and "running" not in name:
                few = max(3, rounds // 6)
                show(f"interceptions: {name}", [await ask("interceptions", parameters) for _ in range(few)])


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--interceptions", type=int, default=1_000_000)
    arguments.add_argument("--file", type=Path, default=Path(tempfile.gettempdir()) / "coderai-bench-sessions.db")
    arguments.add_argument("--rounds", type=int, default=30)
    given = arguments.parse_args()
    url = f"sqlite:///{given.file}"
    if not given.file.exists():
        asyncio.run(create(url))
        fill(given.file, given.interceptions)
    asyncio.run(measure(url, given.file, given.rounds))


async def create(url: str) -> None:
    async with open_store(url, jobs=False):
        pass


if __name__ == "__main__":
    main()
