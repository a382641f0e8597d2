"""Counters and histograms with labels.

Adding to one of the library's own takes several times as long, mostly for locks that one event loop does not need. How
they are shown is left to the library.
"""

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from math import inf

from prometheus_client import Metric
from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily
from prometheus_client.registry import Collector


class Tally(Collector):
    """Counters of one name. Written by one thread; read by any."""

    def __init__(self, name: str, text: str, labels: Sequence[str]) -> None:
        self._name, self._text, self._labels = name, text, labels
        self._values: dict[tuple[str, ...], float] = {}

    def inc(self, *labels: str, by: float = 1) -> None:
        """Add to the series with these labels."""
        values = self._values
        values[labels] = values.get(labels, 0) + by

    def collect(self) -> Iterator[Metric]:
        """Yield the metric."""
        family = CounterMetricFamily(self._name, self._text, labels=self._labels)
        for labels, value in self._values.copy().items():
            family.add_metric(labels, value)
        yield family


class Spread(Collector):
    """Histograms of one name. Written by one thread; read by any."""

    def __init__(self, name: str, text: str, bounds: Sequence[float], labels: Sequence[str]) -> None:
        self._name, self._text, self._labels, self._bounds = name, text, labels, bounds
        self._values: dict[tuple[str, ...], list[float]] = {}
        """By labels: how many in each bucket, the one without a bound included; then the sum."""

    def observe(self, value: float, *labels: str) -> None:
        """Add to the series with these labels."""
        counts = self._values.get(labels)
        if counts is None:
            counts = self._values[labels] = [0.0] * (len(self._bounds) + 2)
        counts[bisect_left(self._bounds, value)] += 1
        counts[-1] += value

    def collect(self) -> Iterator[Metric]:
        """Yield the metric."""
        family = HistogramMetricFamily(self._name, self._text, labels=self._labels)
        for labels, values in self._values.copy().items():
            *counts, total = values.copy()
            buckets, so_far = [], 0.0
            for bound, count in zip((*self._bounds, inf), counts, strict=True):
                so_far += count
                buckets.append(("+Inf" if bound == inf else str(float(bound)), so_far))
            family.add_metric(labels, buckets, total)
        yield family
