"""The lists at a million interceptions: fill a gateway's database through its own writer, then ask as a page would."""

import http.client
import itertools
import json
import random
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from processes import Failed, Target

from coderai.ids import new_id
from coderai.records import Answer, Api, End, Ended, Ending, Interception, Stamped, ToolCall, Usage
from coderai.store.engine import open_store
from coderai.store.users import User, Users

IN_SESSION = 20
DAYS = 60
_BATCH = 2_000
_CLIENTS = ("Claude Code", "Codex", "Coder Agents", "OpenCode", "Unknown")
_MODELS = {
    "claude-sonnet-4-5": ("anthropic", Api.MESSAGES),
    "claude-haiku-4-5": ("anthropic", Api.MESSAGES),
    "claude-opus-4-5": ("anthropic", Api.MESSAGES),
    "gpt-5": ("openai", Api.RESPONSES),
    "gpt-5-mini": ("openai", Api.CHAT),
}


async def fill(database: Path, rows: int) -> list[str]:
    """Write *rows* finished interceptions over the last 60 days, of 30 people; return some of the session ids."""
    chance = random.Random(1)
    now = datetime.now(UTC)
    people = [User(new_id(), f"person{number}", now, now, email=f"person{number}@localhost") for number in range(30)]
    async with open_store(f"sqlite:///{database}", synchronous="NORMAL", create=False, jobs=False) as store:
        async with store.transaction() as connection:
            for person in people:
                await Users(connection).insert(person)
        ended = _ended(rows, [(person.id, person.username) for person in people], now, chance)
        sessions: list[str] = []
        while batch := list(itertools.islice(ended, _BATCH)):
            await store.records.commit(batch)
            sessions.append(chance.choice(batch).interception.client_session_id or "")
    return sessions


def _ended(rows: int, people: list[tuple[str, str]], now: datetime, chance: random.Random) -> Iterator[Ended]:
    """Sessions overlap: two hundred are under way at any time."""
    step = timedelta(days=DAYS) / rows
    running: list[tuple[str, tuple[str, str], str, str, list[None]]] = []
    for number in range(rows):
        if len(running) < 200:
            session = f"5e551011-0000-4000-8000-{number:012x}"
            running.append((session, chance.choice(people), chance.choice(_CLIENTS), chance.choice(list(_MODELS)), []))
        current = chance.choice(running)
        current[4].append(None)
        if len(current[4]) == IN_SESSION:
            running.remove(current)
        yield _one(current[0], current[1], current[2], current[3], now - timedelta(days=DAYS) + step * number)


def _one(session: str, person: tuple[str, str], client: str, model: str, at: datetime) -> Ended:
    provider, api = _MODELS[model]
    interception = Interception(
        id=_id_at(at),
        started_at=at,
        initiator_id=person[0],
        initiator_name=person[1],
        api_key_id="bench",
        provider=provider,
        provider_name=provider,
        model=model,
        api=api,
        stream=True,
        client=client,
        client_session_id=session,
        metadata={"Username": person[1]},
        prompt="Why does the counter lose the last line of the file?",
    )
    facts = (
        Usage("msg_1", 412, 233, 2048, 128),
        ToolCall("Read", f"toolu_{interception.id}", '{"file_path":"/src/a.py"}'),
    )
    end = End(Answer("msg_1", facts, Ending.COMPLETE), Ending.COMPLETE, 200, first_byte_at=at + timedelta(seconds=1))
    after = at + timedelta(seconds=4)
    return Ended(interception, end, after, tuple(Stamped(_id_at(after), after, fact) for fact in facts))


def _id_at(moment: datetime) -> str:
    """A UUIDv7 of that time."""
    head = f"{int(moment.timestamp() * 1000):012x}"
    return f"{head[:8]}-{head[8:]}{new_id()[13:]}"


def ask(target: Target, sessions: list[str], times: int) -> dict[str, float]:
    """Ask for each kind of list *times* times; return the 95th percentile of each, in ms."""
    now = datetime.now(UTC)
    week = f'started_after:"{(now - timedelta(days=30)):%Y-%m-%dT%H:%M:%SZ}"'
    until = f'started_before:"{(now - timedelta(days=23)):%Y-%m-%dT%H:%M:%SZ}"'
    filters = {
        "all": "",
        "client": 'client:"Coder Agents"',
        "model": "model:gpt-5",
        "provider": "provider:anthropic",
        "initiator": "initiator:person7",
        "old week": f"{week} {until}",
        "person, client and model": "initiator:person7 client:Codex model:gpt-5",
        "client in an old week": f"client:OpenCode {week} {until}",
        "nothing found": "model:no-such-model",
        "one session": f"session_id:{sessions[len(sessions) // 2]}",
    }
    pages = {name: [f"?{urlencode({'q': query, 'limit': 50})}"] for name, query in filters.items()}
    pages["detail"] = [f"/{session}" for session in sessions]
    connection = http.client.HTTPConnection("127.0.0.1", target.port, timeout=60)
    worst = {}
    for name, variants in pages.items():
        taken = [_timed(connection, target.token, variants[number % len(variants)]) for number in range(times)]
        worst[name] = sorted(taken)[int(0.95 * (len(taken) - 1))]
    connection.close()
    return worst


def _timed(connection: http.client.HTTPConnection, token: str, rest: str) -> float:
    begun = time.perf_counter()
    connection.request("GET", f"/api/v2/aibridge/sessions{rest}", headers={"Coder-Session-Token": token})
    answer = connection.getresponse()
    text = answer.read()
    taken = (time.perf_counter() - begun) * 1000
    if answer.status != 200:
        raise Failed(f"GET sessions{rest}: {answer.status} {text[:200]!r}")
    body: dict[str, Any] = json.loads(text)
    if not body:
        raise Failed(f"GET sessions{rest}: an empty answer")
    return taken
