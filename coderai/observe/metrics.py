"""What is counted for Prometheus as it happens: from the records once they are durable, from timelines, from circuits.

Only imported when metrics are wanted. What can be read off at any moment is in ``gauges``.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Final

from prometheus_client import CollectorRegistry, ProcessCollector

from coderai.observe.labels import OTHER, Names
from coderai.observe.tallies import Spread, Tally
from coderai.observe.timeline import Timeline
from coderai.records import Api, Begun, Ended, Ending, Link, ToolCall, Usage

NAMESPACE: Final = "coder_ai_gateway"

DURATIONS: Final = (0.5, 2, 5, 15, 30, 60, 120)
FIRST_BYTE: Final = (0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10, 20, 30, 60, 120)
ADDED: Final = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5)
COMMITS: Final = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5)
KEYS: Final = (1, 2, 3, 4, 5, 10, 25)
PURGES: Final = (1, 5, 10, 30, 60, 300, 600)

MODELS: Final = 200
UNPROVEN_MODELS: Final = 50
TOOLS: Final = 300
KINDS_OF_TOKENS: Final = 50
USERS: Final = 2000

Routes = Mapping[tuple[str, Api], str]
"""The pattern of the recorded route, by family and wire API."""


class Metrics:
    """Told by the recorder of what is durable, by the data plane of what is over. Fulfils ``recordlog.Sink`` and
    ``timeline.Observer``. *per_user* adds the label ``initiator_id``, and with it series for every user."""

    def __init__(self, routes: Routes, *, per_user: bool = False) -> None:
        self.registry = CollectorRegistry()
        self.models = Names(MODELS, UNPROVEN_MODELS)
        self.recorded: Counter[str] = Counter()
        """Ends of exchanges that are durable, by instance, without those that were given up before they began."""
        self._routes = routes
        self._tools = Names(TOOLS)
        self._kinds = Names(KINDS_OF_TOKENS)
        self._users = Names(USERS) if per_user else None
        user = ("initiator_id",) if per_user else ()
        self._interceptions = self._counter(
            "interceptions", "Recorded exchanges.", "provider", "model", "status", "route", "method", *user, "client"
        )
        self._endings = self._counter("endings", "Recorded exchanges, by how they ended.", "provider", "ending")
        self._durations = self._histogram(
            "interceptions_duration_seconds",
            "From the start of an exchange to its end.",
            DURATIONS,
            "provider",
            "model",
        )
        self._prompts = self._counter("prompts", "Prompts of people.", "provider", "model", *user, "client")
        self._tokens = self._counter("tokens", "Tokens by type.", "provider", "model", "type", *user, "client")
        self._calls = self._counter(
            "non_injected_tool_selections", "Tools that models asked for.", "provider", "model", "name"
        )
        # Named by dashboards; nothing is ever injected.
        self._counter("injected_tool_invocations", "Injected tools.", "provider", "model", "server", "name")
        self._first_byte = self._histogram(
            "upstream_ttfb_seconds",
            "From a call to the first byte of its answer.",
            FIRST_BYTE,
            *("provider", "model", "streaming"),
        )
        self._added = self._histogram("overhead_seconds", "Time added by the gateway itself.", ADDED, "provider")
        self._upstream = self._counter(
            "upstream_requests", "Calls to providers, by status or by why there was none.", "provider", "status"
        )
        self._retries = self._counter("upstream_retries", "Calls tried again after a failure.", "provider")
        self._refused = self._counter("refused_requests", "Requests that were not let in.", "status")
        self._keys = self._histogram(
            "key_pool_failover_attempts", "Central keys tried for one request.", KEYS, "provider"
        )
        self._trips = self._counter("circuit_breaker_trips", "Circuits that opened.", "provider", "endpoint", "model")
        self._rejects = self._counter(
            "circuit_breaker_rejects", "Calls refused by an open circuit.", "provider", "endpoint", "model"
        )
        self._commits = self._histogram("recorder_commit_duration_seconds", "Commits of the audit trail.", COMMITS)
        self._rounds = self._spread(
            "coderd_dbpurge_iteration_duration_seconds", "Rounds of the pruning job.", PURGES, "success"
        )
        self._purged = self._tally("coderd_dbpurge_records_purged", "Rows deleted for their age.", "record_type")
        ProcessCollector(registry=self.registry)

    # --- from the recorder

    def begun(self, item: Begun, link: Link) -> None:
        """An exchange has started."""
        one = item.interception
        model = self.models.label(one.model)
        if one.prompt:
            self._prompts.inc(one.provider_name, model, *self._user(one.initiator_id), one.client)

    def ended(self, item: Ended) -> None:
        """An exchange has ended."""
        one, end = item.interception, item.end
        provider, complete = one.provider_name, end.ending is Ending.COMPLETE
        model, user = self.models.label(one.model, proven=complete), self._user(one.initiator_id)
        if item.served:
            self.recorded[provider] += 1
        status = "completed" if complete else "failed"
        route = self._routes.get((one.provider, one.api), OTHER)
        self._interceptions.inc(provider, model, status, route, "POST", *user, one.client)
        self._endings.inc(provider, end.ending.value)
        self._durations.observe((item.ended_at - one.started_at).total_seconds(), provider, model)
        for stamped in item.facts:
            fact = stamped.fact
            if isinstance(fact, Usage):
                for kind, count in self._buckets(fact):
                    self._tokens.inc(provider, model, kind, *user, one.client, by=count)
            elif isinstance(fact, ToolCall):
                self._calls.inc(provider, model, self._tools.label(fact.tool))

    def committed(self, items: int, seconds: float) -> None:
        """Records became durable."""
        self._commits.observe(seconds)

    # --- from the data plane

    def over(self, timeline: Timeline) -> None:
        """A request is over."""
        provider = timeline.provider
        if not provider or (timeline.interception is not None and not timeline.begun):  # its start was not recorded
            if timeline.status >= 400:
                self._refused.inc(str(timeline.status))
            return
        for one in timeline.tries:
            self._upstream.inc(provider, str(one.status) if one.status else _failure(one.error))
        if timeline.keys:
            self._keys.observe(timeline.keys, provider)
        if (retries := len(timeline.tries) - max(timeline.keys, 1)) > 0:
            self._retries.inc(provider, by=retries)
        if timeline.added is not None:
            self._added.observe(max(timeline.added, 0.0), provider)
        if timeline.interception is not None and timeline.first_byte is not None:
            one_of = timeline.interception
            streaming = "true" if one_of.stream else "false"
            self._first_byte.observe(timeline.first_byte, provider, self.models.label(one_of.model), streaming)

    def circuit_opened(self, provider: str, endpoint: str, model: str) -> None:
        """A circuit has opened."""
        self._trips.inc(provider, endpoint, self.models.known(model))

    def circuit_rejected(self, provider: str, endpoint: str, model: str) -> None:
        """A call was refused because its circuit is open."""
        self._rejects.inc(provider, endpoint, self.models.known(model))

    # --- from the pruning job

    def pruned(self, kind: str, rows: int) -> None:
        """Rows were deleted because of their age."""
        self._purged.inc(kind, by=rows)

    def pruning(self, seconds: float, *, success: bool) -> None:
        """A round of the pruning job is over."""
        self._rounds.observe(seconds, "true" if success else "false")

    def _user(self, initiator_id: str) -> tuple[str, ...]:
        return () if self._users is None else (self._users.label(initiator_id, proven=True),)

    def _buckets(self, usage: Usage) -> list[tuple[str, int]]:
        buckets = [
            ("input", usage.input),
            ("output", usage.output),
            ("cache_read_input_tokens", usage.cache_read),
            ("cache_write_input_tokens", usage.cache_write),
            *((self._kinds.label(name), count) for name, count in usage.extra.items()),
        ]
        return [(kind, count) for kind, count in buckets if count > 0]

    def _counter(self, name: str, text: str, *labels: str) -> Tally:
        return self._tally(f"{NAMESPACE}_{name}", text, *labels)

    def _histogram(self, name: str, text: str, bounds: Sequence[float], *labels: str) -> Spread:
        return self._spread(f"{NAMESPACE}_{name}", text, bounds, *labels)

    def _tally(self, name: str, text: str, *labels: str) -> Tally:
        tally = Tally(name, text, labels)
        self.registry.register(tally)
        return tally

    def _spread(self, name: str, text: str, bounds: Sequence[float], *labels: str) -> Spread:
        spread = Spread(name, text, bounds, labels)
        self.registry.register(spread)
        return spread


def _failure(error: str) -> str:
    """Return the label for a call without an answer."""
    return "timeout" if error.startswith("no answer") else "unreachable"
