"""The command on a data directory on which no server runs: it hosts the API itself, as the local owner."""

import json
import re

import pytest

from coderai.cli.main import run
from tests.cli.conftest import Said


@pytest.fixture
def coderai(alone, tmp_path, capfd):
    def call(*arguments):
        code = run(arguments)
        out, err = capfd.readouterr()
        return Said(code, out, err)

    return call


def test_first_use_makes_the_data_and_the_owner(coderai, tmp_path):
    assert [user["username"] for user in coderai("users", "list", "-o", "json").json] == ["admin"]
    assert (tmp_path / "data").stat().st_mode & 0o777 == 0o700
    assert coderai("sessions", "list").err.endswith("no sessions\n")


def test_a_new_data_directory_is_mentioned_once(coderai, tmp_path):
    first, second = coderai("users", "list"), coderai("users", "list")
    assert first.err == f"{tmp_path / 'data'} is new; for data elsewhere say --data-dir or --url.\n"
    assert second.err == ""


def test_people_and_their_tokens(coderai):
    assert coderai("users", "create", "-u", "coder-bot", "--service-account").code == 0
    assert coderai("users", "create", "-u", "alice", "-e", "alice@example.com", "--role", "auditor").code == 0
    token = coderai("tokens", "create", "-n", "agents", "--user", "coder-bot", "--lifetime", "1y").out
    assert re.fullmatch(r"[A-Za-z0-9]{10}-[A-Za-z0-9]{22}\n", token)
    listed = coderai("tokens", "list", "-a").out
    assert "agents" in listed
    assert token[11:-1] not in listed
    assert coderai("tokens", "remove", "agents", "-y").code == 0
    assert coderai("tokens", "list", "-a", "-o", "json").json == []


def test_errors_of_the_api_reach_the_terminal(coderai):
    coderai("users", "create", "-u", "alice", "-e", "alice@example.com")
    assert coderai("users", "create", "-u", "alice", "-e", "other@example.com").code == 5
    said = coderai("users", "create", "-u", "a b", "-e", "nonsense", "-o", "json")
    assert said.code == 1
    fields = {each["field"] for each in json.loads(said.err)["error"]["validations"]}
    assert fields == {"username", "email"}
    assert coderai("tokens", "remove", "nothing", "-y").code == 4
    assert coderai("sessions", "show", "01890000-0000-7000-8000-000000000000").code == 4
    assert coderai("tokens", "create", "--user", "nobody").code == 4


def test_a_lifetime_above_the_maximum(coderai):
    coderai("users", "create", "-u", "alice", "-e", "alice@example.com")
    owner = coderai("tokens", "create", "--lifetime", "30d")
    member = coderai("tokens", "create", "--lifetime", "200y", "--user", "alice")
    assert (owner.code, member.code) == (1, 1)
    assert "lifetime" in owner.err
    assert "lifetime" in member.err


def test_another_database(coderai, tmp_path):
    other = f"sqlite:///{tmp_path}/data/other.db"
    assert coderai("users", "list", "--database-url", other).code == 0
    assert (tmp_path / "data" / "other.db").exists()


def test_a_data_directory_that_cannot_be_made(coderai, tmp_path):
    (tmp_path / "file").write_text("")
    said = coderai("users", "list", "--data-dir", str(tmp_path / "file" / "data"))
    assert said.code == 1
    assert said.err.startswith("error: ")
    assert "internal error" not in said.err


def test_a_database_that_is_none(coderai, tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "coderai.db").write_text("this is no database, but long enough to be looked at" * 40)
    said = coderai("users", "list")
    assert said.code == 1
    assert "internal error" not in said.err


def test_a_configuration_file_names_the_data(coderai, tmp_path, monkeypatch):
    monkeypatch.delenv("CODERAI_DATA_DIR")
    config = tmp_path / "config.yaml"
    config.write_text(f'dataDir: "{tmp_path}/elsewhere"\n')
    assert coderai("users", "list", "--config", str(config)).code == 0
    assert (tmp_path / "elsewhere").is_dir()


def test_a_configuration_file_that_is_not_there(coderai, tmp_path):
    said = coderai("users", "list", "--config", str(tmp_path / "none.yaml"))
    assert said.code == 1
    assert "none.yaml" in said.err
    assert "internal error" not in said.err


def test_secrets_are_read_from_files(coderai, tmp_path, monkeypatch):
    (tmp_path / "url").write_text(f"sqlite:///{tmp_path / 'elsewhere.db'}\n")
    (tmp_path / "keys").write_text("no key\n")
    monkeypatch.setenv("CODERAI_DATABASE_URL_FILE", str(tmp_path / "url"))
    assert coderai("users", "list").code == 0
    assert (tmp_path / "elsewhere.db").exists()
    monkeypatch.setenv("CODER_EXTERNAL_TOKEN_ENCRYPTION_KEYS_FILE", str(tmp_path / "keys"))
    assert "CODER_EXTERNAL_TOKEN_ENCRYPTION_KEYS" in coderai("users", "list").err
    (tmp_path / "keys").unlink()
    said = coderai("users", "list")
    reason = f"CODER_EXTERNAL_TOKEN_ENCRYPTION_KEYS_FILE: {tmp_path / 'keys'} cannot be read: No such file or directory"
    assert (said.code, said.err) == (1, f"error: {reason}\n")
