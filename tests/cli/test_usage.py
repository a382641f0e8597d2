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
