"""``sessions watch``: a line whenever something happened; it ends when the server refuses."""

import json

from tests.cli.test_export import SESSION, SESSIONS

FAST = ("--interval", "0.2")
ENDED = {"message": "Unauthorized", "detail": "expired"}


def test_what_changed_is_shown(api, coderai):
    other = SESSION | {"id": "s2", "initiator": {"id": "u2", "username": "max"}, "last_prompt": "hello"}
    api.put(SESSIONS, {"sessions": [SESSION]})
    api.script(SESSIONS, {"sessions": [other | {"running": 1}, SESSION]})
    api.script(SESSIONS, {"sessions": [other, SESSION]})
    api.script(SESSIONS, ENDED, status=401)
    said = coderai("sessions", "watch", *FAST)
    lines = said.out.splitlines()
    assert [("mia" in line, "max" in line, "running (1)" in line) for line in lines] == [
        (True, False, False),
        (False, True, True),
        (False, True, False),
    ]
    assert said.code == 3
    assert api.last.query == {"limit": "200", "include_running": "true"}


def test_it_begins_with_a_few(api, coderai):
    api.put(SESSIONS, {"sessions": [SESSION | {"id": f"s{n}"} for n in range(5)]})
    api.script(SESSIONS, ENDED, status=401)
    lines = coderai("sessions", "watch", "--last", "2", "-o", "json", *FAST).out.splitlines()
    assert [json.loads(line)["id"] for line in lines] == ["s1", "s0"]


def test_a_prompt_cannot_give_the_terminal_orders(api, coderai):
    api.put(SESSIONS, {"sessions": [SESSION | {"last_prompt": "\x1b[2J"}]})
    api.script(SESSIONS, ENDED, status=401)
    assert "\x1b" not in coderai("sessions", "watch", *FAST).out
