"""Bars for a chart, measured for an SVG; the numbers themselves stand in a table beside it. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

HEIGHT: Final = 100
_ROOM: Final = 0.96
"""Of the height, for the highest bar."""


@dataclass(frozen=True, slots=True)
class Bar:
    """One stretch of time. Heights are in hundredths of the chart's, widths in stretches."""

    x: float
    height: float
    lower: float
    """The part of it that is about ``lower`` values, such as errors."""
    title: str


@dataclass(frozen=True, slots=True)
class Chart:
    """One measure over time."""

    title: str
    bars: Sequence[Bar]
    most: int
    """The value of the highest bar."""


def chart(title: str, stretches: Iterable[tuple[str, int, int]]) -> Chart:
    """Measure a chart of *stretches*: the title of each, its value, and the part of it to be marked."""
    rows = list(stretches)
    most = max((value for _, value, _ in rows), default=0)
    scale = HEIGHT * _ROOM / most if most else 0.0
    bars = [
        Bar(place + 0.1, _high(value, scale), _high(lower, scale), text)
        for place, (text, value, lower) in enumerate(rows)
    ]
    return Chart(title, bars, most)


def _high(value: int, scale: float) -> float:
    """What is not nothing can be seen."""
    return round(max(value * scale, 1.5), 2) if value else 0.0
