"""Secrets are sealed for one place, with the first key, and open with any key that is there."""

import base64
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coderai.access.sealing import Sealed, Sealer, parse_keys
from coderai.errors import BadSettings, StoreUnusable

OLD, NEW = (base64.b64encode(bytes([number]) * 32).decode() for number in (1, 2))
NONCE = bytes(12)
PLACE = "ai_provider_keys.api_key 01890000"


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_what_is_sealed_opens_again_and_cannot_be_seen(secret: str):
    sealer = Sealer(parse_keys(OLD, "here"))
    sealed = sealer.seal(secret, PLACE, NONCE)
    assert sealer.open(sealed, PLACE) == secret
    assert len(secret) < 4 or secret not in sealed.text


def test_the_first_key_seals_and_every_key_opens():
    old, both = Sealer(parse_keys(OLD, "here")), Sealer(parse_keys(f"{NEW}, {OLD}", "here"))
    before = old.seal("sk-1", PLACE, NONCE)
    assert both.open(before, PLACE) == "sk-1"
    assert both.seal("sk-1", PLACE, NONCE).key_id == both.key_ids[0] != before.key_id


def test_a_missing_key_is_named():
    sealed = Sealer(parse_keys(NEW, "here")).seal("sk-1", PLACE, NONCE)
    with pytest.raises(StoreUnusable, match=f"encrypted with the key {sealed.key_id}, which is not among ours"):
        Sealer(parse_keys(OLD, "here")).open(sealed, PLACE)


@pytest.mark.parametrize("place", ["ai_provider_keys.api_key 01890001", ""])
def test_a_secret_does_not_open_elsewhere(place: str):
    sealer = Sealer(parse_keys(OLD, "here"))
    with pytest.raises(StoreUnusable, match="cannot be read"):
        sealer.open(sealer.seal("sk-1", PLACE, NONCE), place)


@pytest.mark.parametrize("text", ["", "AAAA", "no base64!", base64.b64encode(bytes(40)).decode()])
def test_a_changed_secret_does_not_open(text: str):
    sealer = Sealer(parse_keys(OLD, "here"))
    sealed: Sealed = replace(sealer.seal("sk-1", PLACE, NONCE), text=text)
    with pytest.raises(StoreUnusable, match="cannot be read"):
        sealer.open(sealed, PLACE)


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("", "position 0 is not 32 bytes"),
        (f"{OLD},", "position 1 is not 32 bytes"),
        (f"{OLD},c2hvcnQ=", "position 1 is not 32 bytes"),
        (f"{OLD},{NEW},{OLD}", "position 2 is there twice"),
    ],
)
def test_bad_keys_are_refused_without_being_shown(text: str, wrong: str):
    with pytest.raises(BadSettings, match=wrong) as caught:
        parse_keys(text, "CODER_EXTERNAL_TOKEN_ENCRYPTION_KEYS")
    assert "CODER_EXTERNAL_TOKEN_ENCRYPTION_KEYS" in str(caught.value)
    assert OLD not in str(caught.value)


def test_keys_are_not_in_representations():
    assert base64.b64decode(OLD).decode("latin1") not in repr(parse_keys(OLD, "here"))
    assert "raw" not in repr(parse_keys(OLD, "here"))
