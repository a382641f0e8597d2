"""What is done to the local data beside a server, or without one."""

from collections.abc import Mapping
from pathlib import Path

from coderai.control.rotation import Rotated, rotate, rotate_to_new_key
from coderai.control.vault import given_keys
from coderai.errors import CoderaiError
from coderai.settings.forms import sqlite_url
from coderai.store import backup as copying
from coderai.store import checking
from coderai.store.engine import open_store, revision_of
from coderai.store.locations import locate, without_secrets
from coderai.store.migrations import HEAD


async def rotate_keys(
    data_dir: Path, database_url: str | None, environ: Mapping[str, str], *, new_key: bool
) -> Rotated:
    """Seal the secrets of a database anew. Raises StoreUnusable, BadSettings, Conflict; nothing has changed then."""
    url, given = _url(data_dir, database_url), given_keys(environ)
    async with open_store(url, create=False, jobs=False) as store:
        if new_key:
            return await rotate_to_new_key(store, data_dir, given)
        return await rotate(store, data_dir, given)


async def migrate(data_dir: Path, database_url: str | None) -> tuple[str | None, str]:
    """Bring the database up to date; return the schema that it had and the one that it has. Raises StoreError."""
    url = _url(data_dir, database_url)
    before = await revision_of(url)
    async with open_store(url, jobs=False):
        return before, HEAD


async def check(data_dir: Path, database_url: str | None, *, repair: bool) -> checking.Findings:
    """Return what is wrong with the records; with *repair* what was wrong before. Raises StoreError."""
    async with open_store(_url(data_dir, database_url), create=False, jobs=False) as store:
        findings = await checking.check(store)
        if repair and not findings.well:
            await checking.repair(store, findings)
        return findings


def backup(data_dir: Path, database_url: str | None, target: Path, *, replace: bool) -> int:
    """Copy the database; return the size of the copy. Raises CoderaiError."""
    url = _url(data_dir, database_url)
    source = locate(url).path
    if source is None:
        command = f"pg_dump --format=custom --file={target} '{without_secrets(url)}'"
        raise CoderaiError(f"a PostgreSQL database is backed up with its own tools, for example {command}")
    return copying.backup(source, target, replace=replace)


def _url(data_dir: Path, database_url: str | None) -> str:
    return database_url or sqlite_url(data_dir / "coderai.db")
