"""Signing in to a server, and what is kept of it."""

import pytest

from coderai.cli.main import run
from tests.cli.conftest import Said

KEY = "WuoWs4ZsMX-7hQ2mB9xTzLr4KpVd1NcYe"
ALICE = {"id": "0190-u", "username": "alice", "roles": [{"name": "auditor"}]}


@pytest.fixture
def signing(api):
    """A server that takes passwords."""
    api.put("GET /api/v2/users/authmethods", {"password": {"enabled": True}})
    api.put("POST /api/v2/users/login", {"session_token": KEY}, 201)
    api.put("POST /api/v2/users/logout", {"message": "bye"})
    api.put("GET /api/v2/users/me", ALICE)
    return api


@pytest.fixture
def coderai(alone, capfd):
    """Run a command that is told nothing about any server."""

    def call(*arguments):
        code = run(list(arguments))
        out, err = capfd.readouterr()
        return Said(code, out, err)

    return call


@pytest.fixture
def password(tmp_path):
    (tmp_path / "pw").write_text("correct horse\n")
    return str(tmp_path / "pw")


def test_signing_in_with_a_password(signing, coderai, password, tmp_path):
    said = coderai("login", signing.url, "-e", "alice@example.com", "--password-file", password)
    assert (said.code, said.err) == (0, f"Signed in to {signing.url} as alice.\n")
    assert signing.asked[1].document == {"email": "alice@example.com", "password": "correct horse"}
    assert "Coder-Session-Token" not in signing.asked[1].headers
    assert [path.read_text().strip() for path in (tmp_path / "config/url", tmp_path / "config/session")] == [
        signing.url,
        KEY,
    ]
    assert {path.stat().st_mode & 0o777 for path in (tmp_path / "config").iterdir()} == {0o600}
    assert (tmp_path / "config").stat().st_mode & 0o777 == 0o700


def test_later_commands_talk_to_that_server(signing, coderai, password):
    coderai("login", signing.url, "-e", "alice", "--password-file", password)
    assert coderai("whoami").out == f"alice (auditor) at {signing.url}\n"
    assert signing.last.headers["Coder-Session-Token"] == KEY


def test_signing_in_with_a_token(signing, coderai, tmp_path):
    assert coderai("login", signing.url + "/", "--token", KEY).code == 0
    assert [each.path for each in signing.asked] == ["/api/v2/users/authmethods", "/api/v2/users/me"]
    assert (tmp_path / "config/session").read_text() == KEY + "\n"


def test_a_token_that_does_not_work_is_not_kept(signing, coderai, tmp_path):
    signing.put("GET /api/v2/users/me", {"message": "signed out", "detail": "not known"}, 401)
    assert coderai("login", signing.url, "--token", KEY).code == 3
    assert not (tmp_path / "config").exists()


def test_a_wrong_password_is_called_so(signing, coderai, password):
    signing.put("POST /api/v2/users/login", {"message": "signed out", "detail": "the password is wrong"}, 401)
    said = coderai("login", signing.url, "-e", "alice", "--password-file", password)
    assert (said.code, said.err) == (3, "error: the password is wrong\n")


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ([], "say --email, or --token"),
        (["-e", "alice"], "say --password-file"),
        (["-e", "alice", "--password-env", "NOT_SET"], "NOT_SET is not set"),
    ],
)
def test_what_is_missing_is_said(signing, coderai, arguments, text):
    said = coderai("login", signing.url, *arguments)
    assert (said.code, text in said.err) == (2, True)


def test_a_server_without_passwords_wants_a_token(signing, coderai, password):
    signing.put("GET /api/v2/users/authmethods", {"password": {"enabled": False}})
    said = coderai("login", signing.url, "-e", "alice", "--password-file", password)
    assert (said.code, "takes no passwords" in said.err) == (2, True)


@pytest.mark.parametrize("address", ["ai.example.com", "http://me:secret@host"])
def test_an_address_that_is_none(coderai, address):
    said = coderai("login", address, "--token", KEY)
    assert (said.code, "secret" in said.err) == (2, False)


def test_signing_out_ends_the_session_and_forgets_it(signing, coderai, tmp_path):
    coderai("login", signing.url, "--token", KEY)
    said = coderai("logout", "-y")
    assert (said.code, said.err) == (0, f"Signed out of {signing.url}.\n")
    assert (signing.last.path, signing.last.headers["Coder-Session-Token"]) == ("/api/v2/users/logout", KEY)
    assert list((tmp_path / "config").iterdir()) == []


def test_signing_out_of_a_session_that_had_ended(signing, coderai, tmp_path):
    coderai("login", signing.url, "--token", KEY)
    signing.put("POST /api/v2/users/logout", {"message": "signed out"}, 401)
    assert coderai("logout", "-y").code == 0
    assert list((tmp_path / "config").iterdir()) == []


def test_signing_out_needs_a_yes(signing, coderai):
    coderai("login", signing.url, "--token", KEY)
    assert coderai("logout").code == 2


def test_signing_out_of_nothing(coderai):
    assert coderai("logout").err == "You are not signed in anywhere.\n"


def test_an_operator_sets_a_password_without_knowing_the_old_one(coderai, password):
    assert coderai("users", "list").code == 0
    for _ in range(2):
        said = coderai("reset-password", "admin", "--password-file", password)
        assert (said.code, said.err) == (0, "The password of admin is set; its sessions have ended.\n")
    assert coderai("reset-password", "nobody", "--password-file", password).code == 4


def test_a_password_is_reset_on_local_data_only(coderai, password, tmp_path):
    assert coderai("--url", "http://127.0.0.1:1", "reset-password", "admin", "--password-file", password).code == 2
    said = coderai("reset-password", "admin", "--password-file", password)
    assert (said.code, f"no database in {tmp_path}" in said.err) == (1, True)


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_shell_gets_its_script(coderai, shell):
    said = coderai("completion", shell)
    assert (said.code, "_CODERAI_COMPLETE" in said.out) == (0, True)
