"""Whether a failed call is tried again, and after which pause. Pure: clocks and chance are arguments."""

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Final

from coderai.providers.keys import REFUSALS

_PASSING: Final = frozenset({408, 409, 500, 502, 503, 504, 529})
"""Statuses that another try may cure within seconds. Not 429: the tools wait for as long as the provider says, and
better than a gateway with a client on the line."""


def worth_another_try(status: int, headers: Mapping[str, str]) -> bool:
    """Tell whether an answer is one that may be different next time; the provider's own word goes first.

    Refusals of a key are not: other keys are for them.
    """
    if status < 400 or status in REFUSALS:
        return False
    said = headers.get("x-should-retry", "").strip().lower()
    return said == "true" or (said != "false" and status in _PASSING)


def asked_wait(headers: Mapping[str, str], now: float) -> float | None:
    """Return for how many seconds the provider wants to be left alone, None when it does not say.

    Read are ``Retry-After-Ms`` and ``Retry-After`` (seconds, whole or not, or a date; *now* is the Unix time). What
    is no finite number above 0, and a date that has passed, is no wish.
    """
    for name, unit in (("Retry-After-Ms", 0.001), ("Retry-After", 1.0)):
        if (text := headers.get(name)) is not None:
            seconds = _number(text.strip(), unit) if name == "Retry-After-Ms" else _seconds(text.strip(), now)
            if seconds is not None and 0 < seconds < float("inf"):
                return seconds
    return None


def _seconds(text: str, now: float) -> float | None:
    number = _number(text, 1.0)
    if number is not None:
        return number
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    if moment.tzinfo is None:  # "-0000": a moment in UTC from an unknown place
        moment = moment.replace(tzinfo=UTC)
    return moment.timestamp() - now


def _number(text: str, unit: float) -> float | None:
    try:
        return float(text) * unit
    except ValueError:
        return None


@dataclass(frozen=True, slots=True)
class Retries:
    """How often a call is tried again before a byte of an answer went to the client, and the pauses between."""

    extra: int = 2
    first: float = 0.5
    """Seconds before the first retry, doubled for each that follows."""
    longest: float = 8.0
    """A pause is never longer. A provider that asks for more is not waited for here: the client learns it at once."""
    within: float = 30.0
    """No retry begins later than that many seconds after the first try: what took long is not worth as long again."""
    chance: Callable[[], float] = random.random
    """Between 0 and 1: up to a quarter of a pause of our own is left out, so that clients do not come back at once."""

    def pause(self, made: int, elapsed: float, asked: float | None) -> float | None:
        """Return the seconds before the next try, None when there shall be none.

        *made* retries were made, the first try began *elapsed* seconds ago, the provider *asked* for a wait.
        """
        if made >= self.extra:
            return None
        if asked is None:
            asked = min(self.first * 2**made, self.longest) * (1 - self.chance() / 4)
        return asked if asked <= self.longest and elapsed + asked <= self.within else None


NO_RETRIES: Final = Retries(extra=0)
