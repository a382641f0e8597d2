"""The audit store is away while the server runs: no call and no end unrecorded, and service returns by itself."""

import asyncio
import itertools
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from coderai.store.engine import open_store
from tests.end_to_end import faults
from tests.end_to_end.asking import APIS, ENDS, FORMS, Client, SlowAgent, Told, calling, rest
from tests.end_to_end.conftest import make_token
from tests.end_to_end.faults import Fault
from tests.end_to_end.processes import Gateway, coderai
from tests.end_to_end.records import endings

NOT_STORED = b"the audit records of this answer cannot be stored"
SHORT_WAITS = ("--recorder-begin-wait=500ms", "--recorder-end-wait=1s", "--shutdown-grace=3s")
SQLITE = {
    "locked file": lambda url, _: faults.LockedFile(url),
    "limited files": lambda url, _: faults.LimitedFiles(url),
    "full disk": lambda url, directory: faults.RefusingDisk(url, directory, faults.FULL),
}
POSTGRES = {
    "locked table": lambda url, _: faults.LockedTable(url),
    "stopped": lambda _, way: faults.Stopped(way),
    "paused": lambda _, way: faults.Paused(way),
}


@pytest.fixture(params=[*SQLITE, *POSTGRES])
async def fault(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Fault]:
    name = str(request.param)
    if name in SQLITE:
        yield SQLITE[name](f"sqlite:///{tmp_path}/coderai.db", tmp_path)
        return
    url = request.getfixturevalue("postgres_server").fresh()
    async with faults.way_to(url) as way:
        yield POSTGRES[name](url, way)


@pytest.fixture
async def gateway(tmp_path: Path, agent: SlowAgent, fault: Fault) -> AsyncIterator[Gateway]:
    options = (f"--database-url={fault.url}", *SHORT_WAITS)
    server = Gateway(tmp_path / "data", agent.url, options, fault.environment)
    await server.start()
    yield server
    if server.running:
        await server.kill()


@pytest.fixture
async def client(gateway: Gateway) -> AsyncIterator[Client]:
    async with calling(gateway, await make_token(gateway)) as client:
        assert (await client.ask("chat", "the token is remembered")).status == 200
        yield client


async def seconds(work: Any) -> tuple[float, Any]:
    started = time.monotonic()
    result = await work
    return time.monotonic() - started, result


async def until_served(client: Client) -> str:
    """Call until the answer is no refusal any more, and return its prompt; a refusal may be recorded as one."""
    async with asyncio.timeout(20):
        for number in itertools.count():
            prompt = f"are you back? {number}"
            if (await client.ask("chat", prompt)).status == 200:
                break
            await asyncio.sleep(0.05)
    return prompt


async def test_calls_are_refused_streams_do_not_end_and_service_returns(
    fault: Fault, gateway: Gateway, client: Client, agent: SlowAgent
):
    async with AsyncExitStack() as stack:
        running = [await stack.enter_async_context(client.asking(api, f"slow {api}")) for api in APIS]
        await agent.stalled(len(APIS) + 1)
        await fault.begin(gateway)
        before = len(agent.scripted.seen)

        waited, refused = await seconds(refusals(client))
        assert [told.status for told in refused] == [503] * 6
        assert [told.form for told in refused] == [FORMS[api] for api in (*APIS, *APIS)]
        assert waited < 3
        assert len(agent.scripted.seen) == before

        agent.release()
        waited, cut = await seconds(asyncio.gather(*(rest(answer) for answer in running)))
        assert waited < 4
        assert [told.status for told in cut] == [200] * 3
        assert [told.whole for told in cut] == [False] * 3
        assert [any(first in told.body for told in cut) for first in agent.released] == [True] * 3
        assert [NOT_STORED in told.body for told in cut] == [True] * 3
        assert [ENDS[api] in told.body for api, told in zip(APIS, cut, strict=True)] == [False] * 3

    await fault.end(gateway)
    served = await until_served(client)
    assert await gateway.stop() == 0
    found = await endings(fault.url)
    assert [found[f"slow {api}"] for api in APIS] == [("complete", 20)] * 3
    assert found[served] == ("complete", 20)
    assert {found.get(f"refused {api}", ("refused", None)) for api in APIS} == {("refused", None)}


async def refusals(client: Client) -> Sequence[Told]:
    calls = [client.ask(api, f"refused {api}", stream=stream) for stream in (True, False) for api in APIS]
    return await asyncio.gather(*calls)


async def test_a_read_only_database_is_an_error_at_the_start(tmp_path: Path):
    path = tmp_path / "coderai.db"
    async with open_store(f"sqlite:///{path}", jobs=False):
        pass
    faults.make_read_only(path)
    left = await coderai("server", f"--data-dir={tmp_path}", f"--database-url=sqlite:///{path}")
    assert (left.code, "Traceback" in left.err) == (1, False)
    assert "error: the database is not available: attempt to write a readonly database" in left.err


async def test_a_server_that_is_not_there_is_an_error_at_the_start(tmp_path: Path):
    left = await coderai("server", f"--data-dir={tmp_path}", "--database-url=postgresql://u@127.0.0.1:1/coderai")
    assert (left.code, "Traceback" in left.err) == (1, False)
    assert "error: the database is not available: " in left.err
