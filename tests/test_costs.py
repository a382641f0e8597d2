"""What an answer costs."""

from decimal import Decimal

import pytest

from coderai.costs import Counts, Prices, cost_micros

PRICES = Prices(Decimal("3"), Decimal("15"), Decimal("0.30"), Decimal("3.75"))


@pytest.mark.parametrize(
    ("counts", "prices", "micros"),
    [
        (Counts(1000, 100, 2000, 400), PRICES, 3000 + 1500 + 600 + 1500),
        (Counts(1), Prices(input=Decimal("0.1")), 1),
        (Counts(10), Prices(input=Decimal("0.1")), 1),
        (Counts(11), Prices(input=Decimal("0.1")), 2),
        (Counts(10**9, 10**9), PRICES, 18 * 10**9),
        (Counts(5), Prices(input=Decimal(0)), 0),
        (Counts(5), Prices(), None),
        (Counts(), PRICES, None),
        (Counts(output=5), Prices(input=Decimal(3)), None),
        (Counts(5, 5), Prices(input=Decimal(3)), 15),
    ],
)
def test_costs_are_rounded_up_and_unknown_is_not_free(counts, prices, micros):
    assert cost_micros(counts, prices) == micros
