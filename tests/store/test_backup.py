"""Copies of an SQLite database that is in use."""

import os
from pathlib import Path

import pytest

from coderai.errors import CoderaiError, Conflict, StoreUnavailable, StoreUnusable
from coderai.server.upkeep import backup as backup_of
from coderai.server.upkeep import migrate
from coderai.store import schema
from coderai.store.backup import backup
from coderai.store.engine import open_store, revision_of
from coderai.store.migrations import HEAD
from tests.store.building import begun, ended, interception, usage
from tests.store.looking import rows


async def test_a_copy_made_while_the_store_is_open_holds_what_was_recorded(tmp_path: Path) -> None:
    source, target = tmp_path / "coderai.db", tmp_path / "copy.db"
    async with open_store(f"sqlite:///{source}") as store:
        it = interception(prompt="hello")
        await store.records.commit([begun(it), ended(it, usage())])
        assert backup(source, target) == target.stat().st_size
        later = interception(1)
        await store.records.commit([begun(later), ended(later)])
    assert target.stat().st_mode & 0o777 == 0o600
    async with open_store(f"sqlite:///{target}", create=False) as copy:
        assert [row["id"] for row in await rows(copy, schema.interceptions)] == [it.id]


async def test_a_copy_never_replaces_a_file_unasked(tmp_path: Path) -> None:
    async with open_store(f"sqlite:///{tmp_path}/coderai.db"):
        (tmp_path / "copy.db").write_text("precious")
        with pytest.raises(Conflict, match="--force"):
            backup(tmp_path / "coderai.db", tmp_path / "copy.db")
        backup(tmp_path / "coderai.db", tmp_path / "copy.db", replace=True)
    assert (tmp_path / "copy.db").read_bytes().startswith(b"SQLite format 3")


async def test_a_copy_never_replaces_the_database_itself_or_what_is_no_file(tmp_path: Path) -> None:
    source = tmp_path / "coderai.db"
    os.mkfifo(tmp_path / "pipe")
    async with open_store(f"sqlite:///{source}"):
        (tmp_path / "link.db").symlink_to(source)
        for name, what in (
            ("coderai.db", "the database itself"),
            ("link.db", "the database itself"),
            ("pipe", "no file"),
        ):
            with pytest.raises(StoreUnusable, match=f"it is {what}"):
                backup(source, tmp_path / name, replace=True)


def test_what_cannot_be_copied_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "broken.db").write_text("this is no database" * 100)
    with pytest.raises(StoreUnavailable, match="could not be copied"):
        backup(tmp_path / "broken.db", tmp_path / "copy.db")
    with pytest.raises(StoreUnusable, match="cannot write"):
        backup(tmp_path / "broken.db", tmp_path / "none" / "copy.db")
    assert os.listdir(tmp_path) == ["broken.db"]


def test_postgresql_has_its_own_tools(tmp_path: Path) -> None:
    with pytest.raises(CoderaiError, match="pg_dump") as refused:
        backup_of(tmp_path, "postgresql://me:secret@db/x", tmp_path / "copy", replace=False)
    assert "secret" not in str(refused.value)


async def test_migrating_says_from_where_to_where(empty_database_url: str, tmp_path: Path) -> None:
    assert await revision_of(empty_database_url) is None
    assert await migrate(tmp_path, empty_database_url) == (None, HEAD)
    assert await migrate(tmp_path, empty_database_url) == (HEAD, HEAD)
