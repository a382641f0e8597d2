"""What happens to the gateway, one function each; the table at the end says on what it plays and what it allows."""

import asyncio
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import checks
from databases import Postgres, end_connections
from stage import Stage

from tests.end_to_end import faults
from tests.end_to_end.faults import Fault, Way

HOUR = 3600.0
_KILLING = 600.0
_ORPHANS_GONE = 60.0
"""Seconds after which the exchanges of a killed replica must have been closed by another one; 30 to 35 is right."""


async def kill(stage: Stage) -> None:
    """SIGKILL after a random number of answers; started again at once."""
    for _ in stage.times(100, 5, _KILLING):
        await stage.load.more(stage.chance.randint(1, 40))
        await asyncio.sleep(stage.chance.random() * 0.02)  # anywhere between two answers
        moment = time.monotonic()
        await stage.gateway.kill()
        await stage.gateway.start()
        await stage.served(moment)


async def kill_one(stage: Stage) -> None:
    """One of two replicas is killed while both have streams under way; the other one goes on serving."""
    for turn in stage.times(6, 2):
        await stage.load.more(60)
        victim = stage.gateways[turn % 2]
        moment = time.monotonic()
        await victim.kill()
        await stage.served(moment)
        await stage.load.more(60)
        await victim.start()
    await stage.load.more(60)
    await stage.gateways[0].kill()
    if not stage.quick:  # else they are for the server that is started at the end of the drill
        left = await checks.open_now(stage.url)
        async with asyncio.timeout(_ORPHANS_GONE):
            while left & await checks.open_now(stage.url):
                await stage.load.more(20)


async def play(stage: Stage, fault: Fault, times: Iterator[int]) -> None:
    """Begin and end a fault several times; during each somebody must have been refused."""
    for _ in times:
        await stage.load.more(30)
        began = time.monotonic()
        await fault.begin(stage.gateway)
        await stage.load.refused_since(began, 503)
        await fault.end(stage.gateway)
        await stage.served()


async def locked(stage: Stage, fault: Fault) -> None:
    """Another process holds the write lock of the file."""
    await play(stage, fault, stage.times(4, 1))


async def full(stage: Stage, fault: Fault) -> None:
    """The disk is full, until somebody makes room."""
    await play(stage, fault, stage.times(4, 1))


async def read_only(stage: Stage, fault: Fault) -> None:
    """Writes fail as on a file system mounted read-only; then a start on a file that is read-only is refused."""
    await play(stage, fault, stage.times(3, 1))
    file = Path(stage.url.removeprefix("sqlite:///"))
    await stage.gateway.stop()
    faults.make_read_only(file)
    try:
        await stage.gateway.start()
        stage.verdict.broken.append("a server began to serve on a read-only file")
    except AssertionError as left:
        if "attempt to write a readonly database" not in str(left):
            stage.verdict.broken.append(f"a start on a read-only file says: {left}")
    faults.make_writable(file)
    await stage.gateway.start()
    await stage.served()


async def pg_paused(stage: Stage, postgres: Postgres) -> None:
    """SIGSTOP for all processes of PostgreSQL, SIGCONT some seconds later."""
    for _ in stage.times(4, 1):
        await stage.load.more(30)
        began = time.monotonic()
        postgres.pause()
        try:
            await stage.load.refused_since(began, 503)
        finally:
            postgres.go_on()
        await stage.served()


async def pg_connections(stage: Stage) -> None:
    """PostgreSQL ends all connections, again and again."""
    for _ in stage.times(40, 8):
        await stage.load.more(10)
        await end_connections(stage.url)
        await stage.served()


async def pg_cut(stage: Stage, way: Way) -> None:
    """The network drops all connections, is closed for a while, or swallows everything of the old connections."""
    for turn in stage.times(9, 3):
        await stage.load.more(30)
        began = time.monotonic()
        match turn % 3:
            case 0:
                way.drop()
            case 1:
                way.close()
                await stage.load.refused_since(began, 503)
                await way.mend()
            case _:
                way.lose()
        await stage.served()


async def pg_restart(stage: Stage, postgres: Postgres) -> None:
    """PostgreSQL is restarted, in order and by a crash."""
    for turn in stage.times(6, 2):
        await stage.load.more(30)
        await postgres.restart("fast" if turn % 2 == 0 else "immediate")
        await stage.served()


async def clock(stage: Stage) -> None:
    """The server's clock jumps an hour ahead, a day back, and home again."""
    steps = (HOUR, -24 * HOUR, 0.0)
    for turn in stage.times(6, 3):
        await stage.load.more(40)
        seconds = steps[turn % len(steps)]
        (stage.folder / "clock").write_text(str(seconds))
        stage.gateway.signal(signal.SIGUSR2)
        await stage.gateway.said(f"the clock is {seconds:g} s ahead")
        await stage.served()


async def provider_edited(stage: Stage) -> None:
    """A provider is edited, disabled and enabled while it is used; it is served at once."""
    await stage.add_provider("sk-corp-0123456789")
    stage.load.provider["chat"] = "corp"
    for turn in stage.times(12, 3):
        await stage.load.more(20)
        await stage.call("PATCH", "/ai/providers/corp", {"display_name": f"Corp {turn}"})
        await stage.load.more(20)
        began = time.monotonic()
        await stage.call("PATCH", "/ai/providers/corp", {"enabled": False})
        await stage.load.refused_since(began, 503)
        await stage.call("PATCH", "/ai/providers/corp", {"enabled": True})
        await stage.served()


async def key_revoked(stage: Stage) -> None:
    """The provider revokes the central key (401), an owner gives another one."""
    keys = [f"sk-corp-{number}-0123456789" for number in range(20)]
    await stage.add_provider(keys[0])
    stage.load.provider["chat"] = stage.load.provider["responses"] = "corp"
    for turn in stage.times(6, 2):
        await stage.load.more(20)
        began = time.monotonic()
        stage.agent.revoked.add(keys[turn])
        await stage.load.refused_since(began, 502)
        await stage.call("PATCH", "/ai/providers/corp", {"api_keys": [{"api_key": keys[turn + 1]}]})
        await stage.served()


async def token_revoked(stage: Stage) -> None:
    """A person's token is removed, then the person is suspended, and let in again."""
    for turn in stage.times(6, 2):
        name = f"mia-{turn}"
        stage.load.token = token = await stage.person(name)
        await stage.load.more(20)
        began = time.monotonic()
        if turn % 2 == 0:
            await stage.call("DELETE", f"/users/{name}/keys/{token.split('-')[0]}")
            await stage.load.refused_since(began, 401)
            stage.load.token = stage.owner
        else:
            await stage.call("PUT", f"/users/{name}/status/suspend")
            await stage.load.refused_since(began, 401)
            await stage.call("PUT", f"/users/{name}/status/activate")
        await stage.served()
