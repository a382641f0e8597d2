"""What is read off for Prometheus when somebody asks: what runs, how providers, keys and circuits are, the recorder.

Nothing of this costs anything between two readings. Reading is quick and happens on the event loop, so that no figure
changes meanwhile; what is done with the result may take its time in a thread.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol, TypeVar

from prometheus_client import Metric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

from coderai.observe.labels import OTHER
from coderai.observe.metrics import NAMESPACE, Metrics, Routes
from coderai.records import Interception

_Labels = TypeVar("_Labels", bound=tuple[str, ...])

_CIRCUIT: Final = {"closed": 0.0, "half-open": 0.5, "open": 1.0}


class Running(Protocol):
    """The part of ``gateway.watch.Watch`` that is read."""

    answered: Counter[str]

    def running(self) -> Iterator[Interception]: ...


class Limits(Protocol):
    """The part of ``gateway.limits.Limits`` that is read."""

    running: int
    refused: Counter[str]


class Recorder(Protocol):
    """The part of ``recorder.Recorder`` that is read."""

    committed: int
    failed: int
    lost: int

    @property
    def queued(self) -> int: ...


class Keys(Protocol):
    """The part of ``providers.keys.KeyPool`` that is read."""

    cooled: Counter[str]
    exhaustions: Counter[str]

    def __len__(self) -> int: ...

    def count_usable(self) -> int: ...


class Provider(Protocol):
    """The part of ``providers.registry.Instance`` that is read."""

    @property
    def name(self) -> str: ...

    @property
    def type(self) -> str: ...

    @property
    def state(self) -> str: ...

    @property
    def keys(self) -> Keys: ...


class Reloads(Protocol):
    """The part of ``control.served.Served`` that is read: Unix times, 0 for never."""

    reloaded_at: float
    succeeded_at: float


@dataclass(frozen=True, slots=True)
class Sources:
    """Where things are read off."""

    running: Running
    limits: Limits
    recorder: Recorder
    reloads: Reloads
    providers: Callable[[], Sequence[Provider]]
    circuits: Callable[[], Iterable[tuple[tuple[str, str, str], str]]]
    """Instance, route and model of each circuit that is not simply closed, with its state."""
    carried: Mapping[tuple[str, str, str], int]
    """Requests passed through, by instance, route pattern and method."""
    version: str


class Gauges:
    """Reads off *sources*; *metrics* knows which model names have a label, and what was recorded."""

    def __init__(self, sources: Sources, metrics: Metrics, routes: Routes) -> None:
        self._from = sources
        self._metrics = metrics
        self._routes = routes

    def read(self, database_bytes: int | None = None) -> list[Metric]:
        """Return everything as it is now; the size of the database when it is known."""
        size = {(): database_bytes} if database_bytes is not None else {}
        return [
            *self._exchanges(),
            *self._providers(),
            *self._key_pools(),
            self._circuits(),
            *self._limits(),
            *self._recorder(),
            _gauge("database_size_bytes", "Room that the database takes.", size),
            _gauge("build_info", "The running version.", {(self._from.version,): 1}, "version"),
        ]

    def _exchanges(self) -> Iterator[Metric]:
        inflight: Counter[tuple[str, ...]] = Counter()
        for one in self._from.running.running():
            route = self._routes.get((one.provider, one.api), OTHER)
            inflight[one.provider_name, self._metrics.models.label(one.model), route] += 1
        yield _gauge("interceptions_inflight", "Exchanges under way.", inflight, "provider", "model", "route")
        yield _counter(
            "passthrough", "Requests passed through unrecorded.", self._from.carried, "provider", "route", "method"
        )
        answered, recorded = self._from.running.answered, self._metrics.recorded
        names = {*answered, *recorded, *(each.name for each in self._from.providers())}
        for name, text, counts in (
            ("answered", "Exchanges begun that are over for their client.", answered),
            ("recorded", "Exchanges whose end is durably recorded.", recorded),
        ):
            yield _counter(name, text, {(each,): counts[each] for each in sorted(names)}, "provider")

    def _providers(self) -> Iterator[Metric]:
        info = {(each.name, each.type, each.state): 1 for each in self._from.providers()}
        yield _gauge("provider_info", "Providers.", info, "provider_name", "provider_type", "status")
        for name, moment in (
            ("providers_last_reload_timestamp_seconds", self._from.reloads.reloaded_at),
            ("providers_last_reload_success_timestamp_seconds", self._from.reloads.succeeded_at),
        ):
            yield _gauge(name, "When the providers were read anew.", {(): moment})

    def _key_pools(self) -> Iterator[Metric]:
        states: dict[tuple[str, ...], float] = {}
        cooled: dict[tuple[str, ...], float] = {}
        exhausted: dict[tuple[str, ...], float] = {}
        for each in self._from.providers():
            if not len(each.keys):
                continue
            usable = each.keys.count_usable()
            states[each.name, "valid"], states[each.name, "temporary"] = usable, len(each.keys) - usable
            cooled |= {(each.name, reason): count for reason, count in each.keys.cooled.items()}
            exhausted |= {(each.name, outcome): count for outcome, count in each.keys.exhaustions.items()}
        yield _gauge("key_pool_state", "Central keys, by whether they may be used now.", states, "provider", "state")
        yield _counter("key_pool_state_transitions", "Keys that began to cool down.", cooled, "provider", "reason")
        yield _counter("key_pool_exhaustions", "Requests for which no key was left.", exhausted, "provider", "outcome")

    def _circuits(self) -> Metric:
        states: dict[tuple[str, ...], float] = {}
        for (provider, endpoint, model), state in self._from.circuits():
            name = (provider, endpoint, self._metrics.models.known(model))
            states[name] = max(states.get(name, 0.0), _CIRCUIT[state])
        return _gauge(
            "circuit_breaker_state", "0 closed, 0.5 half-open, 1 open.", states, "provider", "endpoint", "model"
        )

    def _limits(self) -> Iterator[Metric]:
        limits = self._from.limits
        yield _gauge("requests_running", "Requests on the data plane under way.", {(): limits.running})
        refused = {(name,): count for name, count in limits.refused.items()}
        yield _counter("limit_refusals", "Requests refused by a limit.", refused, "limit")

    def _recorder(self) -> Iterator[Metric]:
        recorder = self._from.recorder
        yield _gauge("recorder_queue_depth", "Records that are not durable yet.", {(): recorder.queued})
        yield _counter("recorder_committed_records", "Records that became durable.", {(): recorder.committed})
        yield _counter("recorder_failed_commits", "Commits that failed; all but lost ones are repeated.",
                       {(): recorder.failed})  # fmt: skip
        yield _counter("recorder_lost_records", "Records given up.", {(): recorder.lost})


def _gauge(name: str, text: str, values: Mapping[_Labels, float], *labels: str) -> Metric:
    return _filled(GaugeMetricFamily(f"{NAMESPACE}_{name}", text, labels=labels), values)


def _counter(name: str, text: str, values: Mapping[_Labels, float], *labels: str) -> Metric:
    return _filled(CounterMetricFamily(f"{NAMESPACE}_{name}", text, labels=labels), values)


def _filled(
    family: GaugeMetricFamily | CounterMetricFamily, values: Mapping[_Labels, float]
) -> GaugeMetricFamily | CounterMetricFamily:
    for labels, value in values.items():
        family.add_metric(labels, value)
    return family
