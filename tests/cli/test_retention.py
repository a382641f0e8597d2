"""Retention and erasure from the command line."""

import re

import pytest

from coderai.cli.main import run

STATE = "GET /api/v2/ai/retention"
RUN = "POST /api/v2/ai/retention/run"
DUE = {"interceptions": 300, "user_prompts": 300, "token_usages": 100, "api_keys": 2, "audit_logs": 5}
SHOWN = {"configured": True, "ai_records": "60d", "api_keys": "7d", "audit_logs": "0", "due": DUE}
USER = {"id": "01900000-0000-7000-8000-000000000001", "username": "mia"}
ERASE = f"POST /api/v2/users/{USER['id']}/erase"
ERASED = {"user_id": USER["id"], "username": "erased-000000000001", "erased": {"interceptions": 9}, "done": True}


def test_what_is_kept_is_shown(api, coderai):
    api.put(STATE, SHOWN | {"oldest_record": "2026-05-04T09:12:33Z"})
    said = coderai("retention", "show")
    assert said.out.splitlines() == [
        "WHAT            KEPT      TOO OLD NOW",
        "exchanges       60d       300",
        "expired tokens  7d        2",
        "audit log       for ever  5",
    ]
    assert said.err == "oldest exchange: 2026-05-04T09:12:33Z\n"


def test_a_dry_run_deletes_nothing(api, coderai):
    api.put(STATE, SHOWN)
    said = coderai("retention", "run", "--dry-run", "--ai-records", "1d")
    assert said.out == "300 exchanges (700 rows), 2 expired tokens, 5 entries of the audit log too old\n"
    assert [(asked.method, asked.query) for asked in api.asked] == [("GET", {"ai_records": "1d"})]


def test_a_run_goes_on_until_nothing_is_left(api, coderai):
    api.put(STATE, SHOWN)
    api.put(RUN, {"deleted": {"interceptions": 200, "api_keys": 2}, "left": 100})
    api.script(RUN, {"deleted": {"interceptions": 100}, "left": 0})
    said = coderai("retention", "run", "--yes", "--audit-logs", "0")
    assert said.out == "300 exchanges (300 rows), 2 expired tokens, 0 entries of the audit log deleted\n"
    assert [asked.document for asked in api.asked[1:]] == [{"audit_logs": "0"}] * 2


def test_a_run_beside_another_one_ends(api, coderai):
    api.put(STATE, SHOWN)
    api.put(RUN, {"deleted": {}, "left": 300})
    assert "300 exchanges are left" in coderai("retention", "run", "--yes").err


def test_nothing_is_deleted_unasked(api, coderai):
    api.put(STATE, SHOWN)
    said = coderai("retention", "run")
    assert (said.code, "say --yes" in said.err, len(api.asked)) == (2, True, 1)


@pytest.mark.parametrize(("output", "text"), [((), "0 exchanges (0 rows)"), (("-o", "json"), '"audit_logs": 0}}')])
def test_nothing_to_do_needs_no_yes(api, coderai, output, text):
    api.put(STATE, SHOWN | {"due": {}})
    said = coderai("retention", "run", *output)
    assert (said.code, text in said.out, len(api.asked)) == (0, True, 1)


def test_without_a_server_the_configuration_counts(alone, capfd, monkeypatch):
    monkeypatch.setenv("CODER_AIBRIDGE_RETENTION", "9d")
    assert run(["retention", "show"]) == 0
    said = capfd.readouterr()
    assert re.search(r"exchanges +9d +0\n", said.out)
    assert "as the configuration here says" in said.err


def test_a_person_is_erased_by_id(api, coderai):
    api.put("GET /api/v2/users/mia", USER)
    api.put(ERASE, ERASED | {"done": False})
    api.script(ERASE, ERASED)
    said = coderai("users", "erase", "mia", "--yes")
    assert said.out == "mia is erased-000000000001 now; the contents of 18 exchanges are gone.\n"


def test_a_deleted_person_is_erased_by_id(api, coderai):
    api.put(ERASE, ERASED | {"running": 2})
    said = coderai("users", "erase", USER["id"], "--yes")
    assert said.code == 0
    assert f"2 exchanges still run: when they have ended, coderai users erase {USER['id']}" in said.err


def test_nobody_is_erased_unasked(api, coderai):
    api.put("GET /api/v2/users/mia", USER)
    assert (coderai("users", "erase", "mia").code, len(api.asked)) == (2, 1)
    assert coderai("users", "erase", "nobody", "--yes").code == 4
