"""Users and tokens."""

import pytest

USER = {
    "id": "0190-u",
    "username": "alice",
    "email": "a@example.com",
    "status": "active",
    "created_at": "2026-05-04T09:12:33.5Z",
    "roles": [{"name": "auditor", "display_name": "Auditor"}],
}
TOKENS = [
    {
        "id": "WuoWs4ZsMX",
        "token_name": "agents",
        "scopes": ["ai:use"],
        "username": "coder-bot",
        "last_used": "1970-01-01T00:00:00Z",
        "expires_at": "2027-05-04T09:12:33Z",
        "created_at": "2026-05-04T09:12:33Z",
    },
    {"id": "AAAAAAAAAA", "token_name": "laptop", "scopes": ["coder:all"], "username": "admin"},
]
KEY = "WuoWs4ZsMX-7hQ2mB9xTzLr4KpVd1NcYe"


def test_users_list(api, coderai):
    service = {"id": "2", "username": "bot", "status": "active", "is_service_account": True}
    api.put("GET /api/v2/users", {"users": [USER, service], "count": 2})
    assert coderai("users", "list", "-q", "status:active").out.splitlines() == [
        "USERNAME  E-MAIL         ROLES            CREATED AT              STATUS",
        "alice     a@example.com  auditor          2026-05-04T09:12:33.5Z  active",
        "bot                      service account  never                   active",
    ]
    assert api.last.query == {"q": "status:active"}


def test_users_list_as_json_is_the_array(api, coderai):
    api.put("GET /api/v2/users", {"users": [USER], "count": 1})
    assert coderai("users", "list", "-o", "json").json == [USER]


def test_create_a_user_with_a_password_from_a_file(api, coderai, tmp_path):
    (tmp_path / "pw").write_text("correct horse\n")
    api.put("POST /api/v2/users", USER, 201)
    said = coderai(
        "users", "create", "-u", "alice", "-e", "a@x", "--role", "auditor", "--password-file", str(tmp_path / "pw")
    )
    assert said.out == "User alice created (id 0190-u).\n"
    assert "coderai tokens create --user alice" in said.err
    assert api.last.document == {
        "username": "alice",
        "name": "",
        "roles": ["auditor"],
        "email": "a@x",
        "login_type": "password",
        "password": "correct horse",
    }


def test_create_a_user_without_a_password(api, coderai):
    api.put("POST /api/v2/users", USER, 201)
    assert coderai("users", "create", "-u", "alice", "-e", "a@x", "-o", "json").json == USER
    assert api.last.document == {"username": "alice", "name": "", "email": "a@x", "login_type": "none"}


def test_create_a_service_account(api, coderai):
    api.put("POST /api/v2/users", {"id": "1", "username": "coder-bot"}, 201)
    assert coderai("users", "create", "-u", "coder-bot", "--service-account").out.startswith(
        "Service account coder-bot"
    )
    assert api.last.document == {"username": "coder-bot", "name": "", "service_account": True, "login_type": "none"}


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["-e", "a@x"], "--username is missing"),
        (["-u", "a"], "--email is missing"),
        (["-u", "a", "--service-account", "-e", "a@x"], "no e-mail and no password"),
    ],
)
def test_what_is_missing_is_said_where_nobody_can_be_asked(coderai, arguments, text):
    said = coderai("users", "create", *arguments)
    assert said.code == 2
    assert text in said.err


@pytest.mark.parametrize("content", ["", "\n"])
def test_an_empty_password_file(coderai, tmp_path, content):
    (tmp_path / "pw").write_text(content)
    said = coderai("users", "create", "-u", "a", "-e", "a@x", "--password-file", str(tmp_path / "pw"))
    assert said.code == 1
    assert "no password in" in said.err


def test_a_password_on_the_command_line_is_warned_about(api, coderai):
    api.put("POST /api/v2/users", USER, 201)
    assert "can be seen by others" in coderai("users", "create", "-u", "a", "-e", "a@x", "-p", "pw").err
    assert api.last.document["password"] == "pw"


def test_a_token_is_alone_on_stdout(api, coderai):
    api.put("POST /api/v2/users/me/keys/tokens", {"key": KEY}, 201)
    said = coderai("tokens", "create")
    assert (said.code, said.out) == (0, KEY + "\n")
    assert api.last.document == {}


def test_a_token_for_somebody_with_everything(api, coderai):
    api.put("POST /api/v2/users/coder-bot/keys/tokens", {"key": KEY}, 201)
    said = coderai(
        "tokens", "create", "-n", "agents", "--user", "coder-bot", "--lifetime", "1d", "--scope", "ai:use", "-o", "json"
    )
    assert said.json == {"key": KEY}
    assert api.last.document == {"token_name": "agents", "lifetime": 86_400_000_000_000, "scopes": ["ai:use"]}


def test_a_token_that_may_act_for_others(api, coderai):
    api.put("POST /api/v2/users/coder-bot/keys/tokens", {"key": KEY}, 201)
    assert coderai("tokens", "create", "-u", "coder-bot", "--delegate").code == 0
    assert api.last.document == {"delegate": True}


@pytest.mark.parametrize("lifetime", ["90", "-1h", "1D", ""])
def test_a_lifetime_that_is_none(api, coderai, lifetime):
    said = coderai("tokens", "create", f"--lifetime={lifetime}")
    assert said.code == 1
    assert "no duration" in said.err
    assert api.asked == []


def test_tokens_list(api, coderai):
    api.put("GET /api/v2/users/me/keys/tokens", TOKENS)
    assert coderai("tokens", "list", "-a").out.splitlines() == [
        "ID          NAME    SCOPES     OWNER      LAST USED  EXPIRES AT            CREATED AT",
        "AAAAAAAAAA  laptop  coder:all  admin      never      never                 never",
        "WuoWs4ZsMX  agents  ai:use     coder-bot  never      2027-05-04T09:12:33Z  2026-05-04T09:12:33Z",
    ]
    assert api.last.query == {"include_all": "true"}


def test_no_tokens(api, coderai):
    api.put("GET /api/v2/users/me/keys/tokens", None)
    said = coderai("tokens", "list")
    assert (said.out, said.err) == ("", "no tokens\n")
    assert coderai("tokens", "list", "-o", "json").json == []


@pytest.mark.parametrize("wanted", ["agents", "WuoWs4ZsMX", KEY])
def test_a_token_is_removed_by_name_id_or_itself(api, coderai, wanted):
    api.put("GET /api/v2/users/me/keys/tokens", TOKENS)
    api.put("DELETE /api/v2/users/coder-bot/keys/WuoWs4ZsMX", b"", 204)
    said = coderai("tokens", "remove", wanted, "-y")
    assert (said.code, said.err) == (0, "Token agents (WuoWs4ZsMX) of coder-bot removed.\n")
    assert api.last.method == "DELETE"


def test_an_unknown_token_does_not_show_its_secret(api, coderai):
    api.put("GET /api/v2/users/me/keys/tokens", [])
    said = coderai("tokens", "remove", KEY, "-y")
    assert said.code == 4
    assert KEY[11:] not in said.err


def test_removing_needs_a_yes(api, coderai):
    api.put("GET /api/v2/users/me/keys/tokens", TOKENS)
    said = coderai("tokens", "remove", "agents")
    assert said.code == 2
    assert "say --yes" in said.err
    assert api.last.method == "GET"


def test_a_name_that_two_users_gave(api, coderai):
    api.put("GET /api/v2/users/me/keys/tokens", [])
    api.put(
        "GET /api/v2/users/me/keys/tokens",
        [{**TOKENS[0], "token_name": "x"}, {**TOKENS[0], "token_name": "x", "id": "2"}],
    )
    assert coderai("tokens", "remove", "x", "-y").code == 5


def test_names_are_quoted_in_paths(api, coderai):
    api.put("POST /api/v2/users/a%2F..%2Fb/keys/tokens", {"key": KEY}, 201)
    assert coderai("tokens", "create", "--user", "a/../b").code == 0
