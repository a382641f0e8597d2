"""The search language: rest-api 5 as a table."""

from contextlib import suppress
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coderai.errors import Invalid
from coderai.query import CLIENTS, INTERCEPTIONS, MODELS, SESSIONS, USERS, Filter, Language, read_filter, read_values

MAY_1 = datetime(2026, 5, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("language", "q", "expected"),
    [
        (SESSIONS, "", Filter()),
        (SESSIONS, "   ", Filter()),
        (SESSIONS, 'client:"Coder Agents" provider:openai', Filter(client="Coder Agents", provider="openai")),
        (SESSIONS, 'client:"Coder Agents', Filter(client="Coder Agents")),
        (SESSIONS, '"client":"Unknown"', Filter(client="Unknown")),
        (SESSIONS, "CLIENT:Unknown", Filter(client="Unknown")),
        (SESSIONS, 'client:""', Filter()),
        (SESSIONS, 'client:"" model:m', Filter(model="m")),
        (SESSIONS, 'model:"a:b"', Filter(model="a:b")),
        (SESSIONS, "model:GPT", Filter(model="GPT")),
        (SESSIONS, "session_id:abc", Filter(session_id="abc")),
        (SESSIONS, "on_behalf_of:alice initiator:me", Filter(on_behalf_of="alice", initiator="me")),
        (SESSIONS, 'started_after:"2026-05-01t00:00:00z"', Filter(started_after=MAY_1)),
        (SESSIONS, 'started_after:"2026-05-01T02:30:00+02:30"', Filter(started_after=MAY_1)),
        (
            SESSIONS,
            'started_before:"2026-05-01T00:00:00.123456789Z"',
            Filter(started_before=MAY_1.replace(microsecond=123456)),
        ),
        (INTERCEPTIONS, "alice", Filter(initiator="alice")),
        (INTERCEPTIONS, "model:m alice", Filter(initiator="alice", model="m")),
        (MODELS, "gpt 4o", Filter(model="gpt 4o")),
        (MODELS, "gpt", Filter(model="gpt")),
        (MODELS, '"gpt"', Filter(model='"gpt"')),
        (CLIENTS, "Claude Code", Filter(client="Claude Code")),
    ],
)
def test_a_search_is_understood(language: Language, q: str, expected: Filter) -> None:
    assert read_filter(language, q, {}) == expected


@pytest.mark.parametrize(
    ("language", "q", "field"),
    [
        (SESSIONS, "alice", "q"),
        (SESSIONS, "client:", "q"),
        (SESSIONS, ":x", "q"),
        (SESSIONS, "a:b:c", "q"),
        (SESSIONS, "started_after:2026-05-01T00:00:00Z", "q"),
        (SESSIONS, "foo:bar", "foo"),
        (SESSIONS, "model:a model:b", "model"),
        (SESSIONS, "started_after:yesterday", "started_after"),
        (SESSIONS, 'started_after:"2026-13-01T00:00:00Z"', "started_after"),
        (SESSIONS, 'started_after:"2026-05-01T00:00:00"', "started_after"),
        (SESSIONS, 'started_after:"0001-01-01T00:00:00+01:00"', "started_after"),
        (SESSIONS, 'started_after:"2026-05-01T00:00:00+24:00"', "started_after"),
        (
            SESSIONS,
            'started_after:"2026-05-02T00:00:00Z" started_before:"2026-05-01T00:00:00Z"',
            "started_before",
        ),
        (SESSIONS, "model:\0", "model"),
        (INTERCEPTIONS, "alice initiator:bob", "initiator"),
        (MODELS, "client:x", "client"),
        (CLIENTS, "model:x", "model"),
    ],
)
def test_a_search_is_refused_at_the_right_field(language: Language, q: str, field: str) -> None:
    with pytest.raises(Invalid) as refused:
        read_filter(language, q, {})
    assert [name for name, _ in refused.value.validations] == [field]


def test_wrong_values_are_collected() -> None:
    with pytest.raises(Invalid) as refused:
        read_filter(SESSIONS, "foo:bar started_after:x", {"started_before": "y"})
    assert [name for name, _ in refused.value.validations] == ["foo", "started_after", "started_before"]


def test_plain_parameters_count_too() -> None:
    assert read_filter(SESSIONS, "model:m", {"client": "Coder Agents", "model": "m"}) == Filter(
        model="m", client="Coder Agents"
    )


def test_a_value_given_both_ways_and_different_is_refused() -> None:
    with pytest.raises(Invalid) as refused:
        read_filter(SESSIONS, "model:m", {"model": "n"})
    assert [name for name, _ in refused.value.validations] == ["model"]


def test_a_plain_time_needs_no_quotes() -> None:
    assert read_filter(SESSIONS, "", {"started_after": "2026-05-01T00:00:00Z"}) == Filter(started_after=MAY_1)


def test_a_search_for_users_knows_no_case() -> None:
    assert read_values(USERS, "STATUS:Active Alice", {}) == {"status": "active", "search": "alice"}


@given(st.text(alphabet='ab:" \0\ud800', max_size=30))
def test_no_text_is_too_odd(q: str) -> None:
    with suppress(Invalid):
        read_filter(INTERCEPTIONS, q, {})


@pytest.mark.parametrize(
    ("text", "expected"), [("7d", "2026-11-14T12:00"), ("90m", "2026-11-21T10:30"), ("2026-05-01", "2026-05-01T00:00")]
)
def test_a_time_may_be_told_by_how_long_ago_it_is(text: str, expected: str) -> None:
    now = datetime(2026, 11, 21, 12, tzinfo=UTC)
    assert read_filter(SESSIONS, f"started_after:{text}", {}, now).started_after == datetime.fromisoformat(
        expected
    ).replace(tzinfo=UTC)


@pytest.mark.parametrize("text", ["7x", "tomorrow", "-7d"])
def test_what_is_no_time_stays_none(text: str) -> None:
    with pytest.raises(Invalid) as refused:
        read_filter(SESSIONS, f"started_after:{text}", {}, datetime(2026, 11, 21, 12, tzinfo=UTC))
    assert [name for name, _ in refused.value.validations] == ["started_after"]
