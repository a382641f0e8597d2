"""Circuit breakers: a provider that fails again and again is left alone for a while.

One circuit per instance, route and model, for all users of the process. Pure: the clock is an argument, verdicts are
told. A circuit exists only while there is something to remember, so that names that clients make up cost nothing.
"""

import math
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, NamedTuple

from coderai.errors import CircuitOpen
from coderai.records import Ending, ErrorType

CIRCUITS: Final = 1000
"""Remembered at most. Beyond it closed ones go first, those not used for longest before the others."""
MODEL_CHARACTERS: Final = 200
"""Of a model's name, which is the client's text."""
PROBING_SECONDS: Final = 5.0
"""Who comes while a half-open circuit has enough probes is asked to come back after at most that time."""
OPEN_TEXT: Final = "circuit breaker is open"


class State(StrEnum):
    """Of a circuit."""

    CLOSED = "closed"
    """All calls go out."""
    OPEN = "open"
    """None goes out until the timeout has passed."""
    HALF_OPEN = "half-open"
    """A few go out as probes."""


class Name(NamedTuple):
    """What a circuit is about."""

    instance: str
    route: str
    """The pattern, which is bounded."""
    model: str


@dataclass(frozen=True, slots=True)
class Rule:
    """When a circuit opens and closes; times in seconds."""

    threshold: int = 5
    """Failures in a row that open it."""
    interval: float = 10.0
    """How often a closed circuit forgets its failures; 0: only when a call succeeds."""
    timeout: float = 30.0
    """How long it stays open."""
    probes: int = 3
    """Calls let through while half-open; when that many succeed in a row it closes."""


Changed = Callable[[Name, State, State], None]
"""Told of every change of state: from, to."""
Rejected = Callable[[Name], None]
"""Told of every call that was not let through."""


class _Circuit:
    __slots__ = ("count", "let_in", "since", "state", "term")

    def __init__(self, now: float) -> None:
        self.state = State.CLOSED
        self.since = now
        """Closed: when its failures were last forgotten. Open: when it opened. Half-open: when the present probes
        began."""
        self.count = 0
        """In a row. Closed: failures. Half-open: successes."""
        self.let_in = 0
        """Half-open: probes on their way or successful."""
        self.term = 0
        """Half-open: number of this attempt to close, so that verdicts of earlier probes are told apart."""


class Permit:
    """One call that was let through. The first verdict counts; what comes to none must be given back."""

    __slots__ = ("_breakers", "_name", "_term")

    def __init__(self, breakers: "Breakers", name: Name, term: int) -> None:
        self._breakers: Breakers | None = breakers
        self._name = name
        self._term = term
        """0 for a call through a closed circuit."""

    def succeeded(self) -> None:
        """The provider did its work."""
        breakers, self._breakers = self._breakers, None
        if breakers is not None:
            breakers._succeeded(self._name, self._term)

    def failed(self) -> None:
        """The provider was overloaded, broken or not there."""
        breakers, self._breakers = self._breakers, None
        if breakers is not None:
            breakers._failed(self._name, self._term)

    def give_back(self) -> None:
        """Nothing was learned about the provider. Does nothing after a verdict."""
        breakers, self._breakers = self._breakers, None
        if breakers is not None:
            breakers._given_back(self._name, self._term)


class Breakers:
    """All circuits of this process."""

    def __init__(
        self,
        rule: Rule,
        changed: Changed | None = None,
        clock: Callable[[], float] = time.monotonic,
        most: int = CIRCUITS,
        rejected: Rejected | None = None,
    ) -> None:
        self._rule = rule
        self._changed = changed
        self._rejected = rejected
        self._clock = clock
        self._most = most
        self._circuits: OrderedDict[Name, _Circuit] = OrderedDict()
        self._terms = 0

    def __len__(self) -> int:
        return len(self._circuits)

    def enter(self, instance: str, route: str, model: str) -> Permit:
        """Let a call through. Raises CircuitOpen when it must not go out now."""
        name = Name(instance, route, model[:MODEL_CHARACTERS])
        circuit = self._circuits.get(name)
        if circuit is None:
            return Permit(self, name, 0)
        self._circuits.move_to_end(name)
        if circuit.state is not State.CLOSED:
            try:
                self._let_in(name, circuit)
            except CircuitOpen:
                if self._rejected is not None:
                    self._rejected(name)
                raise
        return Permit(self, name, circuit.term)

    def states(self) -> Iterator[tuple[Name, State]]:
        """Yield every circuit that is remembered; all others are closed."""
        for name, circuit in self._circuits.items():
            yield name, circuit.state

    def _let_in(self, name: Name, circuit: _Circuit) -> None:
        rule, now = self._rule, self._clock()
        passed = now - circuit.since
        if circuit.state is State.OPEN:
            if passed < rule.timeout:
                raise CircuitOpen(OPEN_TEXT, max(1, math.ceil(rule.timeout - passed)))
            self._change(name, circuit, State.HALF_OPEN, now)
        elif circuit.let_in >= rule.probes:
            if passed < rule.timeout:
                raise CircuitOpen(OPEN_TEXT, max(1, math.ceil(min(PROBING_SECONDS, rule.timeout - passed))))
            circuit.let_in, circuit.since = 0, now  # probes that stall must not keep everybody out
        circuit.let_in += 1

    def _succeeded(self, name: Name, term: int) -> None:
        circuit = self._circuits.get(name)
        if circuit is None or circuit.term != term:
            return
        if circuit.state is State.HALF_OPEN:
            circuit.count += 1
            if circuit.count < self._rule.probes:
                return
            self._change(name, circuit, State.CLOSED, self._clock())
        del self._circuits[name]

    def _failed(self, name: Name, term: int) -> None:
        now = self._clock()
        circuit = self._circuits.get(name)
        if circuit is None:
            circuit = self._added(name, now)
        elif circuit.term != term:
            return
        if circuit.state is State.CLOSED:
            if self._rule.interval and now - circuit.since >= self._rule.interval:
                circuit.count, circuit.since = 0, now
            circuit.count += 1
            if circuit.count < self._rule.threshold:
                return
        self._change(name, circuit, State.OPEN, now)

    def _given_back(self, name: Name, term: int) -> None:
        circuit = self._circuits.get(name)
        if term and circuit is not None and circuit.term == term:
            circuit.let_in = max(0, circuit.let_in - 1)

    def _change(self, name: Name, circuit: _Circuit, state: State, now: float) -> None:
        before, circuit.state = circuit.state, state
        circuit.since, circuit.count, circuit.let_in = now, 0, 0
        self._terms += 1
        circuit.term = self._terms
        if self._changed is not None:
            self._changed(name, before, state)

    def _added(self, name: Name, now: float) -> _Circuit:
        if len(self._circuits) >= self._most:
            closed = (each for each, circuit in self._circuits.items() if circuit.state is State.CLOSED)
            del self._circuits[next(closed, next(iter(self._circuits)))]
        circuit = self._circuits[name] = _Circuit(now)
        return circuit


_NOT_ITS_DOING: Final = frozenset({Ending.CLIENT_LEFT, Ending.CANCELLED, Ending.REFUSED})
_NO_FAULT: Final = frozenset({ErrorType.BAD_REQUEST, ErrorType.UNAUTHORIZED})


def judge(permit: Permit, ending: Ending, status: int, error_type: ErrorType | None, *, own_key: bool) -> None:
    """Tell what an exchange says about its provider: often nothing, then the permit is given back.

    *status* is what the client got, *error_type* what was wrong inside a stream. The limits of a caller's *own_key*
    are nobody else's.
    """
    if ending in _NOT_ITS_DOING:
        permit.give_back()
    elif status >= 300:
        if (status >= 500 and status != 501) or (status == 429 and not own_key):
            permit.failed()
        else:
            permit.give_back()
    elif ending in (Ending.COMPLETE, Ending.INCOMPLETE):
        permit.succeeded()
    elif ending is not Ending.UPSTREAM_ERROR:
        permit.failed()
    elif error_type in _NO_FAULT or (own_key and error_type is ErrorType.RATE_LIMITED):
        permit.give_back()
    else:
        permit.failed()
