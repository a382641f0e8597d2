"""Sessions and interceptions: lists, filters, trees."""

import json
from datetime import UTC, datetime

import pytest

from coderai.cli.shapes import SessionDetail, read
from coderai.cli.text import Look
from coderai.cli.tree import session_lines
from coderai.errors import CoderaiError

SESSIONS = "/api/v2/aibridge/sessions"
INTERCEPTIONS = "/api/v2/aibridge/interceptions"
ID = "0b6e3c1a-0000-7000-8000-000000000001"
SUM = {
    "input_tokens": 18234,
    "output_tokens": 3100,
    "cache_read_input_tokens": 9000,
    "cache_write_input_tokens": 0,
    "metadata": {},
}
SESSION = {
    "id": ID,
    "initiator": {"id": "u", "username": "coder-bot"},
    "providers": ["openai"],
    "models": ["gpt-5.3-codex"],
    "client": "Coder Agents",
    "started_at": "2026-05-04T09:12:33Z",
    "threads": 4,
    "token_usage_summary": SUM,
    "last_prompt": "fix the flaky\nlogin test",
    "last_active_at": "2026-05-04T09:13:00Z",
}
STEP = {
    "interception_id": "i1",
    "model": "gpt-5.3-codex",
    "provider_name": "azure-openai",
    "started_at": "2026-05-04T09:12:33Z",
    "ended_at": "2026-05-04T09:12:50Z",
    "prompt": "fix the flaky login test",
    "token_usage": {"input_tokens": 2100, "output_tokens": 140},
    "thinking": [{"text": "The test waits for\nthe wrong thing."}],
    "tool_calls": [{"tool": "read_file", "input": '{"path":"tests/test_login.py"}'}],
}
LAST = {**STEP, "prompt": None, "thinking": [], "tool_calls": [], "ending": "broken_off", "error": "it broke \x1b[2J"}
THREAD = {
    "id": "i1",
    "prompt": "fix the flaky login test",
    "model": "gpt-5.3-codex",
    "provider": "openai",
    "credential_kind": "centralized",
    "credential_hint": "8f2a...91bc",
    "started_at": "2026-05-04T09:12:33Z",
    "ended_at": "2026-05-04T09:13:14Z",
    "token_usage": SUM,
    "agentic_actions": [STEP],
    "steps": [STEP, LAST],
}
DETAIL = {**SESSION, "ended_at": "2026-05-04T09:15:35Z", "threads": [THREAD]}


def test_sessions_list(api, coderai):
    api.put(f"GET {SESSIONS}", {"count": 37, "sessions": [SESSION]})
    said = coderai("sessions", "list", "--client", "Coder Agents", "--limit", "1", "--since", "2026-05-04")
    assert said.out.splitlines() == [
        "ID                                    INITIATOR  CLIENT        PROVIDER  MODELS         THREADS  IN     OUT   "
        "CACHE R/W  LAST ACTIVE           LAST PROMPT",
        f"{ID}  coder-bot  Coder Agents  openai    gpt-5.3-codex  4        18234  3100  "
        "9000/0     2026-05-04T09:13:00Z  fix the flaky login test",
    ]
    assert said.err == f"1 of 37 sessions. Next page: --after {ID}\n"
    assert api.last.query == {"client": "Coder Agents", "limit": "1", "started_after": "2026-05-04T00:00:00.000000Z"}


def test_every_filter_reaches_the_api(api, coderai):
    api.put(f"GET {SESSIONS}", {"count": 0, "sessions": []})
    given = {
        "client": "Codex",
        "initiator": "me",
        "on_behalf_of": "alice",
        "provider": "openai",
        "provider_name": "azure",
        "model": "m",
        "session_id": "s&/",
        "started_after": "2026-05-01T00:00:00.000000Z",
        "started_before": "2026-05-02T00:00:00.000000Z",
        "q": 'client:"Codex"',
        "limit": "7",
    }
    flags = [f"--{name.replace('_', '-')}={value}" if name != "q" else f"-q{value}" for name, value in given.items()]
    said = coderai("sessions", "list", *flags, "--after", "x")
    assert api.last.query == {**given, "after_session_id": "x"}
    assert said.err == "no sessions\n"


def test_pages_by_cursor(api, coderai):
    api.put(f"GET {SESSIONS}", {"count": 0, "sessions": []})
    coderai("sessions", "list", "--all", "--cursor", "abc")
    assert api.last.query == {"limit": "100", "cursor": "abc"}


def test_a_person_a_service_account_acted_for_is_shown(api, coderai):
    people = [{"id": "1", "username": "alice"}, {"id": "ext-7"}]
    api.put(f"GET {SESSIONS}", {"count": 1, "sessions": [{**SESSION, "on_behalf_of": people}]})
    assert "coder-bot for alice, ext-7" in coderai("sessions", "list", "--all").out
    api.put(f"GET {SESSIONS}/{ID}", {**DETAIL, "on_behalf_of": people[:1]})
    assert "coder-bot for alice · " in coderai("sessions", "show", ID).out


def test_without_a_time_it_is_the_last_day_and_says_so(api, coderai):
    api.put(f"GET {SESSIONS}", {"count": 0, "sessions": []})
    said = coderai("sessions", "list")
    after = datetime.fromisoformat(api.last.query["started_after"])
    assert 86390 < (datetime.now(UTC) - after).total_seconds() < 86410
    assert "last 24 hours; --all shows all" in said.err


@pytest.mark.parametrize("flags", [["--all"], ["--session-id", "x"], ["-q", 'started_after:"2026-05-01T00:00:00Z"']])
def test_the_last_day_can_be_lifted(api, coderai, flags):
    api.put(f"GET {SESSIONS}", {"count": 0, "sessions": []})
    said = coderai("sessions", "list", *flags)
    assert "started_after" not in api.last.query
    assert "24 hours" not in said.err


def test_since_twice_makes_no_sense(coderai):
    assert coderai("sessions", "list", "--since", "1d", "--started-after", "2d").code == 2


def test_a_date_that_is_none(coderai):
    said = coderai("sessions", "list", "--since", "yesterday")
    assert said.code == 1
    assert "2026" in said.err or "24h" in said.err


def test_json_is_the_body_of_the_api(api, coderai):
    body = b'{"count":1,"sessions":[{"id":"x","unknown":{"kept":true}}]}'
    api.put(f"GET {SESSIONS}", body)
    assert coderai("sessions", "list", "--all", "-o", "json").out == body.decode() + "\n"


def test_a_capped_count(api, coderai):
    api.put(f"GET {SESSIONS}", {"count": 10000, "count_capped": True, "sessions": [SESSION], "next_cursor": "abc"})
    assert coderai("sessions", "list", "--all", "--limit=1").err == (
        f"1 of more than 10000 sessions. Next page: --after {ID}\n"
    )


def test_sessions_show(api, coderai):
    api.put(f"GET {SESSIONS}/{ID}", DETAIL)
    said = coderai("sessions", "show", ID)
    assert said.out.splitlines() == [
        f"Session {ID}   coder-bot · Coder Agents · 2026-05-04 09:12 → 09:15 UTC (3 min 2 s) · "
        "18234 in / 3100 out (cache 9000 read, 0 written)",
        "└─ Thread 1  gpt-5.3-codex via azure-openai (central key 8f2a...91bc)  09:12:33  41 s",
        "   ├─ prompt    fix the flaky login test",
        "   ├─ step 1    2100 in / 140 out",
        "   │  ├─ thinking  The test waits for",
        "   │  │            the wrong thing.",
        '   │  └─ tool      read_file {"path":"tests/test_login.py"}',
        "   └─ step 2    2100 in / 140 out · broken off",
        "      └─ error     it broke \\x1b[2J",
    ]


def test_on_a_terminal_long_texts_are_cut_unless_shown_in_full():
    look = Look(terminal=True, width=44, now=datetime(2026, 5, 4, tzinfo=UTC))
    detail = read(json.dumps(DETAIL).encode(), SessionDetail)
    lines = session_lines(detail, look, full=False)
    assert max(map(len, lines)) == 44
    assert "   │  ├─ thinking  The test waits for ⏎ the…" in lines
    assert "   │  │            the wrong thing." in session_lines(detail, look, full=True)


def test_a_server_without_steps(api, coderai):
    old = {**THREAD, "steps": None}
    api.put(f"GET {SESSIONS}/{ID}", {**DETAIL, "threads": [old]})
    assert "read_file" in coderai("sessions", "show", ID).out


def test_one_thread_of_many(api, coderai):
    threads = [{**THREAD, "id": str(number), "prompt": f"prompt {number}"} for number in (1, 2, 3)]
    api.put(f"GET {SESSIONS}/{ID}", {**DETAIL, "threads": threads})
    out = coderai("sessions", "show", ID, "--thread", "2").out
    assert "Thread 2" in out
    assert "prompt 1" not in out
    assert coderai("sessions", "show", ID, "--thread", "4").code == 4


@pytest.mark.parametrize("part", ["0b6e3c1a…", "0b6e3", "…00000001"])
def test_a_part_of_an_id_is_enough(api, coderai, part):
    api.put(f"GET {SESSIONS}", {"count": 1, "sessions": [SESSION]})
    api.put(f"GET {SESSIONS}/{ID}", DETAIL)
    assert coderai("sessions", "show", part).out.startswith(f"Session {ID}")


def test_an_id_that_is_none(api, coderai):
    api.put(f"GET {SESSIONS}", {"count": 1, "sessions": [SESSION]})
    said = coderai("sessions", "show", "ffffffff")
    assert (said.code, said.err) == (4, "error: no session 'ffffffff'\nNot found.\n")


ONE = {
    "id": "018f",
    "initiator": {"username": "alice"},
    "provider": "anthropic",
    "provider_name": "corp",
    "model": "claude",
    "client": "Claude Code",
    "started_at": "2026-05-04T09:12:33Z",
    "ended_at": "2026-05-04T09:12:35.5Z",
    "token_usages": [{"input_tokens": 3, "output_tokens": 0}, {"input_tokens": 2, "output_tokens": 61}],
    "user_prompts": [{"prompt": "hi"}],
    "tool_usages": [{"tool": "Read", "input": "{}"}, {"tool": "Bash", "input": '{"command":"ls"}'}],
}


def test_interceptions_list(api, coderai):
    api.put(f"GET {INTERCEPTIONS}", {"count": 1, "results": [ONE]})
    said = coderai("interceptions", "list", "--model", "claude", "--after-id", "z")
    assert said.out.splitlines() == [
        "ID    INITIATOR  CLIENT       PROVIDER  MODEL   IN  OUT  TOOLS       STARTED               TOOK   PROMPT",
        "018f  alice      Claude Code  corp      claude  5   61   Read, Bash  2026-05-04T09:12:33Z  2.5 s  hi",
    ]
    assert said.err == "1 of 1 interception.\n"
    assert api.last.query == {"model": "claude", "limit": "100", "after_id": "z"}


def test_interceptions_as_json_are_the_array(api, coderai):
    api.put(f"GET {INTERCEPTIONS}", b'{"count":1,"results":[{"id":"1", "x":1.0}]}')
    assert coderai("interceptions", "list", "-o", "json").out == '[{"id":"1", "x":1.0}]\n'


def test_no_interceptions(api, coderai):
    api.put(f"GET {INTERCEPTIONS}", {"count": 0, "results": []})
    assert coderai("interceptions", "list", "-o", "json").json == []


def test_interceptions_show(api, coderai):
    api.put(f"GET {INTERCEPTIONS}/018f", ONE)
    lines = coderai("interceptions", "show", "018f").out.splitlines()
    assert lines[0] == "Interception 018f"
    assert "├─ took        2.5 s" in lines
    assert '└─ tool      Bash {"command":"ls"}' in lines


def test_no_id_at_all(coderai):
    assert coderai("interceptions", "show", "").code == 1


def test_reading_says_what_is_wrong():
    with pytest.raises(CoderaiError, match="cannot be read"):
        read(b'{"id": 1}', SessionDetail)
