"""Small things of the JSON."""

from datetime import UTC, datetime

import pytest

from coderai.api.answers import moment
from coderai.api.record_shapes import sum_counts


@pytest.mark.parametrize(
    ("micros", "text"),
    [
        (0, "2026-05-04T09:12:33Z"),
        (120451, "2026-05-04T09:12:33.120451Z"),
        (120000, "2026-05-04T09:12:33.12Z"),
        (1, "2026-05-04T09:12:33.000001Z"),
    ],
)
def test_a_fraction_has_no_trailing_zeros(micros: int, text: str) -> None:
    assert moment(datetime(2026, 5, 4, 9, 12, 33, micros, tzinfo=UTC)) == text


def test_counts_are_added_by_name_and_nested_ones_flattened() -> None:
    documents = [{"cache": {"read": 3}, "odd": "text", "yes": True, "half": 0.5, "n": 2}, {"n": 5}, {}]
    assert sum_counts(documents) == {"cache.read": 3, "n": 7}
