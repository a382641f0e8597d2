"""The fire drill can fail: what it looks for after each scenario, it finds."""

from collections.abc import Callable, Iterable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import text

from coderai.store.engine import Store
from tests.store.building import begun, ended, interception, usage

WELL, OTHER = "drill-usual-1", "drill-usual-2"


@pytest.fixture
def dialect() -> str:
    return "sqlite"


@pytest.fixture
def drill(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Its parts."""
    monkeypatch.syspath_prepend(Path(__file__).parents[1] / "scripts" / "drill.d")
    import checks
    import load

    return SimpleNamespace(checks=checks, load=load)


@pytest.fixture
async def judged(drill: Any, store: Store, database_url: str) -> Callable[..., Any]:
    """What is said of a database in which one exchange is well, and whatever a test adds."""
    await record(store, WELL)

    def exchange(prompt: str, **fields: Any) -> Any:
        return drill.load.Exchange(prompt, "usual", 0.0, **({"status": 200, "ended": True} | fields))

    async def judge(*others: dict[str, Any], called: Iterable[str] = (), **expected: Any) -> list[str]:
        verdict = drill.checks.Verdict("a test")
        exchanges = [exchange(WELL), *(exchange(OTHER, **fields) for fields in others)]
        await drill.checks.judge(verdict, database_url, exchanges, {WELL, *called}, drill.checks.Expected(**expected))
        return [promise.partition(", for example")[0] for promise in verdict.broken]

    return judge


async def record(store: Store, prompt: str, *facts: Any) -> None:
    """One exchange with the usage that the drill's provider reports, or with *facts*."""
    it = interception(prompt=prompt)
    await store.records.commit([begun(it)])
    await store.records.commit([ended(it, *(facts or [usage(2)]))])


async def test_nothing_is_found_where_all_is_well(judged: Any, store: Store) -> None:
    await record(store, OTHER)
    assert await judged({}, exact=True) == []


async def test_an_end_without_a_record(judged: Any) -> None:
    assert await judged({}) == ["1 ended at a client but not recorded as complete"]


async def test_a_record_too_many(judged: Any, store: Store) -> None:
    await record(store, WELL)
    assert await judged() == ["1 recorded twice"]


async def test_a_call_without_a_record(judged: Any) -> None:
    assert await judged({"ended": False}, called=[OTHER]) == ["1 reached the provider without a record"]


async def test_a_record_without_its_usage(judged: Any, store: Store) -> None:
    await record(store, OTHER, usage(2), usage(2))
    assert await judged({}) == ["1 complete without the one usage record it had"]


async def test_a_client_that_hangs(judged: Any) -> None:
    assert await judged({"ended": False, "status": 0, "hung": True}) == ["1 hung"]


async def test_a_status_that_is_not_allowed(judged: Any) -> None:
    assert await judged({"ended": False, "status": 500}, statuses=(200, 503)) == ["1 unexpected statuses"]


async def test_a_record_of_what_no_client_saw_end(judged: Any, store: Store) -> None:
    await record(store, OTHER)
    assert await judged({"ended": False}) == []
    assert await judged({"ended": False}, exact=True) == ["1 complete although no client saw the end"]


async def test_what_stays_open(judged: Any, store: Store) -> None:
    await store.records.commit([begun(interception(prompt=OTHER))])
    assert await judged({"ended": False}, orphans=True) == []
    assert await judged({"ended": False}) == ["1 interceptions were left open"]


async def test_a_roll_up_that_is_wrong(judged: Any, store: Store) -> None:
    async with store.transaction() as db:
        await db.execute(text("UPDATE sessions SET input_tokens = input_tokens + 1"))
    assert await judged() == ["1 sessions whose roll-up is not what their rows say"]
