"""New encryption keys: nothing is lost, nobody is left blind, and a crash in between does no harm."""

import stat
from pathlib import Path

import pytest

from coderai.control.first_start import first_start
from coderai.control.rotation import Rotated, rotate, rotate_to_new_key
from coderai.control.vault import Vault
from coderai.errors import Conflict, StoreUnusable
from coderai.store import processes
from coderai.store.audit import AuditLog, EntryFilter
from coderai.store.engine import Store, open_store
from coderai.store.secrets import Secrets
from tests.control.test_vault import NEW, OLD, _filled, _opened

OPENED = ['{"region":"eu"}', "sk-0", "sk-1", "sk-2"]


def ids(directory: Path, keys: str) -> tuple[str, ...]:
    return Vault.load(directory, keys).key_ids


async def sealed_with(store: Store) -> frozenset[str]:
    async with store.reading() as db:
        return await Secrets(db).key_ids()


async def test_configured_keys_seal_everything_with_the_first(store: Store, tmp_path: Path):
    await _filled(store, Vault.load(tmp_path, OLD))
    new, old = ids(tmp_path, f"{NEW},{OLD}")
    name = "CODER_EXTERNAL_TOKEN_ENCRYPTION_KEYS"
    assert await rotate(store, tmp_path, f"{NEW},{OLD}") == Rotated(4, new, (old,), name)
    assert await _opened(store, Vault.load(tmp_path, NEW)) == OPENED
    assert (await rotate(store, tmp_path, f"{NEW},{OLD}")).count == 0
    async with store.reading() as db:
        [noted], _ = await AuditLog(db).list(EntryFilter(resource_type="encryption_key"), limit=10)
    assert noted.diff == {"key_ids": {"old": [old], "new": [new], "secret": False}}


async def test_a_key_that_is_missing_is_named_and_nothing_changes(store: Store, tmp_path: Path):
    await _filled(store, Vault.load(tmp_path, OLD))
    [old] = ids(tmp_path, OLD)
    with pytest.raises(StoreUnusable, match=old):
        await rotate(store, tmp_path, NEW)
    assert await sealed_with(store) == {old}


async def test_without_any_key_there_is_nothing_to_seal_with(store: Store, tmp_path: Path):
    with pytest.raises(Conflict, match=r"neither CODER_EXTERNAL_TOKEN_ENCRYPTION_KEYS nor .*secret\.key"):
        await rotate(store, tmp_path, "")
    with pytest.raises(Conflict, match="no key file"):
        await rotate_to_new_key(store, tmp_path, "")
    with pytest.raises(Conflict, match="without --new-key"):
        await rotate_to_new_key(store, tmp_path, OLD)


@pytest.mark.parametrize("known", [[OLD], []], ids=["only the old key", "no key"])
async def test_a_server_that_could_not_read_them_afterwards_forbids_it(
    store: Store, database_url: str, tmp_path: Path, known: list[str]
):
    await _filled(store, Vault.load(tmp_path, OLD))
    new, old = ids(tmp_path, f"{NEW},{OLD}")
    async with open_store(database_url) as server:
        theirs = [key_id for key in known for key_id in ids(tmp_path, key)]
        await processes.introduce(server, key_ids=theirs, providers=[])
        with pytest.raises(Conflict, match=f"does not know the key {new} .*{old if known else 'none'}"):
            await rotate(store, tmp_path, f"{NEW},{OLD}")
    assert await sealed_with(store) == {old}
    assert (await rotate(store, tmp_path, f"{NEW},{OLD}")).count == 4  # it has left


async def test_a_server_that_knows_both_does_not_mind(store: Store, database_url: str, tmp_path: Path):
    await _filled(store, Vault.load(tmp_path, OLD))
    async with open_store(database_url) as server:
        await processes.introduce(server, key_ids=ids(tmp_path, f"{OLD},{NEW}"), providers=[])
        assert (await rotate(store, tmp_path, f"{NEW},{OLD}")).count == 4


async def test_a_server_that_was_thought_dead_still_says_what_it_knows(store: Store, tmp_path: Path, database_url: str):
    await _filled(store, Vault.load(tmp_path, OLD))
    async with open_store(database_url) as server:
        await processes.introduce(server, key_ids=ids(tmp_path, OLD), providers=["one"])
        async with store.transaction() as db:
            await db.exec_driver_sql("DELETE FROM processes")
        await processes.beat(server)
        async with store.reading() as db:
            [known] = await processes.others_alive(store, db)
    assert (known.process_id, known.providers, len(known.key_ids)) == (server.process_id, {"one"}, 1)


async def test_a_key_file_gets_a_new_key(store: Store, tmp_path: Path):
    await first_start(store, tmp_path)
    path = tmp_path / "secret.key"
    before = path.read_text()
    await _filled(store, Vault.load(tmp_path, ""))
    done = await rotate_to_new_key(store, tmp_path, "")
    assert (done.count, done.others, done.place) == (4, (), str(path))
    assert ids(tmp_path, "") == (done.key_id,)
    assert (before != path.read_text(), stat.S_IMODE(path.stat().st_mode)) == (True, 0o600)
    assert await _opened(store, Vault.load(tmp_path, "")) == OPENED
    with pytest.raises(StoreUnusable):
        await _opened(store, Vault.load(tmp_path, before.strip()))


async def test_while_a_server_runs_the_key_file_stays_as_it_was(store: Store, database_url: str, tmp_path: Path):
    await first_start(store, tmp_path)
    before = (tmp_path / "secret.key").read_text()
    await _filled(store, Vault.load(tmp_path, ""))
    async with open_store(database_url) as server:
        await processes.introduce(server, key_ids=ids(tmp_path, ""), providers=[])
        with pytest.raises(Conflict, match="does not know the key"):
            await rotate_to_new_key(store, tmp_path, "")
    assert (tmp_path / "secret.key").read_text() == before
    assert await _opened(store, Vault.load(tmp_path, "")) == OPENED


async def test_a_server_forbids_it_even_when_nothing_is_stored_yet(store: Store, database_url: str, tmp_path: Path):
    await first_start(store, tmp_path)
    async with open_store(database_url) as server:
        await processes.introduce(server, key_ids=ids(tmp_path, ""), providers=[])
        with pytest.raises(Conflict, match="does not know the key"):  # it would seal with the old one
            await rotate_to_new_key(store, tmp_path, "")


async def test_after_a_crash_between_the_two_the_file_still_opens_everything(store: Store, tmp_path: Path):
    await first_start(store, tmp_path)
    path = tmp_path / "secret.key"
    await _filled(store, Vault.load(tmp_path, ""))
    path.write_text(f"{NEW},{path.read_text().strip()}\n")  # the state after the first step
    assert await _opened(store, Vault.load(tmp_path, "")) == OPENED
    await rotate(store, tmp_path, "")
    assert (await rotate_to_new_key(store, tmp_path, "")).count == 4
    assert len(ids(tmp_path, "")) == 1


async def test_who_cannot_open_everything_seals_nothing(store: Store, tmp_path: Path):
    await _filled(store, Vault.load(tmp_path, OLD))
    careful = await Vault.load(tmp_path, NEW).careful(store)
    with pytest.raises(Conflict, match="no secret can be stored here: the database holds secrets"):
        await _filled(store, careful)
    fine = await Vault.load(tmp_path, f"{NEW},{OLD}").careful(store)
    assert await _opened(store, fine) == OPENED


@pytest.mark.parametrize(
    ("theirs", "ours", "odd"),
    [(OLD, OLD, []), (f"{OLD},{NEW}", f"{NEW},{OLD}", []), (OLD, f"{NEW},{OLD}", [NEW]), ("", OLD, [OLD])],
    ids=["same", "another order", "one more here", "none there"],
)
async def test_servers_with_other_keys_are_told_of(
    store: Store, database_url: str, tmp_path: Path, theirs: str, ours: str, odd: list[str]
):
    async with open_store(database_url) as other:
        await processes.introduce(other, key_ids=ids(tmp_path, theirs), providers=[])
        said = await Vault.load(tmp_path, ours).disagreement(store)
    assert (bool(said), [key for key in odd if ids(tmp_path, key)[0] not in said]) == (bool(odd), [])
