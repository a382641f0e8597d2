"""What goes wrong becomes one text on stderr and an exit code."""

import pytest

from coderai.cli.errors import ours
from coderai.errors import Conflict

FIELDS = {
    "message": "Invalid request",
    "detail": "Two things.",
    "validations": [{"field": "email", "detail": "is taken"}],
}


@pytest.mark.parametrize(
    ("status", "code"), [(400, 1), (401, 3), (403, 3), (404, 4), (409, 5), (413, 1), (429, 1), (500, 1), (503, 1)]
)
def test_statuses_become_exit_codes(api, coderai, status, code):
    api.put("GET /api/v2/users", {"message": "no"}, status)
    assert coderai("users", "list").code == code


def test_message_detail_and_fields_are_shown(api, coderai):
    api.put("GET /api/v2/users", FIELDS, 400)
    said = coderai("users", "list")
    assert said.err == "error: Invalid request\nTwo things.\n  email: is taken\n"
    assert said.out == ""


def test_the_same_as_json(api, coderai):
    api.put("GET /api/v2/users", FIELDS, 400)
    said = coderai("users", "list", "-o", "json")
    assert (
        said.err == '{"error": {"status": 400, "message": "Invalid request", "detail": "Two things.", '
        '"validations": [{"field": "email", "detail": "is taken"}]}}\n'
    )


def test_a_hostile_message_gives_no_orders(api, coderai):
    api.put("GET /api/v2/users", {"message": "\x1b[2J gone"}, 400)
    assert coderai("users", "list").err == "error: \\x1b[2J gone\n"


def test_an_error_that_is_no_json(api, coderai):
    api.put("GET /api/v2/users", b"<html>502</html>", 502)
    assert f"{api.url} answered with status 502" in coderai("users", "list").err


@pytest.mark.parametrize("body", [b"<html>", b"[]", b'{"users": 3}', b"\xff"])
def test_an_answer_that_is_something_else(api, coderai, body):
    api.put("GET /api/v2/users", body)
    said = coderai("users", "list")
    assert said.code == 1
    assert "is this a coderai server?" in said.err


def test_a_server_that_is_not_there(coderai):
    said = coderai("users", "list", url="http://127.0.0.1:1")
    assert (said.code, said.err) == (6, "error: no answer from http://127.0.0.1:1: Connection refused\n")


def test_a_name_that_does_not_resolve(coderai):
    assert coderai("users", "list", url="http://nowhere.invalid").code == 6


@pytest.mark.parametrize(
    "arguments",
    [("--bogus",), ("nonsense",), ("users", "bogus"), ("users", "create"), ("sessions", "list", "--limit", "0")],
)
def test_wrong_use(coderai, arguments):
    said = coderai(*arguments)
    assert said.code == 2
    assert said.err.startswith("error: ")
    assert "--help" in said.err


@pytest.mark.parametrize(
    ("arguments", "command"),
    [
        (("users", "create"), "coderai users create"),
        (("users", "create", "--bogus"), "coderai users create"),
        (("users", "bogus"), "coderai users"),
        (("-o", "table", "providers", "add"), "coderai providers add"),
        (("version", "--bogus"), "coderai version"),
        (("nonsense",), "coderai"),
    ],
)
def test_wrong_use_says_whose_help_there_is(coderai, arguments, command):
    assert coderai(*arguments).err.splitlines()[-1] == f"try: {command} --help"


@pytest.mark.parametrize("arguments", [(), ("sessions",), ("tokens",)])
def test_nothing_to_do_shows_the_help_and_no_error(alone, capfd, arguments):
    from coderai.cli.main import run

    assert run(arguments) == 2
    out, err = capfd.readouterr()
    assert "Usage: coderai" in out
    assert err == ""


def test_no_token_is_explained(api, alone, capfd):
    from coderai.cli.main import run

    api.put("GET /api/v2/users", {"message": "Signed out."}, 401)
    assert run(["--url", api.url, "users", "list"]) == 3
    assert "use --token, or set CODERAI_TOKEN" in capfd.readouterr().err


@pytest.mark.parametrize(
    "arguments",
    [
        ("-o", "json", "users", "list", "--limit", "5"),
        ("users", "-o", "json", "list", "--limit", "5"),
        ("users", "list", "--limit", "5", "--output=json"),
        ("users", "list", "-ojson", "--limit=5"),
    ],
)
def test_common_options_go_anywhere(api, coderai, arguments):
    api.put("GET /api/v2/users", {"users": []})
    assert coderai(*arguments).json == []
    assert api.last.query == {"limit": "5"}
    assert api.last.headers["Coder-Session-Token"] == "the-token"


def test_the_last_word_wins(api, coderai):
    api.put("GET /api/v2/users", {"users": []})
    coderai("users", "list", "--token", "other")
    assert api.last.headers["Coder-Session-Token"] == "other"


def test_a_path_in_front_of_the_api(api, coderai):
    api.put("GET /prefix/api/v2/users", {"users": []})
    assert coderai("users", "list", url=api.url + "/prefix/").code == 0


@pytest.mark.parametrize("timeout", ["0", "-1s", "soon"])
def test_a_timeout_that_is_none(coderai, timeout):
    assert coderai("users", "list", f"--timeout={timeout}").code == 1


def test_of_a_group_of_tasks_the_error_for_people_is_taken():
    error = Conflict("taken")
    group = ExceptionGroup("tasks", [ValueError("x"), ExceptionGroup("inner", [error])])
    assert ours(group) is error
    assert ours(odd := ExceptionGroup("tasks", [ValueError("x")])) is odd


def test_the_version(api, coderai):
    api.put("GET /api/v2/buildinfo", {"version": "9.9"})
    assert coderai("version").out == f"coderai 0.1.0\nserver 9.9 at {api.url}\n"
    assert coderai("version", "-o", "json").json == {"version": "0.1.0", "server": "9.9"}


@pytest.mark.parametrize("arguments", [("--help",), ("users", "--help"), ("sessions", "list", "--help")])
def test_help(coderai, arguments):
    said = coderai(*arguments)
    assert (said.code, said.err) == (0, "")
    assert "--data-dir" in said.out


def test_nothing_is_said_twice(api, coderai):
    taken = {
        "message": "a name is taken",
        "detail": "a name is taken",
        "validations": [
            {"field": "name", "detail": "a name is taken"},
            {"field": "email", "detail": "is taken"},
        ],
    }
    api.put("GET /api/v2/users", taken, 409)
    assert coderai("users", "list").err == "error: a name is taken\n  email: is taken\n"


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (("sessions", "show", "nope"), "session 'nope'"),
        (("interceptions", "show", "nope"), "interception 'nope'"),
        (("tokens", "create", "--user", "nope"), "user 'nope'"),
        (("tokens", "list", "--user", "nope"), "user 'nope'"),
    ],
)
def test_what_is_not_there_is_named(api, coderai, arguments, named):
    api.put("GET /api/v2/aibridge/sessions", {"count": 0, "sessions": []})
    said = coderai(*arguments)
    assert (said.code, said.err) == (4, f"error: no {named}\nNot found.\n")
