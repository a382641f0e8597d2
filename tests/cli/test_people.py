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
        (["-e", "a@x"], "say --username"),
        (["-u", "a"], "say --email"),
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
    assert (said.out, said.err) == ("", "no tokens of your own; --all lists everybody's\n")
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


def test_a_user_is_shown(api, coderai):
    api.put("GET /api/v2/users/alice", {**USER, "name": "Alice"})
    assert coderai("users", "show", "alice").out.splitlines() == [
        "id         0190-u",
        "username   alice",
        "name       Alice",
        "e-mail     a@example.com",
        "roles      auditor",
        "status     active",
        "last seen  never",
        "created    2026-05-04T09:12:33.5Z",
    ]


def test_a_profile_is_edited(api, coderai):
    api.put("PUT /api/v2/users/me/profile", USER)
    assert coderai("users", "edit", "-n", "Alice B", "-e", "b@example.com").err == "User alice changed.\n"
    assert api.last.document == {"name": "Alice B", "email": "b@example.com"}
    assert coderai("users", "edit", "alice").code == 2


@pytest.mark.parametrize(
    ("arguments", "roles"),
    [
        (["--add", "owner"], ["auditor", "owner"]),
        (["--remove", "auditor"], []),
        (["--set", "user-admin"], ["user-admin"]),
        (["--none"], []),
    ],
)
def test_roles_are_changed(api, coderai, arguments, roles):
    api.put("GET /api/v2/users/alice", USER)
    api.put("PUT /api/v2/users/alice/roles", USER)
    assert coderai("users", "roles", "alice", *arguments).code == 0
    assert api.last.document == {"roles": roles}


@pytest.mark.parametrize(
    "arguments", [["--set", "owner", "--add", "owner"], ["--none", "--set", "owner"], ["--remove", "owner"]]
)
def test_roles_that_make_no_sense(api, coderai, arguments):
    api.put("GET /api/v2/users/alice", USER)
    assert coderai("users", "roles", "alice", *arguments).code == 2


def test_roles_are_shown(api, coderai):
    api.put("GET /api/v2/users/alice", USER)
    assert coderai("users", "roles", "alice").out == "auditor\n"


@pytest.mark.parametrize(("verb", "done"), [("suspend", "suspended"), ("activate", "activated")])
def test_a_status_is_changed(api, coderai, verb, done):
    api.put("GET /api/v2/users/alice", USER)
    api.put(f"PUT /api/v2/users/0190-u/status/{verb}", USER)
    assert coderai("users", verb, "alice").code == 2
    assert coderai("users", verb, "alice", "-y").err == f"User alice {done}.\n"


def test_a_user_is_deleted(api, coderai):
    api.put("GET /api/v2/users/alice", USER)
    api.put("DELETE /api/v2/users/0190-u", {"message": "gone"})
    assert coderai("users", "delete", "alice", "-y").err == "User alice deleted.\n"
    assert coderai("users", "remove", "alice", "-y").err == "User alice deleted.\n"


def test_nobody_is_called_so(coderai):
    said = coderai("users", "suspend", "nobody", "-y")
    assert (said.code, "no user 'nobody'" in said.err) == (4, True)


def test_passwords_are_changed_from_files(api, coderai, tmp_path):
    for name in ("old", "new"):
        (tmp_path / name).write_text(f"the {name} one\n")
    api.put("PUT /api/v2/users/me/password", b"", 204)
    files = ["--password-file", str(tmp_path / "new"), "--old-password-file", str(tmp_path / "old")]
    assert coderai("users", "password", *files).code == 0
    assert api.last.document == {"password": "the new one", "old_password": "the old one"}


def test_a_token_is_viewed_and_expired(api, coderai):
    api.put("GET /api/v2/users/me/keys/tokens", TOKENS)
    api.put("PUT /api/v2/users/coder-bot/keys/WuoWs4ZsMX/expire", b"", 204)
    assert coderai("tokens", "view", "agents").out.splitlines()[:4] == [
        "id         WuoWs4ZsMX",
        "name       agents",
        "owner      coder-bot",
        "scopes     ai:use",
    ]
    assert coderai("tokens", "expire", "agents", "-y").err == "Token agents (WuoWs4ZsMX) of coder-bot expired.\n"


ENTRIES = [
    {
        "id": "2",
        "time": "2026-05-04T09:12:33Z",
        "action": "write",
        "description": "olga changed user mia",
        "ip": "192.0.2.1",
        "user": {"id": "1", "username": "olga"},
        "diff": {
            "roles": {"old": [], "new": ["auditor"], "secret": False},
            "hashed_password": {"old": "", "new": "", "secret": True},
        },
    },
    {"id": "1", "time": "2026-05-04T09:12:32Z", "description": "an unknown user failed to sign in", "user": None},
]


def test_the_audit_log_is_listed(api, coderai):
    api.put("GET /api/v2/audit", {"audit_logs": ENTRIES, "count": 2})
    lines = coderai("audit", "list", "-u", "olga", "--type", "user", "--from", "2026-05-01").out.splitlines()
    assert [line.split("  ")[0] for line in lines] == ["TIME", "2026-05-04T09:12:33Z", "2026-05-04T09:12:32Z"]
    assert lines[1].endswith(
        'olga  changed user mia                   roles: [] → ["auditor"], hashed_password: (secret)  192.0.2.1'
    )
    assert lines[2].strip().endswith("an unknown user failed to sign in")
    assert api.last.query == {"username": "olga", "resource_type": "user", "date_from": "2026-05-01", "limit": "100"}


def test_the_audit_log_as_json_is_the_array(api, coderai):
    api.put("GET /api/v2/audit", {"audit_logs": ENTRIES, "count": 2})
    assert coderai("audit", "list", "-o", "json").json == ENTRIES
