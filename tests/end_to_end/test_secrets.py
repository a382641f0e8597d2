"""Secrets at rest on the real server: what a thief of the database gets, and what happens with other keys."""

import base64
import os
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from coderai.demo.provider import ScriptedProvider
from tests.end_to_end.asking import Client, calling
from tests.end_to_end.conftest import make_token
from tests.end_to_end.processes import Gateway, coderai
from tests.end_to_end.test_two_servers import admin

OLD, NEW = (base64.b64encode(bytes([number]) * 32).decode() for number in (1, 2))
OPTION = "CODER_EXTERNAL_TOKEN_ENCRYPTION_KEYS"
CENTRAL = "sk-corp-7Qm2xV9pLr4T0123"
PERSONAL = "sk-personal-3Hk8wZ1nBc6Y0123"
AMAZON = "wJalrXUtnFEMI-K7MDENG-bPxRfiCY"
PASSWORD = "correct horse battery 42"
CONFIGURED = pytest.mark.parametrize("keys", ["", OLD], ids=["key file", "configured keys"])


@pytest.fixture
def keys() -> str:
    return ""


@pytest.fixture
async def gateway(tmp_path: Path, provider: tuple[ScriptedProvider, str], keys: str) -> AsyncIterator[Gateway]:
    """A server that keeps a provider with a central key, a personal key, AWS credentials and a password."""
    server = Gateway(tmp_path / "data", provider[1], environment={OPTION: keys})
    await server.start()
    (tmp_path / "password").write_text(PASSWORD)
    (tmp_path / "aws").write_text(f"AKIA0123456789ABCDEF\n{AMAZON}\n")
    await admin(server, "providers", "add", "anthropic", "--name=corp", f"--base-url={provider[1]}", f"--key={CENTRAL}")
    aws = ("--region=eu-west-1", f"--access-key-file={tmp_path / 'aws'}")
    await admin(server, "providers", "add", "bedrock", "--name=amazon", *aws)
    await admin(server, "keys", "set", "corp", f"--key={PERSONAL}")
    password = f"--password-file={tmp_path / 'password'}"
    await admin(server, "users", "create", "-u", "mia", "-e", "mia@example.com", password)
    yield server
    if server.running:
        await server.kill()


async def used(client: Client, provider: ScriptedProvider) -> str:
    """The key that a call through corp went with."""
    assert (await client.ask("messages", "what is there?", stream=False, provider="corp")).status == 200
    return str(provider.seen[-1].headers["X-Api-Key"])


def forms(secret: str) -> list[bytes]:
    """A secret as it could lie in a file: as it is, in base64 at any offset, in hex."""
    raw = secret.encode()
    encoded = [base64.b64encode(b"\0" * shift + raw)[4:-4] for shift in range(3)]
    return [raw, *encoded, raw.hex().encode(), raw.hex().upper().encode(), raw.decode().encode("utf-16-le")]


@CONFIGURED
async def test_a_stolen_database_tells_no_secret(
    gateway: Gateway, provider: tuple[ScriptedProvider, str], tmp_path: Path, keys: str
):
    token = await make_token(gateway)
    async with calling(gateway, token) as client:
        assert await used(client, provider[0]) == PERSONAL
    await gateway.kill()  # the log of SQLite stays as it was
    files = {path.name: path.read_bytes() for path in gateway.data_dir.iterdir() if path.is_file()}
    assert ("secret.key" in files) == (not keys)
    files.pop("secret.key", None)
    assert files["coderai.db-wal"]
    whole = b"".join(files.values())
    secrets = (CENTRAL, PERSONAL, AMAZON, PASSWORD, token, token.partition("-")[2])
    assert not [
        (name, secret[:8])
        for name, data in files.items()
        for secret in secrets
        for form in forms(secret)
        if form in data
    ]
    there = ("what is there?", "corp", "mia@example.com", token[:10])  # the search looked at something
    assert not [word for word in there if word.encode() not in whole]
    assert [form for form in forms(CENTRAL) if form in base64.b64encode(f"a {CENTRAL} b".encode())]


@CONFIGURED
async def test_with_the_wrong_key_or_none_the_server_names_it_and_leaves(gateway: Gateway, keys: str):
    assert await gateway.stop() == 0
    arguments = ("server", "--http-address=127.0.0.1:0", f"--data-dir={gateway.data_dir}")
    path = gateway.data_dir / "secret.key"
    if not keys:
        os.rename(path, path.with_suffix(".away"))
    for given in ("", NEW):
        said = await coderai(*arguments, **{OPTION: given})
        assert said.code == 1
        assert re.search(r"encrypted with the key [0-9a-f]{12}; the keys here are: (none|[0-9a-f]{12})\. ", said.err)
        assert (str(path) in said.err, OPTION in said.err, NEW in said.err) == (True, True, False)
        assert not path.exists()  # no second key is made
    listed = await coderai("providers", "list", f"--data-dir={gateway.data_dir}", **{OPTION: NEW})
    refused = await coderai("keys", "set", "corp", "--key=x", f"--data-dir={gateway.data_dir}", **{OPTION: NEW})
    assert (listed.code, refused.code) == (1, 5)
    assert "encrypted with the key" in listed.err
    assert "no secret can be stored here" in refused.err
    if not keys:
        os.rename(path.with_suffix(".away"), path)
    await gateway.start()


@pytest.mark.parametrize("keys", [OLD])
async def test_new_keys_while_the_server_runs(gateway: Gateway, provider: tuple[ScriptedProvider, str]):
    rotate = ("db", "rotate-keys", f"--data-dir={gateway.data_dir}")
    early = await coderai(*rotate, **{OPTION: f"{NEW},{OLD}"})
    assert (early.code, "does not know the key" in early.err) == (5, True)

    assert await gateway.stop() == 0
    gateway.environment[OPTION] = f"{OLD},{NEW}"
    await gateway.start()
    async with calling(gateway, await make_token(gateway)) as client:
        assert await used(client, provider[0]) == PERSONAL
        done = await coderai(*rotate, **{OPTION: f"{NEW},{OLD}"})
        assert (done.code, done.out.startswith("3 secrets sealed anew with the key ")) == (0, True), done.err
        assert "take it out of" in done.err
        assert await used(client, provider[0]) == PERSONAL

    assert await gateway.stop() == 0
    gateway.environment[OPTION] = NEW
    await gateway.start()
    async with calling(gateway, await make_token(gateway)) as client:
        assert await used(client, provider[0]) == PERSONAL
        await admin(gateway, "keys", "remove", "corp", "-y")
    assert not [secret for secret in (CENTRAL, PERSONAL, OLD, NEW) if secret in done.out + done.err]


async def test_a_new_key_in_the_key_file(gateway: Gateway, provider: tuple[ScriptedProvider, str]):
    rotate = ("db", "rotate-keys", "--new-key", f"--data-dir={gateway.data_dir}")
    before = (gateway.data_dir / "secret.key").read_text()
    unasked, early = await coderai(*rotate), await coderai(*rotate, "-y")
    assert (unasked.code, early.code, "does not know the key" in early.err) == (2, 5, True)
    assert (gateway.data_dir / "secret.key").read_text() == before
    assert await gateway.stop() == 0
    done = await coderai(*rotate, "-y")
    assert (done.code, done.out.startswith("3 secrets sealed anew")) == (0, True), done.err
    assert (gateway.data_dir / "secret.key").read_text() != before
    await gateway.start()
    async with calling(gateway, await make_token(gateway)) as client:
        assert await used(client, provider[0]) == PERSONAL
