"""A small OTLP/HTTP collector."""

import gzip
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import web
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span


@dataclass
class Collector:
    """What was sent to it."""

    spans: list[Span] = field(default_factory=list)
    resources: list[dict[str, Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    raw: bytes = b""
    kept: Path | None = None
    """Where everything is written down as well."""

    async def take(self, request: web.Request) -> web.Response:
        """Serve one export."""
        body = await request.read()
        body = gzip.decompress(body) if request.headers.get("Content-Encoding") == "gzip" else body
        self.raw += body
        if self.kept is not None:
            self.kept.write_bytes(self.raw)
        self.headers.append({name.lower(): value for name, value in request.headers.items()})
        for each in ExportTraceServiceRequest.FromString(body).resource_spans:
            self.resources.append(attributes(each.resource))
            self.spans += [span for scope in each.scope_spans for span in scope.spans]
        return web.Response(content_type="application/x-protobuf")

    def named(self, name: str) -> list[Span]:
        """The spans of that name, in the order of their beginning."""
        found = [span for span in self.spans if span.name == name]
        return sorted(found, key=lambda span: span.start_time_unix_nano)

    def tree(self, span: Span) -> dict[str, Any]:
        """The names of what is below a span, nested; several of one name are one."""
        return {each.name: self.tree(each) for each in self.spans if each.parent_span_id == span.span_id}


def attributes(of: Any) -> dict[str, Any]:
    """The attributes of a span, an event or a resource."""
    return {each.key: getattr(each.value, each.value.WhichOneof("value")) for each in of.attributes}


@asynccontextmanager
async def collecting(kept: Path | None = None) -> AsyncIterator[tuple[Collector, str]]:
    """A collector, and its endpoint for ``OTEL_EXPORTER_OTLP_ENDPOINT``."""
    collector = Collector(kept=kept)
    app = web.Application(client_max_size=1 << 26)
    app.router.add_post("/v1/traces", collector.take)
    runner = web.AppRunner(app, auto_decompress=False)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield collector, f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()
