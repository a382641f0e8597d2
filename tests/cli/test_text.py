"""Text for people: harmless, short, cut on a terminal only."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from coderai.cli.text import (
    Column,
    Look,
    ago,
    distinct,
    harmless,
    harmless_json,
    lasting,
    moment,
    one_line,
    short,
    table,
    when,
)

NOW = datetime(2026, 5, 4, 9, 15, tzinfo=UTC)
PIPE = Look(terminal=False, width=80, now=NOW)
TERMINAL = Look(terminal=True, width=30, now=NOW)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain größe 日本 👩‍💻", "plain größe 日本 👩‍💻"),
        ("\x1b]0;title\x07", "\\x1b]0;title\\x07"),
        ("\x9b31m", "\\x9b31m"),
        ("a\r\x08b", "a\\x0d\\x08b"),
        ("user\u202etxt.exe", "user\\u202etxt.exe"),
        ("\ud800", "\\ud800"),
        ("\U000e0041", "\\U000e0041"),
        ("two\nlines\ttab", "two\nlines\ttab"),
    ],
)
def test_nothing_gives_orders_to_a_terminal(text, shown):
    assert harmless(text) == shown


def test_one_line_is_one_line():
    assert one_line(" a\r\n\tb\x0b\u2028c ") == "a b c"


def test_escaped_json_is_the_same_document():
    document = {"prompt": "\x1b[31m \x9b \u202e \U000e0041 \\x41 👩‍💻"}
    text = harmless_json(json.dumps(document, ensure_ascii=False))
    assert json.loads(text) == document
    assert harmless(text) == text


@pytest.mark.parametrize(
    ("number", "text"),
    [(0, "0"), (999, "999"), (1000, "1k"), (2140, "2.1k"), (18_234, "18.2k"), (999_999, "1M"), (3_500_000_000, "3.5G")],
)
def test_short_numbers(number, text):
    assert short(number) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-3, "just now"),
        (4, "just now"),
        (59, "59 s ago"),
        (125, "2 min ago"),
        (7300, "2 h ago"),
        (90000, "1 day ago"),
        (200000, "2 days ago"),
    ],
)
def test_how_long_ago(seconds, text):
    assert ago(timedelta(seconds=seconds)) == text


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.42, "0.4 s"), (41, "41 s"), (182, "3 min 2 s"), (7500, "2 h 5 min"), (-1, "0.0 s")]
)
def test_lengths_of_time(seconds, text):
    assert lasting(timedelta(seconds=seconds)) == text


@pytest.mark.parametrize("text", ["", None, "0001-01-01T00:00:00Z", "1970-01-01T00:00:00Z", "nonsense"])
def test_never_has_several_spellings(text):
    assert moment(text) is None
    assert when(text, TERMINAL) == "never"


def test_times_are_relative_on_a_terminal_only():
    assert when("2026-05-04T09:13:00Z", TERMINAL) == "2 min ago"
    assert when("2026-05-04T09:13:00.123456789Z", PIPE) == "2026-05-04T09:13:00.123456789Z"


COLUMNS = [Column("ID", 5), Column("NAME"), Column("LAST PROMPT", 60)]
ROWS = [["0123456789", "x", "a long prompt\nwith lines that go on"], ["1", "y", ""]]


def test_a_pipe_gets_everything():
    assert table(COLUMNS, ROWS, PIPE) == [
        "ID          NAME  LAST PROMPT",
        "0123456789  x     a long prompt with lines that go on",
        "1           y",
    ]


def test_a_terminal_gets_what_fits():
    lines = table(COLUMNS, [*ROWS, ["日本日本", "z", "p"]], TERMINAL)
    assert lines == [
        "ID     NAME  LAST PROMPT",
        "0123…  x     a long prompt wi…",
        "1      y",
        "日本…  z     p",
    ]


@pytest.mark.parametrize(
    ("ids", "shown"),
    [
        (["0b6e3c1a-0000-7000", "1b6e3c1a-0000-7000"], ["0b6e3c1a…", "1b6e3c1a…"]),
        (["01a1fe31-95a0-77fc-b04e", "01a1fe31-95b9-7384-840f"], ["…7fc-b04e", "…384-840f"]),
        (["0b6e3c1a-0000-7000", "0b6e3c1a-0000-7000", "short"], ["0b6e3c1a…", "0b6e3c1a…", "short"]),
        (["x" * 40, "x" * 41], ["x" * 40, "x" * 41]),
    ],
)
def test_ids_are_cut_to_what_tells_them_apart(ids, shown):
    assert distinct(ids, TERMINAL) == shown
    assert distinct(ids, PIPE) == ids


def test_the_widest_cells_give_way():
    columns = [Column("NUMBER"), Column("MODELS", 40), Column("PROMPT", 60)]
    lines = table(columns, [["1234567", "m" * 12, "p" * 50]], Look(terminal=True, width=32, now=NOW))
    assert lines == ["NUMBER   MODELS      PROMPT", "1234567  mmmmmmmmm…  pppppppppp…"]


NARROWING = [
    Column("ID"),
    Column("MODEL", 20, least=8, leaves=2),
    Column("CACHE", leaves=1),
    Column("PROMPT", 60, least=9),
]


@pytest.mark.parametrize(
    ("width", "heads"),
    [(40, "ID   MODEL         CACHE  PROMPT"), (30, "ID   MODEL        PROMPT"), (20, "ID   PROMPT")],
)
def test_columns_leave_before_the_others_say_nothing(width, heads):
    rows = [["123", "m" * 12, "0/0", "p" * 50]]
    assert table(NARROWING, rows, Look(terminal=True, width=width, now=NOW))[0] == heads


def test_a_pipe_loses_no_column():
    assert table(NARROWING, [], PIPE) == ["ID  MODEL  CACHE  PROMPT"]


def test_heads_are_bold_where_colors_are_wanted():
    assert table(COLUMNS, [], Look(terminal=True, width=80, now=NOW, color=True)) == [
        "\x1b[1mID  NAME  LAST PROMPT\x1b[0m"
    ]
