"""Spans are made beside the requests, and a flood of requests costs memory only up to a bound."""

import socket
import threading

from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExporter, SpanExportResult

from coderai.observe.timeline import Timeline
from coderai.observe.tracing import MOST_WAITING, Spans, Tracing
from coderai.observe.tracing import tracing as exported


class Kept(SpanExporter):
    """Keeps names; the first span waits until it may go on."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self.threads: set[str] = set()
        self.reached = threading.Event()
        self.go_on = threading.Event()

    def export(self, spans: "tuple[ReadableSpan, ...]") -> SpanExportResult:  # type: ignore[override]
        self.reached.set()
        assert self.go_on.wait(10)
        self.names += [span.name for span in spans]
        self.threads.add(threading.current_thread().name)
        return SpanExportResult.SUCCESS


def tracing(kept: Kept) -> Tracing:
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(kept))
    traces = Tracing(Spans(provider.get_tracer("test"), lambda name: "openai"))
    traces.begin()
    return traces


def refused() -> Timeline:
    made = Timeline("GET", status=401)
    made.over = made.arrived + 1
    return made


def test_spans_are_made_in_a_thread_of_their_own_and_all_of_them_before_the_end():
    kept = Kept()
    kept.go_on.set()
    traces = tracing(kept)
    for _ in range(5):
        traces.over(refused())
    traces.finish()
    assert (kept.names, kept.threads) == (["GET (refused)"] * 5, {"traces"})


def test_what_cannot_wait_is_given_up_and_told_once(caplog):
    kept = Kept()
    traces = tracing(kept)
    traces.over(refused())
    assert kept.reached.wait(10)
    for _ in range(MOST_WAITING + 7):
        traces.over(refused())
    assert traces.lost == 7
    kept.go_on.set()
    traces.finish()
    assert len(kept.names) == MOST_WAITING + 1
    assert [record.message.partition(":")[0] for record in caplog.records] == ["traces are incomplete"]


def test_a_request_that_cannot_be_traced_harms_no_other(caplog):
    kept = Kept()
    kept.go_on.set()
    traces = tracing(kept)
    broken = refused()
    broken.notes = [None]  # type: ignore[list-item]
    traces.over(broken)
    traces.over(refused())
    traces.finish()
    assert kept.names == ["GET (refused)"]
    assert [record.message for record in caplog.records] == ["a request could not be traced"]


def test_leaving_does_not_wait_for_a_collector_that_says_nothing(monkeypatch, caplog):
    with socket.create_server(("127.0.0.1", 0), backlog=100) as silent:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{silent.getsockname()[1]}")
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "1")
        with exported(lambda name: "openai", goodbye_seconds=0.1) as traces:
            for _ in range(1100):  # more than one batch holds
                traces.over(refused())
    assert "Exporter already shutdown, ignoring batch" in [record.message for record in caplog.records]
