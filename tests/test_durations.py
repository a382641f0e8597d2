import contextlib
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coderai import durations
from coderai.errors import Invalid

NOW = datetime(2026, 3, 10, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("90d", timedelta(hours=90 * 24)),
        ("2w", timedelta(hours=336)),
        ("1y", timedelta(hours=8760)),
        ("1d12h", timedelta(hours=36)),
        ("1d12h30m", timedelta(hours=36, minutes=30)),
        ("1.5h", timedelta(hours=1, minutes=30)),
        ("0", timedelta()),
        ("0s", timedelta()),
        ("100ms", timedelta(milliseconds=100)),
        ("250us", timedelta(microseconds=250)),
        ("250µs", timedelta(microseconds=250)),
        ("3000ns", timedelta(microseconds=3)),
        ("876600h", timedelta(hours=876_600)),
    ],
)
def test_durations_are_sums_of_numbers_with_units(text, expected):
    assert durations.parse(text) == expected


@pytest.mark.parametrize("text", ["90", "-1h", "1D", "d", "", " 1h", "1h ", "1h 2m", "1.h", ".5h", "+1h", "1e3s", "٣h"])
def test_what_is_no_duration_is_refused(text):
    with pytest.raises(Invalid, match="is no duration"):
        durations.parse(text)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("90", "the unit is missing"),
        ("-1h", "cannot be negative"),
        ("1D", "units are lower-case"),
        ("1ns", "finer than a microsecond"),
        ("1001y", "longer than 1000 years"),
        ("9999999999y", "longer than 1000 years"),
    ],
)
def test_the_reason_is_told(text, reason):
    with pytest.raises(Invalid, match=reason):
        durations.parse(text)


@pytest.mark.parametrize(
    ("duration", "go", "short"),
    [
        (timedelta(hours=168), "168h0m0s", "7d"),
        (timedelta(days=60), "1440h0m0s", "60d"),
        (timedelta(hours=36, minutes=30), "36h30m0s", "1d12h30m"),
        (timedelta(seconds=10), "10s", "10s"),
        (timedelta(seconds=90), "1m30s", "1m30s"),
        (timedelta(milliseconds=1500), "1.5s", "1s500ms"),
        (timedelta(milliseconds=100), "100ms", "100ms"),
        (timedelta(microseconds=1500), "1.5ms", "1ms500us"),
        (timedelta(microseconds=7), "7µs", "7us"),
        (timedelta(), "0s", "0"),
    ],
)
def test_durations_are_shown_in_two_forms(duration, go, short):
    assert (durations.go_form(duration), durations.shortest(duration)) == (go, short)


@settings(deadline=None)
@given(st.timedeltas(min_value=timedelta(), max_value=timedelta(days=365_000)))
def test_both_forms_are_read_back(duration):
    assert durations.parse(durations.shortest(duration)) == duration
    assert durations.parse(durations.go_form(duration)) == duration


@settings(deadline=None)
@given(st.text())
def test_any_text_is_read_or_refused(text):
    with contextlib.suppress(Invalid):
        durations.parse(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-03-01", datetime(2026, 3, 1, tzinfo=UTC)),
        ("2026-03-01T12:30:00Z", datetime(2026, 3, 1, 12, 30, tzinfo=UTC)),
        ("2026-03-01t12:30:00z", datetime(2026, 3, 1, 12, 30, tzinfo=UTC)),
        ("2026-03-01T12:30:00.25+02:00", datetime(2026, 3, 1, 10, 30, 0, 250_000, tzinfo=UTC)),
        ("24h", NOW - timedelta(hours=24)),
        ("24h ago", NOW - timedelta(hours=24)),
        ("1w ago", NOW - timedelta(days=7)),
        ("now", NOW),
    ],
)
def test_moments_are_dates_times_and_how_long_ago(text, expected):
    assert durations.parse_moment(text, NOW) == expected


@pytest.mark.parametrize(
    "text", ["", "yesterday", "2026-13-01", "2026-02-30", "2026-03-01T12:30:00", "2026-W10", "9000y ago", "20260301"]
)
def test_what_is_no_moment_is_refused(text):
    with pytest.raises(Invalid, match="is no moment; write for example"):
        durations.parse_moment(text, NOW)
