"""Metrics as text, under today's names and the older ones."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from prometheus_client import Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from coderai.observe.metrics import NAMESPACE

OLDER: Final = "coder_aibridged"
"""Prefix of the same metrics in dashboards made for earlier versions of the original."""

TWICE: Final = frozenset(
    f"{NAMESPACE}_{name}"
    for name in (
        "interceptions",
        "interceptions_inflight",
        "interceptions_duration_seconds",
        "passthrough",
        "prompts",
        "tokens",
        "non_injected_tool_selections",
        "circuit_breaker_state",
        "circuit_breaker_trips",
        "circuit_breaker_rejects",
        "key_pool_state",
        "key_pool_state_transitions",
        "key_pool_exhaustions",
        "key_pool_failover_attempts",
        "provider_info",
        "providers_last_reload_timestamp_seconds",
        "providers_last_reload_success_timestamp_seconds",
    )
)
"""Those that have an older name."""


@dataclass(frozen=True, slots=True)
class Everything(Collector):
    """What was counted and what was read off."""

    counted: Collector
    read: Sequence[Metric]

    def collect(self) -> Iterator[Metric]:
        """Yield every metric."""
        for metric in (*self.counted.collect(), *self.read):
            yield metric
            if metric.name in TWICE:
                yield _renamed(metric)


def exposed(counted: Collector, read: Sequence[Metric], accept: str) -> tuple[bytes, str]:
    """Return body and content type for a scraper that sent *accept*. May take its time: for a thread."""
    encode, content_type = choose_encoder(accept)
    return encode(Everything(counted, read)), content_type


def _renamed(metric: Metric) -> Metric:
    older = Metric(metric.name.replace(NAMESPACE, OLDER, 1), metric.documentation, metric.type)
    older.samples = [sample._replace(name=sample.name.replace(NAMESPACE, OLDER, 1)) for sample in metric.samples]
    return older
