"""Which key is tried when: order, cool-down, sessions, and what is said when none is left."""

import pytest

from coderai.providers.keys import LONGEST_SECONDS, SESSIONS, KeyPool

NAMES = ("sk-first-0123456789", "sk-second-0123456789", "sk-third-0123456789")


class Clock:
    """Stands still until told otherwise."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def pool(clock: Clock) -> KeyPool:
    return KeyPool(NAMES, clock)


def usable(pool: KeyPool, session: str | None = None) -> list[str]:
    """Return the second words of the keys that would be tried."""
    return [key.text.split("-")[1] for key in pool.walk(session)]


def refuse(pool: KeyPool, name: str, status: int = 429, retry_after: float | None = None) -> None:
    pool.failed(next(key for key in pool._keys if name in key.text), status, retry_after)


def test_every_walk_starts_at_the_first_key(pool: KeyPool):
    assert [usable(pool), usable(pool), len(pool)] == [["first", "second", "third"]] * 2 + [3]


def test_a_key_is_shown_masked_only(pool: KeyPool):
    key = next(pool.walk(None))
    assert (key.hint, "0123" in repr(key)) == ("sk...89", False)


@pytest.mark.parametrize(
    ("status", "retry_after", "seconds"),
    [
        (429, 7.0, 7),
        (429, 0.25, 0.25),
        (429, None, 60),
        (429, 0.0, 60),
        (429, -3.0, 60),
        (429, float("nan"), 60),
        (429, float("inf"), 60),
        (429, 1e12, LONGEST_SECONDS),
        (402, None, 60),
        (402, 5.0, 5),
        (401, None, 60),
        (401, 5.0, 60),
    ],
)
def test_a_refused_key_cools_down(pool: KeyPool, clock: Clock, status, retry_after, seconds):
    refuse(pool, "first", status, retry_after)
    assert usable(pool) == ["second", "third"]
    clock.now += seconds - 0.001
    assert usable(pool) == ["second", "third"]
    clock.now += 0.002
    assert usable(pool) == ["first", "second", "third"]


@pytest.mark.parametrize("status", [200, 400, 403, 404, 408, 409, 500, 502, 503, 504, 529])
def test_other_answers_say_nothing_about_the_key(pool: KeyPool, status):
    refuse(pool, "first", status, 30.0)
    assert usable(pool) == ["first", "second", "third"]


def test_a_later_moment_is_never_brought_forward(pool: KeyPool, clock: Clock):
    refuse(pool, "first", 429, 100.0)
    refuse(pool, "first", 429, 1.0)
    refuse(pool, "first", 401)
    clock.now += 99
    assert usable(pool) == ["second", "third"]
    refuse(pool, "first", 429, 5.0)
    clock.now += 4
    assert usable(pool) == ["second", "third"]


def test_a_key_that_is_refused_during_the_walk_is_not_offered_to_another(pool: KeyPool):
    walk = pool.walk(None)
    pool.failed(next(walk), 429, None)
    refuse(pool, "second")
    assert next(walk).text == NAMES[2]


def test_a_session_stays_with_the_key_that_serves_it(pool: KeyPool, clock: Clock):
    refuse(pool, "first")
    second = next(pool.walk("s"))
    pool.worked(second, "s")
    clock.now += 61
    assert usable(pool, "s") == ["second", "first", "third"]
    assert usable(pool, "another") == ["first", "second", "third"]
    refuse(pool, "second")
    assert usable(pool, "s") == ["first", "third"]
    pool.worked(next(pool.walk("s")), "s")
    clock.now += 61
    assert usable(pool, "s") == ["first", "second", "third"]


def test_what_is_remembered_of_sessions_is_bounded(pool: KeyPool, clock: Clock):
    refuse(pool, "first")
    second = next(pool.walk(None))
    for number in range(SESSIONS + 10):
        pool.worked(second, f"s{number}")
        pool.worked(second, "kept")
        pool.worked(second, None)
    clock.now += 61
    assert len(pool._sessions) == SESSIONS
    assert usable(pool, "s0")[0] == "first"
    assert usable(pool, "kept")[0] == usable(pool, f"s{SESSIONS + 9}")[0] == "second"


def test_the_only_key_is_not_taken_out_for_a_time_that_nobody_named(clock: Clock):
    only = KeyPool(NAMES[:1], clock)
    refuse(only, "first", 429, None)
    refuse(only, "first", 402, 0.0)
    assert usable(only) == ["first"]
    refuse(only, "first", 429, 2.0)
    assert usable(only) == []


@pytest.mark.parametrize(
    ("refusals", "status", "retry_after", "text"),
    [
        ([(429, 30.0), (429, 7.2), (429, None)], 429, 8, "all configured keys are rate-limited (retry after 8s)"),
        ([(429, None)] * 3, 429, 60, "all configured keys are rate-limited (retry after 1m0s)"),
        ([(401, None), (429, 90.0), (401, None)], 429, 60, "all configured keys are rate-limited (retry after 1m0s)"),
        ([(401, None)] * 3, 502, None, "all configured keys failed authentication. Contact your Administrator"),
        ([(401, None), (402, 3.0), (401, None)], 429, 3, "all configured keys are rate-limited (retry after 3s)"),
    ],
)
def test_exhausted(pool: KeyPool, refusals, status, retry_after, text):
    for name, (code, wait) in zip(("first", "second", "third"), refusals, strict=True):
        refuse(pool, name, code, wait)
    assert usable(pool) == []
    error = pool.exhausted()
    assert (error.status, error.retry_after, str(error)) == (status, retry_after, text)


def test_exhausted_while_a_key_came_back_names_no_time(pool: KeyPool, clock: Clock):
    for name in ("first", "second", "third"):
        refuse(pool, name, 401)
    clock.now += 61
    error = pool.exhausted()
    assert (error.status, error.retry_after) == (429, None)


def test_it_is_counted_when_a_key_begins_to_cool_down_and_when_none_is_left(pool: KeyPool, clock: Clock):
    for name, status in (("first", 429), ("first", 429), ("second", 401), ("third", 402)):
        refuse(pool, name, status, 5.0)
    assert pool.cooled == {"rate_limited": 1, "unauthorized": 1, "payment_required": 1}
    pool.exhausted()
    assert (pool.exhaustions, pool.count_usable()) == ({"rate_limited": 1, "auth_failed": 0}, 0)
    clock.now += 6
    assert pool.count_usable() == 2
    refuse(pool, "first", 429, 5.0)
    assert pool.cooled["rate_limited"] == 2


def test_the_state_of_every_key_is_told_in_order(pool: KeyPool, clock: Clock):
    refuse(pool, "second", 401)
    refuse(pool, "third", 429, 20)
    clock.now += 5
    assert [(key.text, seconds, why) for key, seconds, why in pool.states()] == [
        (NAMES[0], 0.0, ""),
        (NAMES[1], 55.0, "refused"),
        (NAMES[2], 15.0, "limited"),
    ]
    clock.now += 55
    assert {why for _, _, why in pool.states()} == {""}
