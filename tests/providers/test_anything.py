"""Whatever happens in whatever order: pools against a simple model, and what always holds for breakers."""

from hypothesis import given
from hypothesis import strategies as st

from coderai.errors import CircuitOpen
from coderai.providers.breaker import Breakers, Rule, State
from coderai.providers.keys import COOL_DOWN_SECONDS, LONGEST_SECONDS, KeyPool
from tests.providers.test_keys import NAMES, Clock

SECONDS = st.floats(0.1, 200)
REFUSED = st.tuples(st.integers(0, 2), st.sampled_from([401, 402, 429, 403, 500]), st.none() | st.floats(-1, 1e6))
PERIODS = st.tuples(SECONDS, st.lists(REFUSED, max_size=4))


@given(st.lists(PERIODS, max_size=20))
def test_a_key_is_tried_exactly_when_none_of_its_refusals_lasts(periods):
    clock = Clock()
    pool = KeyPool(NAMES, clock)
    until = [0.0, 0.0, 0.0]
    for seconds, refusals in periods:
        clock.now += seconds
        for index, status, asked in refusals:
            pool.failed(pool._keys[index], status, asked)
            if status in (401, 402, 429):
                lasts = asked if asked is not None and asked > 0 and status != 401 else COOL_DOWN_SECONDS
                until[index] = max(until[index], clock.now + min(lasts, LONGEST_SECONDS))
        expected = [name for name, moment in zip(NAMES, until, strict=True) if moment <= clock.now]
        assert [key.text for key in pool.walk(None)] == expected
        if not expected:
            error = pool.exhausted()
            assert error.status == 502 or 0 <= error.retry_after - (min(until) - clock.now) < 1.001


VERDICTS = st.sampled_from(["succeeded", "failed", "give_back", "keep"])
CALLS = st.tuples(st.floats(0, 12), st.sampled_from("abcde"), VERDICTS, st.booleans())


@given(st.lists(CALLS, max_size=80))
def test_what_always_holds_for_breakers(calls):
    clock = Clock()
    opened_at: dict[str, float] = {}
    rule = Rule(threshold=2, interval=30, timeout=20, probes=2)

    def changed(name, before, after):
        assert (before, after) in {
            (State.CLOSED, State.OPEN),
            (State.OPEN, State.HALF_OPEN),
            (State.HALF_OPEN, State.OPEN),
            (State.HALF_OPEN, State.CLOSED),
        }
        if after is State.OPEN:
            opened_at[name.model] = clock.now

    breakers = Breakers(rule, changed, clock, most=3)
    kept = []
    for seconds, model, verdict, late in calls:
        clock.now += seconds
        if late and kept:
            kept.pop(0).failed()
        try:
            permit = breakers.enter("openai", "/v1/responses", model)
        except CircuitOpen as error:
            wait = error.retry_after
            assert 1 <= wait <= rule.timeout
            continue
        states = {name.model: state for name, state in breakers.states()}
        assert states.get(model) is not State.OPEN
        if states.get(model) is State.HALF_OPEN:
            assert clock.now - opened_at[model] >= rule.timeout
        if verdict == "keep":
            kept.append(permit)
        else:
            getattr(permit, verdict)()
        assert len(breakers) <= 3
        assert all(0 <= circuit.let_in <= rule.probes for circuit in breakers._circuits.values())
