"""What is worked out from the moments of a request."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from coderai.observe.timeline import MOST_NOTES, Timeline, Try, current, following
from coderai.records import Answer, End, Ending

END = End(Answer(), Ending.COMPLETE, 200, first_byte_at=datetime.fromtimestamp(1_000_002.5, UTC))


def timeline(**moments: float) -> Timeline:
    """A request that came at 100.0, which was 1,000,000 s after 1970."""
    made = Timeline("POST", wall=1_000_000 * 10**9, arrived=100.0)
    for name, moment in moments.items():
        setattr(made, name, moment)
    return made


def test_time_added_leaves_out_the_body_and_the_provider():
    one = timeline(admitted=100.25, read=105.0, begun=105.25, ending=120.0, ended=120.5)
    one.tries = [Try(105.5), Try(110.0)]
    assert one.added == 0.25 + 0.5 + 0.5


@pytest.mark.parametrize("missing", ["begun", "ended"])
def test_nothing_is_said_about_time_added_when_it_never_came_to_an_end(missing):
    one = timeline(**{"begun": 101.0, "ending": 102.0, "ended": 103.0, missing: 0.0})
    one.tries = [Try(101.5)]
    assert one.added is None
    assert timeline(begun=101.0, ending=102.0, ended=103.0).added is None


def test_the_first_byte_counts_from_the_last_call():
    one = timeline()
    one.tries = [Try(100.5), Try(102.0)]
    assert one.first_byte is None
    one.end = END
    assert one.first_byte == 0.5
    one.end = replace(END, first_byte_at=datetime.fromtimestamp(1_000_000, UTC))
    assert one.first_byte == 0.0


def test_only_so_many_log_lines_are_remembered():
    one = timeline()
    for number in range(MOST_NOTES + 5):
        one.note("event", {"number": number})
    assert len(one.notes) == MOST_NOTES


def test_a_timeline_is_the_current_one_only_inside():
    assert current() is None
    with following(timeline()) as outer:
        with following(timeline()) as inner:
            assert current() is inner
        assert current() is outer
    assert current() is None
