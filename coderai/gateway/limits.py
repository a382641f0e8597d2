"""How much at once, and how often: limits of this process that protect it and the providers from their callers."""

import math
import time
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from coderai.errors import Busy

CAPACITY_TEXT: Final = "AI Gateway is currently at capacity. Please try again later."
RATE_TEXT: Final = "You've been rate limited. Please try again later."
CALLERS: Final = 10_000
"""Remembered at most. Who is forgotten may ask at the full rate again, as after a second of silence."""

_WINDOW: Final = 1.0
_ROUNDING: Final = 1e-6


class Limits:
    """Counts what runs and who asks how often. 0 stands for no limit."""

    def __init__(
        self,
        most_at_once: int = 0,
        per_second: int = 0,
        clock: Callable[[], float] = time.monotonic,
        callers: int = CALLERS,
    ) -> None:
        self._most_at_once = most_at_once
        self._per_second = per_second
        self._clock = clock
        self._callers = callers
        self._paid_until: OrderedDict[str, float] = OrderedDict()
        """By caller: the moment at which what was asked for so far has been earned at the allowed rate."""
        self.refused: Counter[str] = Counter(capacity=0, rate=0)
        """Requests, by the limit that was reached."""
        self.running = 0
        """Requests that are being served now."""

    @contextmanager
    def place(self) -> Iterator[None]:
        """Take one of the places for requests at the same time, for as long as the context lasts. Raises Busy."""
        if self._most_at_once and self.running >= self._most_at_once:
            self.refused["capacity"] += 1
            raise Busy(CAPACITY_TEXT, 503)
        self.running += 1
        try:
            yield
        finally:
            self.running -= 1

    def count(self, caller: str) -> None:
        """Count one request of *caller* (a token's id, or an address where there is none). Raises Busy.

        A whole second's worth may come in one go; after that they come at the rate. A refused request is not counted:
        who keeps asking too fast still gets the allowed number through.
        """
        if not self._per_second:
            return
        now = self._clock()
        paid_until = max(self._paid_until.get(caller, now), now) + 1 / self._per_second
        if paid_until - now > _WINDOW + _ROUNDING:
            self.refused["rate"] += 1
            raise Busy(RATE_TEXT, 429, max(1, math.ceil(paid_until - now - _WINDOW)))
        self._paid_until[caller] = paid_until
        self._paid_until.move_to_end(caller)
        if len(self._paid_until) > self._callers:
            self._paid_until.popitem(last=False)
