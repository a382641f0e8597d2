"""What an answer costs. Prices are US dollars per million tokens: tokens times price is already micro-dollars."""

from dataclasses import dataclass
from decimal import ROUND_CEILING, Decimal
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Prices:
    """Dollars per million tokens; None: nobody knows."""

    input: Decimal | None = None
    output: Decimal | None = None
    cache_read: Decimal | None = None
    cache_write: Decimal | None = None


class Counts(Protocol):
    """Tokens of one answer in four buckets; cached ones are not part of the input, reasoning is part of the output."""

    @property
    def input(self) -> int: ...

    @property
    def output(self) -> int: ...

    @property
    def cache_read(self) -> int: ...

    @property
    def cache_write(self) -> int: ...


def cost_micros(counts: Counts, prices: Prices) -> int | None:
    """Return micro-dollars, rounded up; None, not 0, when no bucket with tokens in it has a price."""
    priced = [
        tokens * price
        for tokens, price in (
            (counts.input, prices.input),
            (counts.output, prices.output),
            (counts.cache_read, prices.cache_read),
            (counts.cache_write, prices.cache_write),
        )
        if tokens and price is not None
    ]
    return int(sum(priced, Decimal()).to_integral_value(ROUND_CEILING)) if priced else None
