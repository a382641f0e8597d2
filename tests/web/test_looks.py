"""How values look."""

from datetime import UTC, datetime

import pytest

from coderai.web import looks

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("number", "text"),
    [(None, "0"), (0, "0"), (999, "999"), (1000, "1k"), (12_345, "12.3k"), (999_960, "1M"), (3_400_000_000, "3.4G")],
)
def test_compact(number, text):
    assert looks.compact(number) == text


@pytest.mark.parametrize(
    ("moment", "text"),
    [
        ("2026-11-21T11:59:55Z", "now"),
        ("2026-11-21T11:59:00Z", "1 min ago"),
        ("2026-11-21T09:59:00Z", "2 h ago"),
        ("2026-11-01T12:00:00Z", "20 d ago"),
        ("2026-11-21T13:30:00Z", "in 1 h"),
    ],
)
def test_ago(moment, text):
    assert looks.ago(moment, NOON) == text


@pytest.mark.parametrize(
    ("end", "text"),
    [
        (None, ""),
        ("2026-11-21T12:00:00.25Z", "250 ms"),
        ("2026-11-21T12:00:01.5Z", "1.5 s"),
        ("2026-11-21T12:02:05Z", "2 min 5 s"),
        ("2026-11-21T14:02:05Z", "2 h 2 min"),
        ("2026-11-21T11:00:00Z", "0 ms"),
    ],
)
def test_lasting(end, text):
    assert looks.lasting("2026-11-21T12:00:00Z", end) == text


def test_hostile_text_is_text():
    assert looks.shown('<script>"&') == "&lt;script&gt;&#34;&amp;"


@pytest.mark.parametrize("character", ["\u202e", "\u2066", "\u200b", "\ufeff", "\u0000", "\u00ad", "\U000e0041"])
def test_what_cannot_be_seen_is_shown_by_its_name(character):
    shown = looks.shown(f"a{character}<b")
    assert character not in shown
    assert f"U+{ord(character):04X}</span>&lt;b" in shown


@pytest.mark.parametrize("text", ["plain\n\ttext", "Grüße, мир, שלום", "👩\u200d💻 ❤\ufe0f"])
def test_honest_text_stays(text):
    assert looks.shown(text) == text


@pytest.mark.parametrize(
    ("text", "pretty"), [('{"a":[1]}', '{\n  "a": [\n    1\n  ]\n}'), ('{"a":', '{"a":'), ("42", "42"), ("", "")]
)
def test_json_is_indented_and_anything_else_left_alone(text, pretty):
    assert looks.pretty(text) == pretty


def test_deep_json_is_left_alone():
    assert looks.pretty("[" * 100_000) == "[" * 100_000
