"""Usage: what a person, a pipe and a spreadsheet get."""

import re

import pytest

TOKENS = {"input_tokens": 8, "output_tokens": 9, "cache_read_input_tokens": 10, "cache_write_input_tokens": 11}
BODY = {
    "by": ["user", "model"],
    "count": 2,
    "groups": [
        {"user": {"id": "1", "username": "mia"}, "model": "opus", "interceptions": 3, "token_usage_summary": TOKENS},
        {"user": {"id": "2", "username": "=cmd"}, "model": "haiku", "interceptions": 1, "token_usage_summary": {}},
    ],
    "total": {"interceptions": 4, "token_usage_summary": TOKENS},
}


def test_a_summary_has_a_line_per_group_and_a_total(api, coderai):
    api.put("GET /api/v2/ai/usage", BODY)
    said = coderai("usage", "summary", "--by", "user,model", "--client", "Codex")
    assert said.out.splitlines() == [
        "USER   MODEL  EXCHANGES  IN  OUT  CACHE READ  CACHE WRITE",
        "mia    opus   3          8   9    10          11",
        "=cmd   haiku  1          0   0    0           0",
        "total         4          8   9    10          11",
    ]
    assert "last 30 days" in said.err
    asked = api.last.query
    assert (asked["by"], asked["client"], asked["limit"]) == ("user,model", "Codex", "1000")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT[\d:.]+Z", asked["started_after"])


def test_all_times_are_not_narrowed(api, coderai):
    api.put("GET /api/v2/ai/usage", BODY)
    said = coderai("usage", "summary", "--all", "-o", "json")
    assert (said.json, said.err, api.last.query) == (BODY, "", {"by": "user", "limit": "1000"})


def test_csv_holds_no_formula(api, coderai):
    api.put("GET /api/v2/ai/usage", BODY)
    assert coderai("usage", "summary", "--csv", "--all").out.splitlines() == [
        "user,model,exchanges,in,out,cache_read,cache_write",
        "mia,opus,3,8,9,10,11",
        "'=cmd,haiku,1,0,0,0,0",
    ]


@pytest.mark.parametrize(
    ("changed", "text"),
    [({"groups": [], "count": 0}, "nothing was used\n"), ({"count": 9}, "7 further groups are part of the total")],
)
def test_what_is_not_shown_is_said(api, coderai, changed, text):
    api.put("GET /api/v2/ai/usage", BODY | changed)
    assert text in coderai("usage", "summary", "--all").err


STRETCH = {"interceptions": 3, "errors": 1, "users": 2, "sessions": 1, "token_usage_summary": TOKENS}
SERIES = {
    "interval": "day",
    "buckets": [{"start": "2026-11-20T00:00:00Z", **STRETCH}, {"start": "2026-11-21T00:00:00Z"}],
    "total": STRETCH,
}


def test_a_series_has_a_line_for_each_day(api, coderai):
    api.put("GET /api/v2/ai/usage/series", SERIES)
    assert coderai("usage", "series", "--client", "Codex").out.splitlines() == [
        "DAY         EXCHANGES  ERRORS  USERS  SESSIONS  IN  OUT  CACHE READ  CACHE WRITE",
        "2026-11-20  3          1       2      1         8   9    10          11",
        "2026-11-21  0          0       0      0         0   0    0           0",
        "total       3          1       2      1         8   9    10          11",
    ]
    assert api.last.query == {"interval": "day", "client": "Codex"}


def test_a_series_as_csv_has_hours_in_full(api, coderai):
    api.put("GET /api/v2/ai/usage/series", SERIES)
    lines = coderai("usage", "series", "--interval", "hour", "--csv").out.splitlines()
    assert lines[:2] == [
        "hour,exchanges,errors,users,sessions,in,out,cache_read,cache_write",
        "2026-11-20T00:00:00Z,3,1,2,1,8,9,10,11",
    ]


def test_tools_are_counted(api, coderai):
    api.put("GET /api/v2/ai/usage/tools", {"count": 3, "tools": [{"tool": "Bash", "calls": 2}], "total": 4})
    said = coderai("usage", "tools", "--all")
    assert said.out.splitlines() == ["TOOL   CALLS", "Bash   2", "total  4"]
    assert "2 further tools" in said.err
