"""The prices of a model, out of its options."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from coderai.costs import Prices


def prices(options: Mapping[str, Any]) -> Prices:
    """Return the prices in tidied options; those that are not set are unknown."""
    found = {
        bucket: Decimal(text)
        for bucket in Prices.__slots__
        if (text := options.get("cost", {}).get(f"{bucket}_price_per_million_tokens")) is not None
    }
    return Prices(**found)
