"""The scenarios in order: on what each plays, what it allows, and how it is run."""

import asyncio
import errno
import random
import sys
import time
import traceback
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import scenarios
from checks import Expected, Verdict, check_open, judge
from databases import Postgres, disk_that_fills, small_disk
from stage import staged

from coderai.store.processes import ORPHANED_AFTER
from tests.end_to_end import faults

_SERVER = (sys.executable, str(Path(__file__).with_name("server.py")))


@dataclass
class Drill:
    """One run."""

    folder: Path
    seed: int
    quick: bool
    say: Callable[[str], None]
    stack: AsyncExitStack

    @cached_property
    def postgres(self) -> Postgres:
        """Started when it is wanted first."""
        server = Postgres(self.folder / "postgresql")
        self.stack.callback(server.stop)
        return server


@dataclass(frozen=True)
class Setting:
    """The database of a scenario, and what else its servers need."""

    url: str
    seen_as: str = ""
    arguments: Sequence[Any] = ()
    """For the scenario, after the stage."""
    environment: Mapping[str, str] = field(default_factory=dict)
    program: tuple[str, ...] = ()
    remark: str = ""


async def on_sqlite(_drill: Drill, folder: Path, _stack: AsyncExitStack) -> Setting:
    return Setting(f"sqlite:///{folder}/coderai.db")


async def on_postgres(drill: Drill, _folder: Path, _stack: AsyncExitStack) -> Setting:
    return Setting(drill.postgres.fresh())


async def beside_postgres(drill: Drill, _folder: Path, _stack: AsyncExitStack) -> Setting:
    return Setting(drill.postgres.fresh(), arguments=(drill.postgres,))


async def by_a_way(drill: Drill, _folder: Path, stack: AsyncExitStack) -> Setting:
    url = drill.postgres.fresh()
    way = await stack.enter_async_context(faults.way_to(url))
    return Setting(url, way.url, (way,))


async def on_a_locked_file(_drill: Drill, folder: Path, _stack: AsyncExitStack) -> Setting:
    url = f"sqlite:///{folder}/coderai.db"
    return Setting(url, arguments=(faults.LockedFile(url),))


async def on_a_small_disk(_drill: Drill, folder: Path, stack: AsyncExitStack) -> Setting:
    mounted = stack.enter_context(small_disk(folder / "disk"))
    fault, remark = disk_that_fills(folder / "disk", mounted=mounted)
    return Setting(fault.url, arguments=(fault,), environment=fault.environment, remark=remark)


async def on_a_read_only_disk(_drill: Drill, folder: Path, _stack: AsyncExitStack) -> Setting:
    fault = faults.RefusingDisk(f"sqlite:///{folder}/coderai.db", folder, errno.EROFS)
    remark = "writes fail with EROFS (LD_PRELOAD)"
    return Setting(fault.url, arguments=(fault,), environment=fault.environment, remark=remark)


async def with_a_clock(_drill: Drill, folder: Path, _stack: AsyncExitStack) -> Setting:
    environment = {"DRILL_CLOCK": str(folder / "clock")}
    return Setting(f"sqlite:///{folder}/coderai.db", environment=environment, program=_SERVER)


@dataclass(frozen=True)
class Scenario:
    """One row."""

    name: str
    setting: Callable[[Drill, Path, AsyncExitStack], Awaitable[Setting]]
    play: Callable[..., Awaitable[None]]
    expected: Expected
    servers: int = 1


AWAY = Expected(statuses=(200, 503))
STOPPED = Expected(statuses=(200, 503, 1001))  # WebSockets are told that the server leaves
KILLED = Expected(statuses=(200, 503), orphans=True)
PROGRAM = (
    Scenario("kill-sqlite", on_sqlite, scenarios.kill, KILLED),
    Scenario("kill-postgres", on_postgres, scenarios.kill, KILLED),
    Scenario("replica-killed", on_postgres, scenarios.kill_one, KILLED, servers=2),
    Scenario("postgres-paused", beside_postgres, scenarios.pg_paused, AWAY),
    Scenario("postgres-connections", on_postgres, scenarios.pg_connections, AWAY),
    Scenario("postgres-cut", by_a_way, scenarios.pg_cut, AWAY),
    Scenario("postgres-restart", beside_postgres, scenarios.pg_restart, AWAY),
    Scenario("sqlite-locked", on_a_locked_file, scenarios.locked, AWAY),
    Scenario("disk-full", on_a_small_disk, scenarios.full, AWAY),
    Scenario("read-only", on_a_read_only_disk, scenarios.read_only, STOPPED),
    Scenario("clock", with_a_clock, scenarios.clock, Expected(exact=True)),
    Scenario("provider-edited", on_sqlite, scenarios.provider_edited, Expected((200, 503, 1012), exact=True)),
    Scenario("key-revoked", on_sqlite, scenarios.key_revoked, Expected((200, 502, 1012), exact=True)),
    Scenario("token-revoked", on_sqlite, scenarios.token_revoked, Expected((200, 401, 1008), exact=True)),
)


async def run(drill: Drill, wanted: Sequence[str]) -> list[Verdict]:
    """Play the scenarios with these names, or all; return what became of each."""
    verdicts: list[Verdict] = []
    orphans: list[tuple[Verdict, str, float]] = []
    for scenario in PROGRAM:
        if not wanted or scenario.name in wanted:
            drill.say(scenario.name)
            verdict, url = await _played(drill, scenario)
            verdicts.append(verdict)
            if scenario.expected.orphans and url:
                orphans.append((verdict, url, time.monotonic()))
            for promise in verdict.broken:
                drill.say(f"  BROKEN: {promise}")
    if orphans:
        drill.say("orphans of killed servers")
    for verdict, url, left_at in orphans:
        await asyncio.sleep(max(0.0, left_at + ORPHANED_AFTER.total_seconds() + 1 - time.monotonic()))
        async with staged(verdict, url, random.Random(0), drill.folder / f"after-{verdict.name}", quick=drill.quick):
            pass  # a start closes them
        await check_open(verdict, url)
    return verdicts


async def _played(drill: Drill, scenario: Scenario) -> tuple[Verdict, str]:
    folder = drill.folder / scenario.name
    folder.mkdir()
    verdict, began, url = Verdict(scenario.name), time.monotonic(), ""
    try:
        async with AsyncExitStack() as stack:
            setting = await scenario.setting(drill, folder, stack)
            url, verdict.remark = setting.url, setting.remark
            await _play(scenario, setting, verdict, folder, drill)
    except Exception as error:  # noqa: BLE001 - the other scenarios are played all the same
        _failed(drill, verdict, error)
    verdict.seconds = time.monotonic() - began
    return verdict, url


async def _play(scenario: Scenario, setting: Setting, verdict: Verdict, folder: Path, drill: Drill) -> None:
    async with staged(
        verdict,
        setting.url,
        random.Random(f"{drill.seed} {scenario.name}"),
        folder,
        quick=drill.quick,
        servers=scenario.servers,
        seen_as=setting.seen_as,
        environment=dict(setting.environment),
        program=setting.program,
    ) as stage:
        try:
            async with stage.load.running():
                await scenario.play(stage, *setting.arguments)
                await stage.load.more(10)
        except Exception as error:  # noqa: BLE001 - what there is is judged all the same
            _failed(drill, verdict, error)
    await judge(verdict, setting.url, stage.load.exchanges, stage.agent.asked, scenario.expected)


def _failed(drill: Drill, verdict: Verdict, error: Exception) -> None:
    drill.say("".join(traceback.format_exception(error)))
    verdict.broken.append(f"the scenario did not come to its end: {type(error).__name__}: {error}")
