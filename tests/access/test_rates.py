"""How often somebody may do something."""

from coderai.access.rates import Rate


def test_a_minutes_worth_comes_in_one_go_and_the_rest_at_the_rate() -> None:
    rate = Rate(4)
    assert [rate.take("a", 100.0) for _ in range(6)] == [0, 0, 0, 0, 15, 15]
    assert [rate.take("a", moment) for moment in (114.0, 115.0, 115.0, 200.0)] == [1, 0, 15, 0]


def test_everybody_has_an_own_account() -> None:
    rate = Rate(1)
    assert [rate.take(key, 0.0) for key in ("a", "b", "a")] == [0, 0, 60]


def test_zero_is_no_limit() -> None:
    assert {Rate(0).take("a", 0.0) for _ in range(100)} == {0}


def test_a_flood_of_keys_costs_no_more_memory_than_allowed() -> None:
    rate = Rate(1, keys=2)
    assert [rate.take(key, 0.0) for key in ("a", "b", "c", "c", "a")] == [0, 0, 0, 60, 0]
