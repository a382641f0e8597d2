"""The recorder on real databases that fail and come back."""

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from sqlalchemy import text

from coderai.errors import StoreUnavailable
from coderai.recorder import recording
from coderai.records import Answer, End, Ending, Usage
from coderai.store import schema
from coderai.store.engine import Store, open_store
from tests.postgres import Server
from tests.store.building import interception
from tests.store.looking import interception as row_of
from tests.store.looking import only, recounted, roll_up

COMPLETE = End(Answer("msg_1", (Usage("msg_1", 3),), Ending.COMPLETE), Ending.COMPLETE, 200)


async def test_many_at_once_are_all_there(store: Store) -> None:
    async with recording(store.records) as recorder:

        async def exchange() -> None:
            it = interception(client_session_id="s", prompt="hello")
            await recorder.begin(it)
            await recorder.end(it, COMPLETE)

        async with asyncio.TaskGroup() as tasks:
            for _ in range(300):
                tasks.create_task(exchange())
    session = await only(store, schema.sessions)
    assert (session["interceptions"], session["threads"], session["input_tokens"]) == (300, 300, 900)
    assert await roll_up(store) == await recounted(store)


async def test_a_locked_database_refuses_starts_in_time_and_keeps_ends(store: Store) -> None:
    running, refused, later = interception(), interception(), interception()
    async with recording(store.records, begin_wait=0.2, end_wait=0.6) as recorder:
        await recorder.begin(running)
        async with locked(store):
            with pytest.raises(StoreUnavailable):
                await recorder.end(running, COMPLETE)
            with pytest.raises(StoreUnavailable):
                await recorder.begin(refused)
    async with recording(store.records) as recorder:
        await recorder.begin(later)
    assert (await row_of(store, running.id))["ending"] == "complete"
    assert (await row_of(store, later.id))["ending"] is None


@asynccontextmanager
async def locked(store: Store) -> AsyncIterator[None]:
    """Another connection that holds what every writer needs."""
    async with store.transaction() as connection:  # in SQLite that is enough
        if store.dialect == "postgresql":
            await connection.execute(text("LOCK TABLE aibridge_interceptions IN ACCESS EXCLUSIVE MODE"))
        yield


async def test_a_lost_connection_is_replaced(postgres_server: Server) -> None:
    async with open_store(postgres_server.fresh()) as store, recording(store.records) as recorder:
        first, second = interception(), interception()
        await recorder.begin(first)
        async with store.transaction() as connection:
            query = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database()"
            await connection.execute(text(query + " AND pid <> pg_backend_pid()"))
        await recorder.begin(second)
        await recorder.end(first, COMPLETE)
        assert (await row_of(store, first.id))["ending"] == "complete"


COUNTER = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <unistd.h>
static long count;
long synced(void) { return count; }
static int forward(const char *name, int fd) {
    int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, name);
    count++;
    return real(fd);
}
int fdatasync(int fd) { return forward("fdatasync", fd); }
int fsync(int fd) { return forward("fsync", fd); }
"""

EXCHANGES = """
import asyncio, ctypes, sys
from coderai.recorder import recording
from coderai.store.engine import open_store
from tests.recorder.test_real_trouble import COMPLETE
from tests.store.building import interception

synced = ctypes.CDLL(None).synced

async def main():
    async with open_store(sys.argv[1], synchronous=sys.argv[2]) as store, recording(store.records) as recorder:
        for _ in range(10):
            it, before = interception(prompt="hello"), synced()
            await recorder.begin(it)
            between = synced()
            await recorder.end(it, COMPLETE)
            print(between - before, synced() - between)

asyncio.run(main())
"""


@pytest.mark.parametrize(("synchronous", "syncs"), [("FULL", "1 1"), ("NORMAL", "0 0")])
def test_every_commit_reaches_the_disk(tmp_path: Path, synchronous: str, syncs: str) -> None:
    """Counted where the C library is asked to sync: one for each commit, before its waiter goes on."""
    (tmp_path / "counter.c").write_text(COUNTER)
    library = tmp_path / "counter.so"
    compile_it = ["cc", "-shared", "-fPIC", "-O2", "-o", library, tmp_path / "counter.c", "-ldl"]
    subprocess.run(compile_it, check=True, capture_output=True)
    answer = subprocess.run(
        [sys.executable, "-c", EXCHANGES, f"sqlite:///{tmp_path}/c.db", synchronous],
        env={**os.environ, "LD_PRELOAD": str(library)},
        capture_output=True,
        text=True,
        check=True,
    )
    # The first commit also starts a new WAL file.
    assert answer.stdout.splitlines()[1:] == [syncs] * 9
