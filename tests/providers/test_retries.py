"""Which answers are worth another try, and when it comes."""

from email.utils import formatdate

import pytest
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict

from coderai.providers.retries import NO_RETRIES, Retries, asked_wait, worth_another_try

NOW = 1_790_000_000.0


@pytest.mark.parametrize(
    ("status", "said", "worth"),
    [
        *((status, None, True) for status in (408, 409, 500, 502, 503, 504, 529)),
        *((status, None, False) for status in (200, 301, 400, 401, 402, 403, 404, 413, 422, 429, 501, 505)),
        (500, "false", False),
        (500, " FALSE ", False),
        (500, "maybe", True),
        (400, "true", True),
        (200, "true", False),
        *((status, "true", False) for status in (401, 402, 429)),
    ],
)
def test_worth_another_try(status, said, worth):
    headers = CIMultiDict({} if said is None else {"X-Should-Retry": said})
    assert worth_another_try(status, headers) is worth


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"Retry-After": "7"}, 7.0),
        ({"retry-after": " 7.5 "}, 7.5),
        ({"Retry-After-Ms": "250"}, 0.25),
        ({"Retry-After-Ms": "250", "Retry-After": "1"}, 0.25),
        ({"Retry-After-Ms": "soon", "Retry-After": "1"}, 1.0),
        ({"Retry-After-Ms": "0", "Retry-After": "1"}, 1.0),
        ({"Retry-After": "0"}, None),
        ({"Retry-After": "-1"}, None),
        ({"Retry-After": "nan"}, None),
        ({"Retry-After": "inf"}, None),
        ({"Retry-After": "1e400"}, None),
        ({"Retry-After": ""}, None),
        ({"Retry-After": "soon"}, None),
        ({"Retry-After": formatdate(NOW + 20, usegmt=True)}, 20.0),
        ({"Retry-After": formatdate(NOW - 20, usegmt=True)}, None),
        ({"Retry-After": formatdate(NOW + 20)}, 20.0),
        ({"Retry-After": "Wed, 99 Foo 2026 99:99:99 GMT"}, None),
    ],
)
def test_asked_wait(headers, seconds):
    assert asked_wait(CIMultiDict(headers), NOW) == seconds


@given(st.text(max_size=40))
def test_no_header_breaks_it(text):
    wait = asked_wait(CIMultiDict({"Retry-After": text, "Retry-After-Ms": text}), NOW)
    assert wait is None or 0 < wait < float("inf")


@pytest.mark.parametrize(("chance", "pauses"), [(0.0, [0.5, 1, 2, 4, 8, 8]), (1.0, [0.375, 0.75, 1.5, 3, 6, 6])])
def test_pauses_double_up_to_the_longest_less_a_bit_of_chance(chance, pauses):
    retries = Retries(extra=6, chance=lambda: chance)
    assert [retries.pause(made, 0.0, None) for made in range(7)] == [*pauses, None]


@pytest.mark.parametrize(
    ("made", "elapsed", "asked", "pause"),
    [
        (0, 0.0, 3.0, 3.0),
        (0, 0.0, 8.0, 8.0),
        (0, 0.0, 8.1, None),
        (2, 0.0, 1.0, None),
        (0, 29.0, 1.0, 1.0),
        (0, 29.0, 1.1, None),
        (0, 600.0, None, None),
    ],
)
def test_when_the_next_try_comes(made, elapsed, asked, pause):
    assert Retries().pause(made, elapsed, asked) == pause


def test_switched_off():
    assert NO_RETRIES.pause(0, 0.0, None) is None
