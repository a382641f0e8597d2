"""What the list of sessions is asked for; what changes a search; text with marks."""

from datetime import UTC, datetime

import pytest

from coderai.errors import Invalid
from coderai.query import value_of, with_value
from coderai.web.asked_sessions import Asked, read_time
from coderai.web.looks import marked, plain

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "offset", "expected"),
    [
        ("now", 0, "2026-11-21T12:00:00+00:00"),
        ("9:05", 0, "2026-11-21T09:05:00+00:00"),
        ("09:05:30", 120, "2026-11-21T07:05:30+00:00"),
        ("23:30", 780, "2026-11-22T10:30:00+00:00"),
        ("2026-05-01", -60, "2026-05-01T01:00:00+00:00"),
        ("2026-05-01 9:30", 0, "2026-05-01T09:30:00+00:00"),
        ("2026-05-01T09:30:10", 60, "2026-05-01T08:30:10+00:00"),
        ("2026-05-01T00:00:00Z", 60, "2026-05-01T00:00:00+00:00"),
        ("3d", 60, "2026-11-18T12:00:00+00:00"),
        ("90m ago", 0, "2026-11-21T10:30:00+00:00"),
    ],
)
def test_times_are_read_as_people_write_them(text, offset, expected):
    assert read_time(text, NOON, offset).astimezone(UTC).isoformat() == expected


@pytest.mark.parametrize("text", ["", "x", "25:00", "2026-13-01", "2026-02-30", "1:2", "99999y", "0001-01-01 x"])
def test_what_is_no_time_is_refused(text):
    with pytest.raises(Invalid):
        read_time(text, NOON, 0)


@pytest.mark.parametrize(
    "query",
    [
        {},
        {"range": "7d"},
        {"filter": "client:Codex", "range": "all"},
        {"from": "2d", "to": "1d", "offset": "120"},
        {"filter": "a:b", "cursor": "abc", "page": "3"},
    ],
)
def test_an_address_says_what_was_asked(query):
    assert Asked.of(query).address("/s", cursor=query.get("cursor", ""), page=int(query.get("page", 1))) == "/s" + (
        "?" + "&".join(f"{name}={value.replace(':', '%3A')}" for name, value in query.items()) if query else ""
    )


@pytest.mark.parametrize(
    "query", [{"range": "99d"}, {"page": "x"}, {"offset": "9" * 99}, {"range": "custom"}, {"page": "-1"}]
)
def test_nonsense_in_an_address_is_passed_over(query):
    asked = Asked.of(query)
    assert (asked.page, asked.offset, asked.cursor) == (1, 0, "")
    assert asked.window(NOON).keys() <= {"started_after"}


def test_every_wrong_time_is_named():
    with pytest.raises(Invalid) as refused:
        Asked.of({"from": "x", "to": "y"}).window(NOON)
    assert [field for field, _ in refused.value.validations] == ["from", "to"]


@pytest.mark.parametrize(
    ("q", "key", "value", "expected"),
    [
        ("", "client", "Claude Code", 'client:"Claude Code"'),
        ('client:"Claude Code" model:x', "client", "Codex", "model:x client:Codex"),
        ("CLIENT:x model:y", "client", "", "model:y"),
        ("model:y", "client", 'a"b', "model:y client:ab"),
        ("", "model", "gpt:5", 'model:"gpt:5"'),
    ],
)
def test_a_search_is_changed_in_one_place(q, key, value, expected):
    changed = with_value(q, key, value)
    assert changed == expected
    assert value_of(changed, key) == value.replace('"', "")


def test_what_was_searched_for_is_marked_and_nothing_else_changes():
    assert marked("a<B>b\u202e", "B") == (
        'a&lt;<mark>B</mark>&gt;<mark>b</mark><span class="unseen"'
        ' title="right-to-left override (U+202E)">U+202E</span>'
    )
    assert marked("a.b", ".") == "a<mark>.</mark>b"
    assert marked(None, "x") == ""


def test_a_place_for_text_only_shows_what_is_not_seen_by_its_code():
    assert plain("a\u202eb<") == "a[U+202E]b<"
