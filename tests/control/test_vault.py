"""The vault: which keys are there, what they open, and that nobody starts half-blind."""

import base64
from datetime import timedelta
from pathlib import Path

import pytest

from coderai.access.sealing import Sealed
from coderai.control.first_start import first_start
from coderai.control.vault import Vault
from coderai.errors import BadSettings, Conflict, StoreUnusable
from coderai.store.engine import Store
from coderai.store.providers import TOPIC, Provider, ProviderKey, Providers
from coderai.store.secrets import PROVIDER_KEY, PROVIDER_SETTINGS
from tests.store.building import NOON

OLD, NEW = (base64.b64encode(bytes([number]) * 32).decode() for number in (1, 2))


async def _filled(store: Store, vault: Vault, keys: int = 3) -> None:
    provider = Provider("p1", "bedrock", "bedrock", "", NOON, NOON)
    async with store.transaction([TOPIC]) as db:
        sealed = vault.seal('{"region":"eu"}', PROVIDER_SETTINGS, "p1")
        await Providers(db).insert(Provider(*(getattr(provider, name) for name in _PLAIN), settings=sealed))
        for number in range(keys):
            secret = vault.seal(f"sk-{number}", PROVIDER_KEY, f"k{number}")
            await Providers(db).insert_key(ProviderKey(f"k{number}", "p1", secret, NOON + timedelta(seconds=number)))


_PLAIN = ("id", "type", "name", "base_url", "created_at", "updated_at")


async def _opened(store: Store, vault: Vault) -> list[str]:
    async with store.reading() as db:
        [provider] = await Providers(db).list()
        assert provider.settings is not None
        settings = vault.open(provider.settings, PROVIDER_SETTINGS, provider.id)
        keys = [vault.open(key.sealed, PROVIDER_KEY, key.id) for key in await Providers(db).keys(["p1"])]
    return [settings, *keys]


async def test_the_key_file_of_the_first_start_is_used(store: Store, tmp_path: Path):
    await first_start(store, tmp_path)
    await _filled(store, Vault.load(tmp_path, ""))
    assert await _opened(store, Vault.load(tmp_path, "")) == ['{"region":"eu"}', "sk-0", "sk-1", "sk-2"]


async def test_keys_change_without_losing_anything(store: Store, tmp_path: Path):
    await _filled(store, Vault.load(tmp_path, OLD), keys=210)
    both, new = Vault.load(tmp_path, f"{NEW},{OLD}"), Vault.load(tmp_path, NEW)
    await both.check(store)
    with pytest.raises(StoreUnusable, match="encrypted with the key"):
        await new.check(store)
    assert await both.rotate(store, (TOPIC,)) == 211
    assert await both.rotate(store, (TOPIC,)) == 0
    await new.check(store)
    assert len(set(await _opened(store, new))) == 211


async def test_the_missing_key_and_the_place_for_it_are_named(store: Store, tmp_path: Path):
    await _filled(store, Vault.load(tmp_path, OLD))
    with pytest.raises(StoreUnusable) as caught:
        await Vault.load(tmp_path, "").check(store)
    [old] = Vault.load(tmp_path, OLD).key_ids
    assert old in str(caught.value)
    assert "the keys here are: none" in str(caught.value)
    assert str(tmp_path / "secret.key") in str(caught.value)


async def test_a_secret_that_was_copied_to_another_row_does_not_open(store: Store, tmp_path: Path):
    vault = Vault.load(tmp_path, OLD)
    sealed = vault.seal("sk-1", PROVIDER_KEY, "k1")
    with pytest.raises(StoreUnusable, match=r"ai_provider_keys\.api_key k2 was changed"):
        vault.open(sealed, PROVIDER_KEY, "k2")


def test_without_a_key_nothing_is_sealed_or_opened(tmp_path: Path):
    vault = Vault.load(tmp_path, "")
    with pytest.raises(Conflict, match="no encryption key here"):
        vault.seal("sk-1", PROVIDER_KEY, "k1")
    with pytest.raises(StoreUnusable, match="there is no key here"):
        vault.open(Sealed("abc", ""), PROVIDER_KEY, "k1")


@pytest.mark.parametrize(
    ("mode", "content", "wrong"),
    [
        (0o640, OLD, "others may read the key file .* chmod 600"),
        (0o600, "", "position 0 is not 32 bytes"),
        (0o600, OLD[:-4], "position 0 is not 32 bytes"),
    ],
)
def test_a_bad_key_file_is_named(tmp_path: Path, mode: int, content: str, wrong: str):
    path = tmp_path / "secret.key"
    path.write_text(content)
    path.chmod(mode)
    with pytest.raises((StoreUnusable, BadSettings), match=wrong):
        Vault.load(tmp_path, "")
