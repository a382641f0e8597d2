"""Traces over OTLP: what a request was spent on, as spans. Needs the extra ``otel``; only imported with ``--trace``.

Spans are made from a timeline when its request is over, in a thread of their own: making one takes longer than relaying
an event. They hold names, numbers and ids: no prompt, no answer, no tool input, no credential.
"""

import logging
import os
import queue
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Final

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Span, SpanKind, Status, StatusCode, Tracer, set_span_in_context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from coderai import __version__
from coderai.errors import BadSettings
from coderai.observe import logs
from coderai.observe.timeline import Timeline, Try, current
from coderai.records import Api, Ending, Fact, Interception, Thought, ToolCall, Usage

log = logs.get("tracing")

SERVICE: Final = "coder-ai-gateway"
MOST_WAITING: Final = 2048
"""Requests that are over and have no spans yet."""
MOST_FACTS: Final = 100
"""Of one answer that get a span of their own."""
_GOODBYE_SECONDS: Final = 3.0
"""For what was not sent yet when the server leaves; a call under way may take its own time limit longer."""
_PROTOCOLS: Final = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
_SPOKEN: Final = "http/protobuf"
_PROVIDERS: Final = {"bedrock": "aws.bedrock", "azure": "azure.ai.openai", "google": "gcp.gemini"}
"""What the semantic conventions call a type of provider, where that is not the type's own name."""

Attributes = Mapping[str, str | int | bool]


class Tracing:
    """Fulfils ``timeline.Observer``: passes timelines on to the thread that makes spans of them."""

    def __init__(self, spans: "Spans") -> None:
        self._spans = spans
        self._waiting: queue.Queue[Timeline | None] = queue.Queue(MOST_WAITING)
        self._thread = threading.Thread(target=self._work, name="traces", daemon=True)
        self.lost = 0
        """Requests without spans, because too many were waiting."""

    def over(self, timeline: Timeline) -> None:
        """Take notice of a request that is over."""
        try:
            self._waiting.put_nowait(timeline)
        except queue.Full:
            self.lost += 1
            if self.lost == 1:
                log.warning("traces are incomplete: more requests than spans can be made of; sample them")

    def begin(self) -> None:
        """Start the thread."""
        self._thread.start()

    def finish(self) -> None:
        """Wait until everything that waits is made into spans, and end the thread."""
        self._waiting.put(None)
        self._thread.join()

    def _work(self) -> None:
        while (timeline := self._waiting.get()) is not None:
            try:
                self._spans.make(timeline)
            except Exception as error:  # noqa: BLE001 - the top of a thread; the next request shall have its spans
                log.error("a request could not be traced", exception=error)


class Spans:
    """Makes spans. *type_of* tells the type of a provider by its name."""

    def __init__(self, tracer: Tracer, type_of: Callable[[str], str]) -> None:
        self._tracer = tracer
        self._type_of = type_of
        self._propagator = TraceContextTextMapPropagator()

    def make(self, timeline: Timeline) -> None:
        """Turn a timeline into spans, below the caller's own when it named one."""
        carrier = {"traceparent": timeline.traceparent} if timeline.traceparent else {}
        target = timeline.route or "(refused)"
        span = self._tracer.start_span(
            f"{timeline.method} {target}",
            context=self._propagator.extract(carrier),
            kind=SpanKind.SERVER,
            start_time=_moment(timeline, timeline.arrived),
            attributes=_http(timeline, target),
        )
        if span.is_recording():
            self._inside(timeline, span)
            for note in timeline.notes:
                fields = {key: value if isinstance(value, int) else str(value) for key, value in note.fields.items()}
                span.add_event(note.event, fields, _moment(timeline, note.at))
            if timeline.status >= 500:
                span.set_status(Status(StatusCode.ERROR))
        span.end(_moment(timeline, timeline.over))

    def _inside(self, timeline: Timeline, span: Span) -> None:
        one = timeline.interception
        if one is not None:
            self._intercepted(timeline, one, span)
        elif timeline.url:
            passed = {
                "passthrough_url": timeline.route,
                "passthrough_upstream_url": timeline.url,
                "passthrough_method": timeline.method,
                "provider": timeline.provider,
            }
            with self._span(timeline, "Passthrough", span, timeline.arrived, timeline.over, passed) as inner:
                self._tries(timeline, inner, {"provider": timeline.provider}, None)

    def _intercepted(self, timeline: Timeline, one: Interception, span: Span) -> None:
        shared = self._shared(timeline, one)
        with self._span(timeline, "Intercept", span, timeline.arrived, timeline.over, shared) as intercept:
            if timeline.end is not None:
                intercept.set_attributes(_learned(timeline))
            _judge(intercept, timeline)
            between = [
                ("Intercept.CreateInterceptor", timeline.arrived, timeline.beginning),
                ("Intercept.RecordInterception", timeline.beginning, timeline.begun),
            ]
            if one.prompt is not None:
                between.append(("Intercept.RecordPromptUsage", timeline.beginning, timeline.begun))
            for name, since, until in between:
                with self._span(timeline, name, intercept, since, until, shared) as recording:
                    if not until:
                        recording.set_status(Status(StatusCode.ERROR, "the start could not be recorded"))
            if timeline.begun:
                self._process(timeline, one, intercept, shared)
            if timeline.end is not None:
                self._ended(timeline, timeline.end.answer.facts, intercept, shared)

    def _process(self, timeline: Timeline, one: Interception, above: Span, shared: Attributes) -> None:
        until = timeline.ending or timeline.over
        with self._span(timeline, "Intercept.ProcessRequest", above, timeline.begun, until, shared) as process:
            _judge(process, timeline)
            self._tries(timeline, process, {**shared, **self._genai(one)}, one)

    def _tries(self, timeline: Timeline, above: Span, shared: Attributes, one: Interception | None) -> None:
        """One span per call; that of a stream ends with the head of the answer, that of others with the answer."""
        name = "Intercept.ProcessRequest.Upstream"
        for each in timeline.tries:
            whole = each is timeline.tries[-1] and (one is None or not one.stream)
            until = (timeline.ending or timeline.over) if whole else each.answered
            attributes = {**shared, **_call(each)}
            with self._span(timeline, name, above, each.started, until, attributes, SpanKind.CLIENT) as upstream:
                if one is not None and timeline.end is not None and each is timeline.tries[-1]:
                    upstream.set_attributes(_learned(timeline))
                if each.error or each.status >= 400:
                    upstream.set_status(Status(StatusCode.ERROR, each.error or f"status {each.status}"))

    def _ended(self, timeline: Timeline, facts: tuple[Fact, ...], above: Span, shared: Attributes) -> None:
        since, until = timeline.ending, timeline.ended
        records = [*map(_fact, facts[:MOST_FACTS]), ("Intercept.RecordInterceptionEnded", {})]
        for name, attributes in records:
            with self._span(timeline, name, above, since, until, {**shared, **attributes}):
                pass

    def _shared(self, timeline: Timeline, one: Interception) -> dict[str, str | int | bool]:
        found: dict[str, str | int | bool] = {
            "request_path": timeline.route,
            "interception_id": one.id,
            "user_id": one.initiator_id,
            "api_key_id": one.api_key_id,
            "provider": one.provider_name,
            "model": one.model,
            "streaming": one.stream,
        }
        if one.api is Api.MESSAGES:
            found["aws_bedrock"] = self._type_of(one.provider_name) == "bedrock"
        return found

    def _genai(self, one: Interception) -> dict[str, str | int | bool]:
        kind = self._type_of(one.provider_name)
        found: dict[str, str | int | bool] = {
            "gen_ai.operation.name": "chat",
            "gen_ai.provider.name": _PROVIDERS.get(kind, kind),
            "gen_ai.request.model": one.model,
        }
        if one.client_session_id:
            found["gen_ai.conversation.id"] = one.client_session_id
        return found

    @contextmanager
    def _span(
        self,
        timeline: Timeline,
        name: str,
        above: Span,
        since: float,
        until: float,
        attributes: Attributes,
        kind: SpanKind = SpanKind.INTERNAL,
    ) -> Iterator[Span]:
        span = self._tracer.start_span(
            name,
            context=set_span_in_context(above),
            kind=kind,
            start_time=_moment(timeline, since),
            attributes=attributes,
        )
        yield span
        span.end(_moment(timeline, max(until or timeline.over, since)))


class Notes(logging.Handler):
    """Puts log lines into the timeline of the request that they were written for."""

    def emit(self, record: logging.LogRecord) -> None:
        """Never raises."""
        timeline = current()
        if timeline is not None:
            timeline.note(record.getMessage(), getattr(record, "fields", {}))


@contextmanager
def tracing(type_of: Callable[[str], str], goodbye_seconds: float = _GOODBYE_SECONDS) -> Iterator[Tracing]:
    """Export spans for as long as the context lasts, as the standard variables (``OTEL_*``) say.

    Leaving sends what is left, and may take seconds: for a thread. Raises BadSettings.
    """
    wanted = next((os.environ[name] for name in _PROTOCOLS if os.environ.get(name)), _SPOKEN)
    if wanted != _SPOKEN:
        raise BadSettings(f'OTEL_EXPORTER_OTLP_PROTOCOL="{wanted}" is not spoken here; use {_SPOKEN}')
    resource = Resource.create({"service.version": __version__})
    if str(resource.attributes[SERVICE_NAME]).startswith("unknown_service"):
        resource = resource.merge(Resource({SERVICE_NAME: SERVICE}))
    provider = TracerProvider(resource=resource, shutdown_on_exit=False)
    exporter = OTLPSpanExporter()
    provider.add_span_processor(BatchSpanProcessor(exporter))
    traces = Tracing(Spans(provider.get_tracer("coderai", __version__), type_of))
    traces.begin()
    try:
        yield traces
    finally:
        traces.finish()
        patience = threading.Timer(goodbye_seconds, exporter.shutdown)  # then what is left is dropped
        patience.start()
        provider.shutdown()
        patience.cancel()


def _moment(timeline: Timeline, at: float) -> int:
    return timeline.wall + int((at - timeline.arrived) * 1e9)


def _http(timeline: Timeline, target: str) -> dict[str, str | int]:
    return {
        "method": timeline.method,
        "target": target,
        "status": timeline.status,
        "http.request.method": timeline.method,
        "http.route": target,
        "http.response.status_code": timeline.status,
    }


def _call(each: Try) -> dict[str, str | int]:
    found: dict[str, str | int] = {"http.response.status_code": each.status} if each.status else {}
    if each.error:
        found["error.type"] = "timeout" if each.error.startswith("no answer") else "unreachable"
    return found | ({"credential_hint": each.hint} if each.hint else {})


def _learned(timeline: Timeline) -> dict[str, str | int]:
    assert timeline.end is not None
    answer = timeline.end.answer
    usages = [fact for fact in answer.facts if isinstance(fact, Usage)]
    found: dict[str, str | int] = {"ending": timeline.end.ending.value}
    if answer.response_id:
        found["gen_ai.response.id"] = answer.response_id
    if usages:
        # The conventions count all input, ours are four buckets that do not overlap.
        found["gen_ai.usage.input_tokens"] = sum(each.input + each.cache_read + each.cache_write for each in usages)
        found["gen_ai.usage.output_tokens"] = sum(each.output for each in usages)
        found["gen_ai.usage.cache_read.input_tokens"] = sum(each.cache_read for each in usages)
        found["gen_ai.usage.cache_creation.input_tokens"] = sum(each.cache_write for each in usages)
    if timeline.end.error_type is not None:
        found["error.type"] = timeline.end.error_type.value
    return found


def _judge(span: Span, timeline: Timeline) -> None:
    end = timeline.end
    if end is None or end.ending not in (Ending.COMPLETE, Ending.INCOMPLETE):
        span.set_status(Status(StatusCode.ERROR, end.error_message if end is not None else "not recorded"))


def _fact(fact: Fact) -> tuple[str, dict[str, str | int]]:
    match fact:
        case Usage(response_id=response_id):
            return "Intercept.RecordTokenUsage", {"gen_ai.response.id": response_id}
        case ToolCall(tool=tool, call_id=call_id):
            return "Intercept.RecordToolUsage", {"gen_ai.tool.name": tool, "gen_ai.tool.call.id": call_id}
        case Thought(source=source):
            return "Intercept.RecordModelThought", {"source": source}
