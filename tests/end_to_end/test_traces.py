"""A real server sends traces to a real collector: the spans of the specification, and no content in any."""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from coderai.demo.answers import error_answer
from coderai.demo.provider import Reply, ScriptedProvider, Seen
from coderai.records import Api
from tests.collecting import Collector, attributes, collecting
from tests.end_to_end.asking import APIS, calling
from tests.end_to_end.conftest import LOOKING, make_token, small_agent
from tests.end_to_end.processes import Gateway

TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
CANARY = "sk-canary-trace-7Qm2xV9pLr4T"
RECORDS = ("RecordTokenUsage", "RecordToolUsage", "RecordModelThought", "RecordInterceptionEnded")


def moody(seen: Seen) -> Reply:
    """Fails once for what shall fail, and says the key that it got."""
    if b"fail" in seen.body:
        return error_answer(Api.CHAT, 503, f"try later with {seen.headers.get('Authorization')}", {"Retry-After": "0"})
    return small_agent(seen)


@asynccontextmanager
async def traced(tmp_path: Path, *options: str, **environment: str) -> AsyncIterator[tuple[Gateway, Collector]]:
    """A server that sends traces; they have all come once it has left."""
    async with collecting() as (collector, endpoint), ScriptedProvider(moody).serving() as url:
        keys = {"CODER_AIBRIDGE_PROVIDER_1_KEY": CANARY}
        where = {"OTEL_EXPORTER_OTLP_ENDPOINT": endpoint, **keys, **environment}
        gateway = Gateway(tmp_path, url, ("--trace", "--aibridge-max-retries=1", *options), environment=where)
        await gateway.start()
        yield gateway, collector
        assert await gateway.stop() == 0


@pytest.mark.parametrize("api", APIS)
@pytest.mark.parametrize("stream", [True, False])
async def test_an_exchange_is_a_tree_of_spans(tmp_path: Path, api: str, stream: bool):
    loud = ("--trace-logs", "--aibridge-structured-logging", "--log-filter=.*", f"--log-json={tmp_path / 'log'}")
    async with traced(tmp_path, *loud) as (gateway, collector), calling(gateway, await make_token(gateway)) as client:
        assert (await client.ask(api, "a very private prompt", stream=stream)).status == 200
    (server,) = [span for span in collector.spans if not span.parent_span_id]
    family, route = ("anthropic", "/v1/messages") if api == "messages" else ("openai", f"/v1/{_path(api)}")
    assert (server.name, server.kind) == (f"POST {route}", Span.SPAN_KIND_SERVER)
    assert attributes(server)["http.response.status_code"] == 200
    tree = collector.tree(server)["Intercept"]
    assert set(tree) == {
        "Intercept.CreateInterceptor",
        "Intercept.RecordInterception",
        "Intercept.RecordPromptUsage",
        "Intercept.ProcessRequest",
        *(f"Intercept.{name}" for name in RECORDS),
    }
    assert tree["Intercept.ProcessRequest"] == {"Intercept.ProcessRequest.Upstream": {}}
    (upstream,) = collector.named("Intercept.ProcessRequest.Upstream")
    assert upstream.kind == Span.SPAN_KIND_CLIENT
    said = attributes(upstream)
    assert (said["provider"], said["model"], said["streaming"]) == (family, "m", stream)
    assert (said["request_path"], said["http.response.status_code"]) == (route, 200)
    assert (said["gen_ai.operation.name"], said["gen_ai.provider.name"]) == ("chat", family)
    assert (said["gen_ai.request.model"], said["gen_ai.usage.output_tokens"]) == ("m", LOOKING.output)
    assert said["gen_ai.usage.input_tokens"] == LOOKING.input + LOOKING.cache_read
    assert said.get("aws_bedrock") == (False if api == "messages" else None)
    assert len(said["interception_id"]) == len(said["user_id"]) == 36
    assert all(span.end_time_unix_nano >= span.start_time_unix_nano for span in collector.spans)
    assert all(server.start_time_unix_nano <= span.start_time_unix_nano for span in collector.spans)
    assert all(span.end_time_unix_nano <= server.end_time_unix_nano for span in collector.spans)
    assert collector.resources[0]["service.name"] == "coder-ai-gateway"
    assert "private prompt" in (tmp_path / "log").read_text(encoding="utf-8")
    for content in (b"private prompt", b"test_login.py", b"Where is the test", CANARY.encode()):
        assert content not in collector.raw


def _path(api: str) -> str:
    return {"chat": "chat/completions", "responses": "responses"}[api]


async def test_failures_tries_refusals_and_passed_requests(tmp_path: Path):
    log = tmp_path / "log"
    async with traced(tmp_path, "--trace-logs", f"--log-human={log}") as (gateway, collector):
        token = await make_token(gateway)
        async with calling(gateway, token) as client:
            assert (await client.ask("chat", "fail", stream=False)).status == 503
        headers = {"Authorization": f"Bearer {token}"}
        async with aiohttp.ClientSession() as session:
            root = gateway.url + "/api/v2/aibridge/openai/v1"
            async with session.get(root + "/models?key=secret-query", headers=headers) as answer:
                assert answer.status == 200
            async with session.get(root + "/models") as answer:
                assert answer.status == 401
    (intercept,) = collector.named("Intercept")
    assert intercept.status.code == Status.STATUS_CODE_ERROR
    assert intercept.status.message.startswith("try later with Bearer sk-c...")
    assert attributes(intercept)["error.type"] == "overloaded"
    tries = collector.named("Intercept.ProcessRequest.Upstream")[:2]
    assert [attributes(each)["http.response.status_code"] for each in tries] == [503, 503]
    assert [each.status.code for each in tries] == [Status.STATUS_CODE_ERROR] * 2
    (server,) = collector.named("POST /v1/chat/completions")
    (note,) = server.events
    assert (note.name, attributes(note)["retry"]) == ("call to provider is tried again", 1)
    (passed,) = collector.named("Passthrough")
    said = attributes(passed)
    assert (said["passthrough_url"], said["passthrough_method"]) == ("/v1/models", "GET")
    assert said["passthrough_upstream_url"].endswith("/v1/models")
    (refused,) = collector.named("GET (refused)")
    assert attributes(refused)["http.response.status_code"] == 401
    assert [event.name for event in refused.events] == ["request refused"]
    for secret in (token, CANARY, "secret-query"):
        assert secret.encode() not in collector.raw


async def test_the_callers_trace_goes_on_and_the_standard_variables_are_obeyed(tmp_path: Path):
    own = {
        "OTEL_SERVICE_NAME": "our-gateway",
        "OTEL_RESOURCE_ATTRIBUTES": "deployment.environment=test",
        "OTEL_EXPORTER_OTLP_HEADERS": "x-tenant=seven",
        "OTEL_EXPORTER_OTLP_COMPRESSION": "gzip",
        "OTEL_TRACES_SAMPLER": "parentbased_always_off",
    }
    async with traced(tmp_path, **own) as (gateway, collector):
        async with calling(gateway, await make_token(gateway)) as client:
            await client.ask("chat", "not sampled")
        headers = {"traceparent": f"00-{TRACE}-{PARENT}-01"}
        async with (
            aiohttp.ClientSession(headers=headers) as session,
            session.get(gateway.url + "/api/v2/aibridge/openai/v1/models") as answer,
        ):
            assert answer.status == 401
    (span,) = collector.spans
    assert (span.trace_id.hex(), span.parent_span_id.hex()) == (TRACE, PARENT)
    resource = collector.resources[0]
    assert (resource["service.name"], resource["deployment.environment"]) == ("our-gateway", "test")
    assert (collector.headers[0]["x-tenant"], collector.headers[0]["content-encoding"]) == ("seven", "gzip")


async def test_a_request_on_a_websocket_is_a_trace_of_its_own(tmp_path: Path):
    async with traced(tmp_path) as (gateway, collector):
        headers = {"Authorization": f"Bearer {await make_token(gateway)}"}
        async with (
            aiohttp.ClientSession(headers=headers) as session,
            session.ws_connect(gateway.url + "/api/v2/aibridge/openai/v1/responses") as socket,
        ):
            await socket.send_json({"type": "response.create", "model": "m", "input": "hi"})
            while (await socket.receive_json(timeout=20))["type"] != "response.completed":
                pass
    (server,) = collector.named("GET /v1/responses")
    assert attributes(server)["http.response.status_code"] == 200
    assert "Intercept.ProcessRequest" in collector.tree(server)["Intercept"]


async def test_another_protocol_is_refused_at_the_start(tmp_path: Path):
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "coderai", "server", "--trace", f"--data-dir={tmp_path}"),
        env={"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc", "HOME": str(tmp_path)},
        stderr=asyncio.subprocess.PIPE,
    )
    _, err = await process.communicate()
    assert process.returncode == 1
    assert 'OTEL_EXPORTER_OTLP_PROTOCOL="grpc" is not spoken here; use http/protobuf' in err.decode()


async def test_a_collector_that_is_away_holds_nothing_up(tmp_path: Path):
    async with ScriptedProvider(moody).serving() as url:
        where = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9", "OTEL_EXPORTER_OTLP_TIMEOUT": "1"}
        gateway = Gateway(tmp_path, url, ("--trace",), environment=where)
        await gateway.start()
        async with calling(gateway, await make_token(gateway)) as client:
            assert (await client.ask("chat", "hi")).whole
        async with asyncio.timeout(15):
            assert await gateway.stop() == 0
