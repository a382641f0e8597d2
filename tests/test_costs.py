"""What an answer costs."""

from decimal import Decimal

import pytest

from coderai.costs import Prices, cost_micros
from coderai.records import Usage

PRICES = Prices(Decimal("3"), Decimal("15"), Decimal("0.30"), Decimal("3.75"))


@pytest.mark.parametrize(
    ("counts", "prices", "micros"),
    [
        (Usage("", 1000, 100, 2000, 400), PRICES, 3000 + 1500 + 600 + 1500),
        (Usage("", 1), Prices(input=Decimal("0.1")), 1),
        (Usage("", 10), Prices(input=Decimal("0.1")), 1),
        (Usage("", 11), Prices(input=Decimal("0.1")), 2),
        (Usage("", 10**9, 10**9), PRICES, 18 * 10**9),
        (Usage("", 5), Prices(input=Decimal(0)), 0),
        (Usage("", 5), Prices(), None),
        (Usage(""), PRICES, None),
        (Usage("", output=5), Prices(input=Decimal(3)), None),
        (Usage("", 5, 5), Prices(input=Decimal(3)), 15),
    ],
)
def test_costs_are_rounded_up_and_unknown_is_not_free(counts, prices, micros):
    assert cost_micros(counts, prices) == micros
