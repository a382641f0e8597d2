"""A database with many interceptions in realistic shape, written through the gateway's own writer.

What a company of two hundred leaves behind in 60 days: sessions of eight exchanges on average and of thousands at most,
threads, prompts, tool calls, usage, thoughts, calls on behalf of others, failures, a tool that nobody uses any more.
"""

import heapq
import random
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice

from coderai.access.roles import OWNER
from coderai.ids import new_id
from coderai.records import (
    Answer,
    Api,
    End,
    Ended,
    Ending,
    ErrorType,
    Fact,
    Interception,
    Link,
    Stamped,
    Thought,
    ToolCall,
    Usage,
)
from coderai.store.engine import Store, open_store
from coderai.store.users import User, Users

SPAN = timedelta(days=60)
PEOPLE = 200
_BATCH = 1_000
_LONGEST = 4_000


@dataclass(frozen=True)
class Tool:
    """What is used how much, at which provider."""

    share: int
    client: str
    provider: str
    provider_name: str
    api: Api
    models: tuple[str, ...]


TOOLS = (
    Tool(60, "Claude Code", "anthropic", "anthropic-corp", Api.MESSAGES, ("claude-sonnet-4-5", "claude-haiku-4-5")),
    Tool(20, "Codex", "openai", "openai", Api.RESPONSES, ("gpt-5.3-codex",)),
    Tool(15, "Coder Agents", "anthropic", "anthropic-eu", Api.MESSAGES, ("claude-sonnet-4-5", "claude-opus-4-5")),
    Tool(4, "Unknown", "openai", "azure", Api.CHAT, ("gpt-4o",)),
    Tool(1, "Zed", "openai", "azure", Api.CHAT, ("gpt-5-mini",)),
)
RETIRED = Tool(0, "Roo Code", "anthropic", "anthropic-corp", Api.MESSAGES, ("claude-3-7-sonnet",))
"""What most used in the first ten days, and nobody since."""


@dataclass
class Talk:
    """A session under way."""

    tool: Tool
    initiator: User
    left: int
    key: str | None
    on_behalf_of: str | None
    root: str | None = None
    parent: str | None = None
    calls: str | None = None
    """The tool call that the next request answers."""


async def fill(url: str, rows: int) -> None:
    """Create the database at *url* and write *rows* interceptions that ended by now."""
    began = time.monotonic()
    chance, now = random.Random(7), datetime.now(UTC).replace(microsecond=0)
    people = [
        User(new_id(), f"user{number}", now - SPAN, now, email=f"user{number}@example.com") for number in range(PEOPLE)
    ]
    # Without a sync for each commit, which is the disk's time and not ours; what is written is the same.
    async with open_store(url, synchronous="NORMAL", jobs=False) as store:
        async with store.transaction() as connection:
            admin = User(new_id(), "admin", now - SPAN, now, email="admin@localhost", roles=(OWNER,))
            for person in [admin, *people]:
                await Users(connection).insert(person)
        ended, done = _ended(rows, people, now - SPAN, chance), 0
        while batch := list(islice(ended, _BATCH)):
            await store.records.commit(
                [each for each, _ in batch], {each.interception.id: link for each, link in batch}
            )
            done += len(batch)
            print(f"\r  {done:,} written in {time.monotonic() - began:.0f} s", end="", file=sys.stderr, flush=True)
        print(file=sys.stderr)
        await _settle(store)


async def _settle(store: Store) -> None:
    """What a server that has run for weeks has done long ago."""
    if store.dialect == "postgresql":
        async with store.engine.connect() as connection:
            await connection.execution_options(isolation_level="AUTOCOMMIT")
            await connection.exec_driver_sql("VACUUM ANALYZE")
            await connection.exec_driver_sql("CHECKPOINT")


def _ended(rows: int, people: list[User], since: datetime, chance: random.Random) -> Iterator[tuple[Ended, Link]]:
    """Yield exchanges in the order of time; sessions overlap."""
    planned, made, number = 0, 0, 0
    under_way: list[tuple[datetime, int, Talk]] = []
    while made < rows:
        start = since + SPAN * planned / rows
        if planned < rows and (not under_way or start <= under_way[0][0]):
            talk = _talk(people, chance, early=planned < rows // 6, most=rows - planned)
            planned, number = planned + talk.left, number + 1
            heapq.heappush(under_way, (start, number, talk))
            continue
        at, key, talk = heapq.heappop(under_way)
        # Those that would still go on now are squeezed into the last moments.
        at = min(at, since + SPAN - timedelta(seconds=30) + timedelta(microseconds=made))
        yield _one(talk, at, chance)
        made += 1
        if talk.left:
            heapq.heappush(under_way, (at + timedelta(milliseconds=chance.randrange(10_000, 60_000)), key, talk))


def _talk(people: list[User], chance: random.Random, *, early: bool, most: int) -> Talk:
    tool = chance.choices(TOOLS, [each.share for each in TOOLS])[0]
    if early and chance.random() < 0.7:
        tool = RETIRED
    # A service account asks for everybody who uses the agents.
    person = people[int(chance.random() ** 3 * (PEOPLE - 1))]
    agents = tool.client == "Coder Agents"
    return Talk(
        tool,
        people[-1] if agents else person,
        min(int(chance.paretovariate(1.2) * 2.2) + 1, _LONGEST, most),
        f"{chance.getrandbits(128):032x}" if chance.random() < 0.7 else None,
        person.id if agents else None,
    )


def _one(talk: Talk, at: datetime, chance: random.Random) -> tuple[Ended, Link]:
    tool = talk.tool
    prompted = talk.root is None or chance.random() < 0.15
    prompt = "Please find out why the login test fails now and then. " * chance.randrange(1, 12)
    link = Link() if prompted else Link(talk.parent, talk.root)
    person = talk.initiator.username
    it = Interception(
        id=_id_at(at),
        started_at=at,
        initiator_id=talk.initiator.id,
        initiator_name=person,
        api_key_id="WuoWs4ZsMX",
        provider=tool.provider,
        provider_name=tool.provider_name,
        model=chance.choice(tool.models),
        api=tool.api,
        stream=True,
        client=tool.client,
        user_agent="claude-cli/2.1.329 (external, cli)",
        client_session_id=talk.key,
        tool_result_id=None if prompted else talk.calls,
        metadata={"Username": person},
        on_behalf_of=talk.on_behalf_of,
        prompt=prompt if prompted else None,
    )
    talk.key = talk.key or it.id  # a tool without a key is known by its first exchange
    after = at + timedelta(milliseconds=chance.randrange(1_000, 9_000))
    end, calls = _end(it, at, chance)
    facts = tuple(Stamped(_id_at(after), after, fact) for fact in end.answer.facts)
    talk.root, talk.parent, talk.calls = link.root_id or it.id, it.id, calls
    talk.left -= 1
    return Ended(it, end, after, facts), link


def _end(it: Interception, at: datetime, chance: random.Random) -> tuple[End, str | None]:
    if chance.random() < 0.02:
        failed = Answer(ending=Ending.UPSTREAM_ERROR, error_type=ErrorType.OVERLOADED, error_message="Overloaded")
        return End(failed, Ending.UPSTREAM_ERROR, 529, ErrorType.OVERLOADED, "Overloaded"), None
    answer_id = f"msg_{it.id[-12:]}"
    facts: list[Fact] = [
        Usage(answer_id, chance.randrange(3_000), chance.randrange(2_000), chance.randrange(150_000), 900)
    ]
    calls = None
    if chance.random() < 0.3:
        facts.append(Thought("The test depends on the clock: I will look where the time comes from. " * 5))
    if chance.random() < 0.8:
        calls = f"toolu_{it.id.replace('-', '')}"
        facts.append(ToolCall("Read", calls, '{"file_path":"/src/tests/test_login.py","limit":200}', answer_id))
    first = at + timedelta(milliseconds=700)
    return End(Answer(answer_id, tuple(facts), Ending.COMPLETE), Ending.COMPLETE, 200, first_byte_at=first), calls


def _id_at(moment: datetime) -> str:
    """A UUIDv7 of that time."""
    head = f"{int(moment.timestamp() * 1000):012x}"
    return f"{head[:8]}-{head[8:]}{new_id()[13:]}"
