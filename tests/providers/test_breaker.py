"""When a circuit opens, how it closes again, and what is remembered."""

import pytest

from coderai.errors import CircuitOpen
from coderai.providers.breaker import MODEL_CHARACTERS, Breakers, Name, Rule, State
from tests.providers.test_keys import Clock

RULE = Rule(threshold=3, interval=10.0, timeout=30.0, probes=2)


class Bench:
    """Breakers with a clock that is moved by hand; remembers the changes of state."""

    def __init__(self, rule: Rule = RULE, most: int = 1000) -> None:
        self.clock = Clock()
        self.changes: list[str] = []
        self.breakers = Breakers(
            rule, lambda _, before, after: self.changes.append(f"{before} {after}"), self.clock, most
        )

    def enter(self, model: str = "m"):
        return self.breakers.enter("openai", "/v1/responses", model)

    def fail(self, times: int = 1, model: str = "m") -> None:
        for _ in range(times):
            self.enter(model).failed()

    def rejected(self, model: str = "m") -> int:
        """Return the Retry-After of a rejection."""
        with pytest.raises(CircuitOpen, match="circuit breaker is open") as caught:
            self.enter(model)
        return caught.value.retry_after

    @property
    def state(self) -> State:
        return next((state for _, state in self.breakers.states()), State.CLOSED)


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_failures_in_a_row_open_it(bench: Bench):
    bench.fail(2)
    assert bench.state is State.CLOSED
    bench.fail()
    assert (bench.state, bench.rejected(), bench.changes) == (State.OPEN, 30, ["closed open"])


def test_a_success_between_begins_again_and_nothing_is_remembered(bench: Bench):
    bench.fail(2)
    bench.enter().succeeded()
    assert len(bench.breakers) == 0
    bench.fail(2)
    assert bench.state is State.CLOSED


def test_failures_of_the_last_interval_are_forgotten(bench: Bench):
    bench.fail(2)
    bench.clock.now += 10
    bench.fail(2)
    assert bench.state is State.CLOSED
    bench.fail()
    assert bench.state is State.OPEN


def test_without_an_interval_only_a_success_makes_forget():
    bench = Bench(Rule(threshold=2, interval=0))
    bench.fail()
    bench.clock.now += 10_000
    bench.fail()
    assert bench.state is State.OPEN


def test_what_is_given_back_says_nothing(bench: Bench):
    bench.fail(2)
    bench.enter().give_back()
    bench.fail()
    assert bench.state is State.OPEN


def test_only_the_first_verdict_counts(bench: Bench):
    permit = bench.enter()
    permit.give_back()
    permit.failed()
    permit.succeeded()
    assert len(bench.breakers) == 0


def test_the_wait_that_is_named_shrinks(bench: Bench):
    bench.fail(3)
    bench.clock.now += 12.5
    assert bench.rejected() == 18
    bench.clock.now += 17.4
    assert bench.rejected() == 1


def test_as_many_probes_as_allowed_go_out_and_close_it_together(bench: Bench):
    bench.fail(3)
    bench.clock.now += 30
    first, second = bench.enter(), bench.enter()
    assert (bench.state, bench.rejected()) == (State.HALF_OPEN, 5)
    first.succeeded()
    assert bench.rejected() == 5
    second.succeeded()
    assert (bench.state, len(bench.breakers)) == (State.CLOSED, 0)
    assert bench.changes == ["closed open", "open half-open", "half-open closed"]


def test_a_probe_that_fails_opens_it_again(bench: Bench):
    bench.fail(3)
    bench.clock.now += 30
    first, second = bench.enter(), bench.enter()
    first.failed()
    assert (bench.state, bench.rejected()) == (State.OPEN, 30)
    second.succeeded()  # of the round before
    second.failed()
    assert bench.changes == ["closed open", "open half-open", "half-open open"]


def test_a_probe_that_is_given_back_leaves_its_place(bench: Bench):
    bench.fail(3)
    bench.clock.now += 30
    first, second = bench.enter(), bench.enter()
    first.give_back()
    third = bench.enter()
    assert bench.rejected() == 5
    second.succeeded()
    third.succeeded()
    assert bench.state is State.CLOSED


def test_probes_that_stall_do_not_keep_everybody_out(bench: Bench):
    bench.fail(3)
    bench.clock.now += 30
    stalled = [bench.enter(), bench.enter()]
    bench.clock.now += 30
    fresh = [bench.enter(), bench.enter()]
    assert bench.rejected() == 5
    for each in fresh:
        each.succeeded()
    for each in stalled:
        each.give_back()
    assert (bench.state, len(bench.breakers)) == (State.CLOSED, 0)


def test_verdicts_from_before_it_opened_do_not_count(bench: Bench):
    late = [bench.enter() for _ in range(3)]
    bench.fail(3)
    bench.clock.now += 30
    bench.enter()
    late[0].succeeded()
    late[1].failed()
    late[2].give_back()
    assert bench.state is State.HALF_OPEN


def test_models_and_instances_have_circuits_of_their_own(bench: Bench):
    bench.fail(3)
    bench.enter("other").succeeded()
    bench.breakers.enter("anthropic", "/v1/responses", "m").succeeded()
    bench.breakers.enter("openai", "/v1/chat/completions", "m").succeeded()
    assert bench.rejected()


def test_what_is_remembered_is_bounded_and_closed_ones_go_first():
    bench = Bench(most=3)
    bench.fail(3, "open")
    for number in range(10):
        bench.fail(1, f"closed {number}")
    assert len(bench.breakers) == 3
    assert bench.rejected("open")
    for number in range(3):
        bench.fail(3, f"open {number}")
    assert [name.model for name, _ in bench.breakers.states()] == ["open 0", "open 1", "open 2"]


def test_the_one_used_last_stays():
    bench = Bench(most=2)
    bench.fail(2, "a")
    bench.fail(1, "b")
    bench.enter("a")
    bench.fail(1, "c")
    assert {name.model for name, _ in bench.breakers.states()} == {"a", "c"}


def test_long_model_names_are_cut(bench: Bench):
    bench.fail(1, "x" * 100_000)
    name, _ = next(bench.breakers.states())
    assert len(name.model) == MODEL_CHARACTERS


def test_calls_that_are_not_let_through_are_told():
    told: list[Name] = []
    breakers = Breakers(Rule(threshold=1), rejected=told.append)
    breakers.enter("corp", "/v1/messages", "m").failed()
    with pytest.raises(CircuitOpen):
        breakers.enter("corp", "/v1/messages", "m")
    assert told == [Name("corp", "/v1/messages", "m")]
