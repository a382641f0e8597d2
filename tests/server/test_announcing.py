"""What is written down for the command line, and the socket that it uses."""

import tempfile
from pathlib import Path

import pytest

from coderai.api.app import Services
from coderai.control.tokens import Lifetimes
from coderai.errors import BadSettings, StoreUnusable
from coderai.server.listeners import announced, listening_privately
from coderai.settings import Settings
from coderai.store.engine import open_store


async def test_a_directory_that_takes_no_file_is_named(tmp_path: Path):
    (tmp_path / "server.new").mkdir()
    with pytest.raises(StoreUnusable, match=f"cannot write {tmp_path}/server.json: Is a directory"):
        async with announced(tmp_path, tmp_path / "api", "http://x", Settings(data_dir=tmp_path)):
            pass


async def test_a_path_that_is_too_long_for_a_socket_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    long = tmp_path / ("x" * 100)
    long.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(long))
    async with open_store(f"sqlite:///{tmp_path}/c.db", jobs=False) as store:
        services = Services.over(store, settings=Settings(data_dir=tmp_path), lifetimes=Lifetimes())
        with pytest.raises(BadSettings, match=r"TMPDIR names its directory.*too long"):
            async with listening_privately(services):
                pass
    assert list(long.iterdir()) == []
