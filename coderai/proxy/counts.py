"""What the proxy counts while it runs, whether or not somebody reads it. All labels are bounded."""

from bisect import bisect_left
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import Final

DURATIONS: Final = (0.05, 0.25, 1, 5, 15, 60, 300)
"""Upper bounds, in seconds, of requests."""
TUNNELS: Final = (1, 10, 60, 300, 900, 3600, 14400)
"""The same of tunnels."""


class Buckets:
    """How long things took."""

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.total = 0.0

    def add(self, seconds: float) -> None:
        """Count one."""
        self.counts[bisect_left(self.bounds, seconds)] += 1
        self.total += seconds


def _requests() -> defaultdict[str, Buckets]:
    return defaultdict(lambda: Buckets(DURATIONS))


@dataclass(slots=True)
class Counts:
    """Since the start."""

    opened: Counter[str] = field(default_factory=lambda: Counter(mitm=0, tunneled=0))
    """Answered CONNECTs, by what became of them."""
    open: Counter[str] = field(default_factory=lambda: Counter(mitm=0, tunneled=0))
    """Of these, those that are open now."""
    waiting: int = 0
    """Connections that wait for a CONNECT, or for its answer."""
    refused: Counter[str] = field(default_factory=Counter)
    """CONNECTs, by ``Refusal.reason``."""
    handshakes_failed: int = 0
    """Clients that did not get through TLS inside a tunnel: mostly they do not trust the authority."""
    requests: Counter[str] = field(default_factory=Counter)
    """Intercepted, by provider."""
    inflight: Counter[str] = field(default_factory=Counter)
    answers: Counter[tuple[str, str]] = field(default_factory=Counter)
    """By status and provider."""
    durations: defaultdict[str, Buckets] = field(default_factory=_requests)
    sent: int = 0
    """Bytes of clients through blind tunnels that are over; ``received``: bytes to them."""
    received: int = 0
    tunnels: Buckets = field(default_factory=lambda: Buckets(TUNNELS))
