"""Databases for every test: whatever uses ``database_url`` or ``store`` runs on SQLite and on a real PostgreSQL."""

import os
import shutil
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from coderai.store.engine import Store, open_store
from tests import postgres

MEMORY = Path("/dev/shm")
ENOUGH = 2 << 30
"""Bytes for what the tests of a whole run leave behind when they fail."""


def pytest_configure(config: pytest.Config) -> None:
    """Keep temporary files in memory where there is room: the wait for the disk is no subject of a test.

    ``--basetemp`` and PYTEST_DEBUG_TEMPROOT win.
    """
    if MEMORY.is_dir() and os.access(MEMORY, os.W_OK) and shutil.disk_usage(MEMORY).free > ENOUGH:
        os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(MEMORY))


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[postgres.Server]:
    """The PostgreSQL server of this run; without one the test is skipped loudly, or fails if one is required."""
    with postgres.running() as server:
        if server is None and os.environ.get("CODERAI_REQUIRE_POSTGRES") == "1":
            pytest.fail(postgres.MISSING)
        if server is None:
            pytest.skip(postgres.MISSING)
        yield server


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with our tables, to be copied: making them takes longer than most tests."""
    path = tmp_path_factory.mktemp("template") / "coderai.db"
    postgres.run(postgres.make_tables(f"sqlite:///{path}"))
    return path


@pytest.fixture(params=["sqlite", "postgresql"])
def dialect(request: pytest.FixtureRequest) -> str:
    """The database that the test runs on."""
    return str(request.param)


@pytest.fixture
def database_url(request: pytest.FixtureRequest, dialect: str, tmp_path: Path) -> Iterator[str]:
    """A database of the test's own, with our tables."""
    if dialect == "sqlite":
        shutil.copy(request.getfixturevalue("sqlite_template"), tmp_path / "coderai.db")
        yield f"sqlite:///{tmp_path}/coderai.db"
        return
    server: postgres.Server = request.getfixturevalue("postgres_server")
    url = server.fresh()
    yield url
    server.give_back(url)


@pytest.fixture
def empty_database_url(request: pytest.FixtureRequest, dialect: str, tmp_path: Path) -> str:
    """A database of the test's own without tables."""
    if dialect == "sqlite":
        return f"sqlite:///{tmp_path}/coderai.db"
    return str(request.getfixturevalue("postgres_server").empty())


@pytest.fixture
async def store(database_url: str) -> AsyncIterator[Store]:
    """An open store."""
    async with open_store(database_url) as opened:
        yield opened


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say it loudly when one of the two databases was left out."""
    if any(postgres.MISSING in str(report.longrepr) for report in terminalreporter.stats.get("skipped", ())):
        terminalreporter.section("ATTENTION", sep="!", red=True, bold=True)
        terminalreporter.write_line(postgres.MISSING, red=True, bold=True)
