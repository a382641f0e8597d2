"""Work in batches leaves room for others."""

import time
from pathlib import Path

from coderai.store.engine import Store, open_store
from coderai.store.pace import Pace
from tests.store.building import begun, interception


def work(pace: Pace, seconds: float) -> None:
    """One batch that takes so long."""
    with pace.working():
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            pass


async def test_batches_that_take_long_become_smaller_but_not_nothing(store: Store) -> None:
    pace = Pace(store, 400)
    first = pace.batch
    work(pace, 0.11)
    assert pace.batch < first
    for _ in range(5):
        work(pace, 0.11)
    assert pace.batch > 1


async def test_quick_batches_grow_up_to_what_is_allowed(store: Store) -> None:
    pace = Pace(store, 50)
    for _ in range(40):
        work(pace, 0)
    assert 40 <= pace.batch <= 50


async def test_sqlites_log_is_written_back_in_the_pauses(tmp_path: Path) -> None:
    async with open_store(f"sqlite:///{tmp_path}/c.db", jobs=False) as store:
        await store.records.commit([begun(interception(minute, prompt="x" * 50_000)) for minute in range(10)])
        before = (tmp_path / "c.db").stat().st_size
        pace = Pace(store, 10, write_back_every=0)
        await pace.rest()
        assert (tmp_path / "c.db").stat().st_size > before + 500_000
