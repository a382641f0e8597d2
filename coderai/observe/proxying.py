"""What is read off the intercepting proxy for Prometheus, under today's names and the older ones."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from math import inf
from typing import Final, Protocol, TypeVar

from prometheus_client import Metric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily

_Labels = TypeVar("_Labels", bound=tuple[str, ...])

PREFIX: Final = "coder_ai_gateway_proxy_"
OLDER: Final = "coder_aibridgeproxyd_"
"""Prefix of the same metrics in dashboards made for earlier versions of the original."""
TWICE: Final = frozenset(
    PREFIX + name
    for name in (
        "connect_sessions",
        "mitm_requests",
        "inflight_mitm_requests",
        "mitm_responses",
        "provider_info",
        "providers_last_reload_timestamp_seconds",
        "providers_last_reload_success_timestamp_seconds",
    )
)
"""Those that have an older name."""


class Buckets(Protocol):
    """How long things took; see ``proxy.counts``."""

    bounds: tuple[float, ...]
    counts: list[int]
    total: float


class Counts(Protocol):
    """The part of ``proxy.counts.Counts`` that is read."""

    @property
    def opened(self) -> Mapping[str, int]: ...
    @property
    def open(self) -> Mapping[str, int]: ...
    @property
    def waiting(self) -> int: ...
    @property
    def refused(self) -> Mapping[str, int]: ...
    @property
    def handshakes_failed(self) -> int: ...
    @property
    def requests(self) -> Mapping[str, int]: ...
    @property
    def inflight(self) -> Mapping[str, int]: ...
    @property
    def answers(self) -> Mapping[tuple[str, str], int]: ...
    @property
    def durations(self) -> Mapping[str, Buckets]: ...
    @property
    def sent(self) -> int: ...
    @property
    def received(self) -> int: ...
    @property
    def tunnels(self) -> Buckets: ...


class Certificates(Protocol):
    """The part of ``proxy.ca.Contexts`` that is read."""

    made: int

    def __len__(self) -> int: ...


class Reloads(Protocol):
    """See ``gauges.Reloads``."""

    reloaded_at: float
    succeeded_at: float


@dataclass(frozen=True, slots=True)
class ProxySources:
    """Where things are read off."""

    counts: Counts
    certificates: Certificates
    not_after: Callable[[], datetime]
    """Of the interception CA."""
    providers: Callable[[], Sequence[tuple[str, str, str]]]
    """Name, type and state of each."""
    reloads: Reloads


def read_proxy(sources: ProxySources) -> list[Metric]:
    """Return everything as it is now."""
    metrics = [*_metrics(sources)]
    return metrics + [_renamed(metric) for metric in metrics if metric.name in TWICE]


def _metrics(sources: ProxySources) -> Iterator[Metric]:
    counts = sources.counts
    yield _counter("connect_sessions", "Accepted CONNECTs.", _one(counts.opened), "type")
    yield _gauge("connect_sessions_open", "Tunnels that are open.", _one(counts.open), "type")
    yield _gauge("connections_waiting", "Connections without a tunnel.", {(): counts.waiting})
    yield _counter("connect_refusals", "Refused CONNECTs.", _one(counts.refused), "reason")
    failed = {(): counts.handshakes_failed}
    yield _counter("mitm_handshake_failures", "Clients that did not get through TLS in a tunnel.", failed)
    yield _counter("mitm_requests", "Intercepted requests.", _one(counts.requests), "provider")
    yield _gauge("inflight_mitm_requests", "Intercepted requests under way.", _one(counts.inflight), "provider")
    yield _counter("mitm_responses", "Answers to intercepted requests.", counts.answers, "code", "provider")
    durations = {(name,): each for name, each in counts.durations.items()}
    yield _histogram("mitm_request_duration_seconds", "Intercepted requests.", durations, "provider")
    carried = {("sent",): counts.sent, ("received",): counts.received}
    yield _counter("tunnel_bytes", "Carried by blind tunnels that are over.", carried, "direction")
    yield _histogram("tunnel_duration_seconds", "Blind tunnels.", {(): counts.tunnels})
    yield _counter("certificates_made", "Certificates made for intercepted hosts.", {(): sources.certificates.made})
    yield _gauge("certificates_kept", "Certificates ready for use.", {(): len(sources.certificates)})
    end = sources.not_after().timestamp()
    yield _gauge("ca_not_after_timestamp_seconds", "When the interception CA expires.", {(): end})
    info = dict.fromkeys(sources.providers(), 1)
    yield _gauge("provider_info", "Providers.", info, "provider_name", "provider_type", "status")
    for name, moment in (
        ("providers_last_reload_timestamp_seconds", sources.reloads.reloaded_at),
        ("providers_last_reload_success_timestamp_seconds", sources.reloads.succeeded_at),
    ):
        yield _gauge(name, "When the providers were read anew.", {(): moment})


def _one(values: Mapping[str, int]) -> dict[tuple[str], int]:
    return {(name,): value for name, value in values.items()}


def _gauge(name: str, text: str, values: Mapping[_Labels, float], *labels: str) -> Metric:
    family = GaugeMetricFamily(PREFIX + name, text, labels=labels)
    for key, value in values.items():
        family.add_metric(key, value)
    return family


def _counter(name: str, text: str, values: Mapping[_Labels, float], *labels: str) -> Metric:
    family = CounterMetricFamily(PREFIX + name, text, labels=labels)
    for key, value in values.items():
        family.add_metric(key, value)
    return family


def _histogram(name: str, text: str, values: Mapping[_Labels, Buckets], *labels: str) -> Metric:
    family = HistogramMetricFamily(PREFIX + name, text, labels=labels)
    for key, each in values.items():
        so_far, buckets = 0, []
        for bound, count in zip((*each.bounds, inf), each.counts, strict=True):
            so_far += count
            buckets.append(("+Inf" if bound == inf else str(float(bound)), so_far))
        family.add_metric(key, buckets, each.total)
    return family


def _renamed(metric: Metric) -> Metric:
    older = Metric(metric.name.replace(PREFIX, OLDER, 1), metric.documentation, metric.type)
    older.samples = [sample._replace(name=sample.name.replace(PREFIX, OLDER, 1)) for sample in metric.samples]
    return older
