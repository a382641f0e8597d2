"""The authority in force follows its files, and its end is announced."""

import asyncio
import os
from datetime import UTC, datetime, timedelta

import pytest

from coderai.proxy.ca import Authority, Contexts, pem_of
from coderai.proxy.files import Pair, write_new
from coderai.proxy.issuing import new_authority
from coderai.proxy.renewing import Following, keep_renewed

NOW = datetime.now(UTC)


class Signed:
    """An authority in files, in force, and followed."""

    def __init__(self, files: Pair, life: timedelta) -> None:
        self.files = files
        made = new_authority("First", NOW, life)
        write_new(files, made.certificate_pem, pem_of(made.key))
        self.contexts = Contexts(Authority.load(files.cert, files.key, now=NOW))
        self.following = Following(self.contexts, files)

    def write(self, made: Authority) -> None:
        for path, content in ((self.files.cert, made.certificate_pem), (self.files.key, pem_of(made.key))):
            new = path.with_suffix(".new")
            new.write_bytes(content)
            new.chmod(0o600)
            os.replace(new, path)

    def look(self, later: timedelta = timedelta()) -> None:
        self.following.look(NOW + later)


@pytest.fixture
def signed(tmp_path):
    def make(life: timedelta = timedelta(days=400)) -> Signed:
        return Signed(Pair(tmp_path / "ca.pem", tmp_path / "ca.key"), life)

    return make


def test_new_files_are_taken(signed):
    one, second = signed(), new_authority("Second", NOW)
    one.write(second)
    one.look()
    assert one.contexts.authority.certificate_pem == second.certificate_pem


async def test_the_job_looks_again_and_again(signed):
    one, second = signed(), new_authority("Second", NOW)
    async with asyncio.timeout(10), asyncio.TaskGroup() as tasks:
        job = tasks.create_task(keep_renewed(one.contexts, one.files, every=timedelta()))
        one.write(second)
        while one.contexts.authority.certificate_pem != second.certificate_pem:
            await asyncio.sleep(0)
        job.cancel()


def test_files_that_did_not_change_are_not_read(signed):
    one = signed()
    before = one.contexts.authority
    one.look()
    assert one.contexts.authority is before


@pytest.mark.parametrize("there", ["cert", "key"])
def test_files_that_cannot_be_used_change_nothing_and_are_complained_about_once(signed, there, caplog):
    one = signed()
    before = one.contexts.authority
    getattr(one.files, there).unlink()
    one.look()
    one.look()
    assert one.contexts.authority is before
    (record,) = caplog.records
    assert "the old one stays" in record.getMessage()


def test_half_of_a_change_waits_for_the_other_half(signed):
    one, second = signed(), new_authority("Second", NOW)
    one.files.cert.write_bytes(second.certificate_pem)
    one.look()
    one.files.key.write_bytes(pem_of(second.key))
    one.look()
    assert one.contexts.authority.certificate_pem == second.certificate_pem


def test_a_near_end_is_announced_once_a_day(signed, caplog):
    one = signed(timedelta(days=31))
    for hours in (0, 25, 30, 48, 50):
        one.look(timedelta(hours=hours))
    assert ["ends soon" in each.getMessage() for each in caplog.records] == [True, True]


def test_after_a_renewal_nothing_is_announced(signed, caplog):
    one = signed(timedelta(days=3))
    one.look()
    caplog.clear()
    one.write(new_authority("Second", NOW))
    one.look(timedelta(days=2))
    assert [each.getMessage() for each in caplog.records if each.levelname == "WARNING"] == []
