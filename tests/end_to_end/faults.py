"""Ways in which a database can be away, for a server in another process. None needs rights or help of the machine."""

import asyncio
import errno
import resource
import sqlite3
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Protocol
from urllib.parse import parse_qs, urlsplit

import asyncpg

from tests.end_to_end.processes import Gateway


class Fault(Protocol):
    """Something that can happen to a database while a server uses it."""

    url: str
    """Of the database, as the server has to know it."""
    environment: dict[str, str]
    """Of the server."""

    async def begin(self, gateway: Gateway) -> None: ...

    async def end(self, gateway: Gateway) -> None: ...


class LockedFile:
    """Another process holds the write lock of an SQLite database."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.environment: dict[str, str] = {}
        self._other: sqlite3.Connection | None = None

    async def begin(self, gateway: Gateway) -> None:
        self._other = sqlite3.connect(self.url.removeprefix("sqlite:///"), isolation_level=None)
        self._other.execute("BEGIN EXCLUSIVE")

    async def end(self, gateway: Gateway) -> None:
        assert self._other is not None
        self._other.execute("ROLLBACK")
        self._other.close()


class LockedTable:
    """Somebody works on the table of interceptions in PostgreSQL, and lets nobody else near it."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.environment: dict[str, str] = {}
        self._other: asyncpg.Connection[asyncpg.Record] | None = None

    async def begin(self, gateway: Gateway) -> None:
        self._other = await asyncpg.connect(self.url)
        await self._other.execute("BEGIN; LOCK TABLE aibridge_interceptions IN ACCESS EXCLUSIVE MODE")

    async def end(self, gateway: Gateway) -> None:
        assert self._other is not None
        await self._other.close()


class LimitedFiles:
    """No file of the server may grow or be written any more, as with a quota (EFBIG)."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.environment: dict[str, str] = {}

    async def begin(self, gateway: Gateway) -> None:
        self._limit(gateway, 0)

    async def end(self, gateway: Gateway) -> None:
        self._limit(gateway, resource.RLIM_INFINITY)

    def _limit(self, gateway: Gateway, size: int) -> None:
        _, hard = resource.prlimit(gateway.pid, resource.RLIMIT_FSIZE)
        resource.prlimit(gateway.pid, resource.RLIMIT_FSIZE, (size if size == 0 else hard, hard))


REFUSING_DISK = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/types.h>
#include <unistd.h>
/* As long as the file $REFUSE exists, writes at a place in a file fail with the error number that it holds. */
static int refused(void) {
    int number = 0;
    FILE *file = fopen(getenv("REFUSE"), "r");
    if (file == NULL) return 0;
    if (fscanf(file, "%d", &number) != 1) number = EIO;
    fclose(file);
    errno = number;
    return 1;
}
#define REAL(name, type) ((type)dlsym(RTLD_NEXT, name))
ssize_t pwrite(int fd, const void *data, size_t size, off_t at) {
    if (refused()) return -1;
    return REAL("pwrite", ssize_t (*)(int, const void *, size_t, off_t))(fd, data, size, at);
}
ssize_t pwrite64(int fd, const void *data, size_t size, off64_t at) {
    if (refused()) return -1;
    return REAL("pwrite64", ssize_t (*)(int, const void *, size_t, off64_t))(fd, data, size, at);
}
int ftruncate(int fd, off_t size) {
    return refused() ? -1 : REAL("ftruncate", int (*)(int, off_t))(fd, size);
}
int ftruncate64(int fd, off64_t size) {
    return refused() ? -1 : REAL("ftruncate64", int (*)(int, off64_t))(fd, size);
}
"""


class RefusingDisk:
    """The disk takes nothing: it is full, was mounted read-only after an error, or is broken."""

    def __init__(self, url: str, directory: Path, number: int) -> None:
        self.url = url
        self._number = number
        self._switch = directory / "refuse"
        source, library = directory / "disk.c", directory / "disk.so"
        source.write_text(REFUSING_DISK)
        subprocess.run(["cc", "-shared", "-fPIC", "-O2", "-o", library, source, "-ldl"], check=True)
        self.environment = {"LD_PRELOAD": str(library), "REFUSE": str(self._switch)}

    async def begin(self, gateway: Gateway) -> None:
        new = self._switch.with_suffix(".new")
        new.write_text(str(self._number))
        new.rename(self._switch)

    async def end(self, gateway: Gateway) -> None:
        self._switch.unlink()


FULL = errno.ENOSPC


def make_read_only(path: Path) -> None:
    """Make an SQLite file that nobody uses read-only for everybody, root too: its header asks for a newer writer."""
    _ask_for_writer(path, 3)


def make_writable(path: Path) -> None:
    """Undo that."""
    _ask_for_writer(path, 2)


def _ask_for_writer(path: Path, version: int) -> None:
    with path.open("r+b") as file:
        file.seek(18)
        file.write(bytes([version]))


class Way:
    """The way to a PostgreSQL server, which can be closed (nobody listens) or silent (nothing moves any more)."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self.environment: dict[str, str] = {}
        self._target = parse_qs(parts.query).get("host", [parts.hostname or ""])[0], parts.port or 5432
        self._parts = parts
        self._server: asyncio.Server | None = None
        self._port = 0
        self._moving = asyncio.Event()
        self._moving.set()
        self._lost: list[asyncio.Event] = []
        self._open: set[asyncio.StreamWriter] = set()

    @property
    def url(self) -> str:
        user = (self._parts.netloc.rpartition("@")[0] or "postgres") + "@"
        return f"postgresql://{user}127.0.0.1:{self._port}{self._parts.path}"

    async def mend(self) -> None:
        """Listen (again)."""
        self._server = await asyncio.start_server(self._carry, "127.0.0.1", self._port)
        self._port = self._server.sockets[0].getsockname()[1]

    def close(self) -> None:
        """Drop all connections and take no new ones."""
        assert self._server is not None
        self._server.close()
        self.drop()

    def drop(self) -> None:
        """Drop all connections."""
        for writer in tuple(self._open):
            writer.transport.abort()

    def silence(self) -> None:
        """Take everything, and pass nothing on."""
        self._moving.clear()

    def speak(self) -> None:
        """Pass on what was held, and everything after it."""
        self._moving.set()

    def lose(self) -> None:
        """Never pass on anything again for the connections that there are; new ones are well (a failover)."""
        self._moving.clear()
        self._lost.append(self._moving)
        self._moving = asyncio.Event()
        self._moving.set()

    def give_up(self) -> None:
        """Let nothing wait any more; for the end."""
        for moving in (*self._lost, self._moving):
            moving.set()
        self.close()

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        host, port = self._target
        if host.startswith("/"):
            there, back = await asyncio.open_unix_connection(f"{host}/.s.PGSQL.{port}")
        else:
            there, back = await asyncio.open_connection(host, port)
        both, moving = {writer, back}, self._moving
        self._open |= both
        try:
            await asyncio.gather(self._pump(reader, back, moving), self._pump(there, writer, moving))
        except asyncio.CancelledError:
            pass  # the test is over
        finally:
            self._open -= both
            back.transport.abort()
            writer.transport.abort()

    async def _pump(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, moving: asyncio.Event) -> None:
        try:
            while piece := await source.read(1 << 16):
                await moving.wait()
                sink.write(piece)
                await sink.drain()
        except ConnectionError:
            pass
        finally:
            sink.close()


@asynccontextmanager
async def way_to(url: str) -> AsyncIterator[Way]:
    """A way that is open."""
    way = Way(url)
    await way.mend()
    try:
        yield way
    finally:
        way.give_up()


class Stopped:
    """The PostgreSQL server is stopped and started again."""

    def __init__(self, way: Way) -> None:
        self.url = way.url
        self.environment: dict[str, str] = {}
        self._way = way

    async def begin(self, gateway: Gateway) -> None:
        self._way.close()

    async def end(self, gateway: Gateway) -> None:
        await self._way.mend()


class Paused:
    """The PostgreSQL server, or the network to it, takes everything and says nothing (SIGSTOP, a dead router)."""

    def __init__(self, way: Way) -> None:
        self.url = way.url
        self.environment: dict[str, str] = {}
        self._way = way

    async def begin(self, gateway: Gateway) -> None:
        self._way.silence()

    async def end(self, gateway: Gateway) -> None:
        self._way.speak()
