"""What the database kept of what clients saw: nothing missing, nothing twice, nothing called without a record."""

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from agent import OUTPUT
from load import Exchange
from sqlalchemy import func, select

from coderai.store import checking
from coderai.store.engine import open_store
from coderai.store.schema import interceptions, token_usages, user_prompts


@dataclass
class Verdict:
    """One row of the table."""

    name: str
    seconds: float = 0.0
    faults: int = 0
    """How often something was done to it."""
    asked: int = 0
    ended: int = 0
    """At their clients."""
    complete: int = 0
    """In the database."""
    interrupted: int = 0
    refusals: dict[str, int] = field(default_factory=dict)
    """Statuses other than 200 that clients got; 0 for none at all."""
    back: list[float] = field(default_factory=list)
    """Seconds until the first success after each fault."""
    remark: str = ""
    broken: list[str] = field(default_factory=list)
    """Promises."""


@dataclass(frozen=True)
class Expected:
    """What a scenario allows."""

    statuses: Collection[int] = (200,)
    """That clients may see."""
    exact: bool = False
    """Nothing is complete whose end no client has seen."""
    orphans: bool = False
    """A killed process may have left some open; see ``check_open``."""


async def judge(
    verdict: Verdict, url: str, exchanges: Sequence[Exchange], called: Collection[str], expected: Expected
) -> None:
    """Fill in *verdict* from the database at *url*; *called* are the prompts that reached the provider."""
    rows = await _rows(url)
    usual = {each.prompt for each in exchanges if each.kind == "usual"}
    ended = {each.prompt for each in exchanges if each.ended}
    recorded = Counter(prompt for prompt, *_ in rows)
    complete = {prompt for prompt, ending, *_ in rows if ending == "complete"}
    verdict.asked, verdict.ended, verdict.complete = len(exchanges), len(ended), len(complete)
    verdict.interrupted = sum(ending == "interrupted" for _, ending, *_ in rows)
    verdict.refusals = _refusals(exchanges)
    _broken(verdict, "ended at a client but not recorded as complete", ended - complete)
    _broken(verdict, "recorded twice", {prompt for prompt, count in recorded.items() if count > 1})
    _broken(verdict, "reached the provider without a record", set(called) - recorded.keys())
    _broken(
        verdict,
        "complete without the one usage record it had",
        {prompt for prompt, ending, usages, output in rows if ending == "complete" and (usages, output) != (1, OUTPUT)},
    )
    _broken(verdict, "hung", {each.prompt for each in exchanges if each.hung})
    unexpected = {each.status for each in exchanges if each.status not in (*expected.statuses, 0)}
    _broken(verdict, "unexpected statuses", {str(status) for status in unexpected})
    if expected.exact:
        _broken(verdict, "complete although no client saw the end", (complete - ended) & usual)
        _broken(verdict, "without an answer", {each.prompt for each in exchanges if not each.status})
    await _check_whole(verdict, url, open_allowed=expected.orphans)


async def check_open(verdict: Verdict, url: str) -> None:
    """Look once more, when the orphans of killed processes must have been closed."""
    rows = await _rows(url)
    verdict.interrupted = sum(ending == "interrupted" for _, ending, *_ in rows)
    await _check_whole(verdict, url, open_allowed=False)


async def open_now(url: str) -> set[str]:
    """The ids of interceptions that have not ended."""
    async with open_store(url, jobs=False) as store, store.reading() as db:
        query = select(interceptions.c.id).where(interceptions.c.ended_at.is_(None))
        return set((await db.execute(query)).scalars())


async def _check_whole(verdict: Verdict, url: str, *, open_allowed: bool) -> None:
    async with open_store(url, jobs=False) as store:
        findings = await checking.check(store)
    _broken(verdict, "sessions whose roll-up is not what their rows say", {str(key) for key in findings.wrong_sessions})
    _broken(verdict, "damage", set(findings.damage))
    _broken(verdict, "hours whose usage is not what their rows say", {str(hour) for hour in findings.wrong_hours})
    if findings.strays:
        verdict.broken.append(f"{findings.strays} rows of interceptions that are not there")
    if findings.running and not open_allowed:
        verdict.broken.append(f"{findings.running} interceptions were left open")


async def _rows(url: str) -> list[tuple[str, str | None, int, int | None]]:
    """Prompt, ending, number of usage records and output tokens of every interception of the drill."""
    query = (
        select(
            user_prompts.c.prompt,
            interceptions.c.ending,
            func.count(token_usages.c.id),
            func.sum(token_usages.c.output_tokens),
        )
        .join(interceptions, interceptions.c.id == user_prompts.c.interception_id)
        .outerjoin(token_usages, token_usages.c.interception_id == interceptions.c.id)
        .where(user_prompts.c.prompt.startswith("drill-"))
        .group_by(user_prompts.c.id, user_prompts.c.prompt, interceptions.c.ending)
    )
    async with open_store(url, jobs=False) as store, store.reading(limit=None) as db:
        return [(row[0], row[1], int(row[2]), row[3] and int(row[3])) for row in await db.execute(query)]


def _refusals(exchanges: Sequence[Exchange]) -> dict[str, int]:
    counted = Counter(each.status for each in exchanges if each.status != 200)
    return {str(status): count for status, count in sorted(counted.items())}


def _broken(verdict: Verdict, what: str, which: Collection[str]) -> None:
    if which:
        verdict.broken.append(f"{len(which)} {what}, for example {min(which)}")
