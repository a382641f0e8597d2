"""A real server, scraped after traffic of every kind: the numbers equal what was sent, and hold no secret."""

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp

from coderai.demo.answers import error_answer
from coderai.demo.provider import Reply, ScriptedProvider, Seen, Stall
from coderai.records import Api
from tests.end_to_end.asking import APIS, Client, calling, rest
from tests.end_to_end.conftest import LOOKING, make_token, small_agent
from tests.end_to_end.faults import LockedFile
from tests.end_to_end.processes import Gateway
from tests.scraping import OLDER, OURS, Scraped, promtool, scrape

FIRST, SECOND = "sk-ant-first-0123456789-aaaa", "sk-ant-second-0123456789-bbbb"
OPTIONS = (
    "--prometheus-enable",
    "--prometheus-address=127.0.0.1:0",
    "--aibridge-max-retries=1",
    "--aibridge-circuit-breaker-enabled",
    "--aibridge-circuit-breaker-failure-threshold=2",
)
ROUTES = {("anthropic", "/v1/messages"), ("openai", "/v1/chat/completions"), ("openai", "/v1/responses")}
PLACES = [(api, stream) for api in APIS for stream in (True, False)]


def moody(seen: Seen) -> Reply:
    """The first key is wrong; what shall fail does, for chat; the rest is answered by a small agent."""
    if seen.headers.get("X-Api-Key") == FIRST:
        return error_answer(Api.MESSAGES, 401, f"no such key: {FIRST}")
    if b"fail" in seen.body:
        return error_answer(Api.CHAT, 503, "try later", {"Retry-After-Ms": "1"})
    return small_agent(seen)


@asynccontextmanager
async def measured(tmp_path: Path, scripted: ScriptedProvider, *options: str) -> AsyncIterator[tuple[Gateway, str]]:
    """A server with metrics, and their address."""
    keys = {"CODER_AIBRIDGE_PROVIDER_0_KEY": "", "CODER_AIBRIDGE_PROVIDER_0_KEYS": f"{FIRST},{SECOND}"}
    async with scripted.serving() as url:
        gateway = Gateway(tmp_path, url, (*OPTIONS, *options), environment=keys)
        await gateway.start()
        await gateway.said("Metrics at")
        yield gateway, next(line.split()[-1] for line in gateway.log if "Metrics at" in line)
        assert await gateway.stop() == 0


async def _traffic(client: Client, gateway: Gateway, token: str) -> None:
    told = [await client.ask(api, f"look {api} {stream}", stream=stream) for api, stream in PLACES]
    assert [each.status for each in told] == [200] * len(PLACES)
    failed = [await client.ask("chat", "fail", stream=False) for _ in range(3)]
    assert [each.status for each in failed] == [503, 503, 503]
    root = gateway.url + "/api/v2/aibridge"
    right, wrong = {"Authorization": f"Bearer {token}"}, {"Authorization": f"Bearer {token}x"}
    async with aiohttp.ClientSession() as session:
        for path, headers, status in (
            ("/openai/v1/models", right, 200),
            ("/openai/v1/models/gpt-5", right, 200),
            ("/openai/v1/models", wrong, 401),
        ):
            async with session.get(root + path, headers=headers) as answer:
                assert answer.status == status


async def test_the_numbers_are_those_of_the_traffic(tmp_path: Path):
    async with measured(tmp_path, ScriptedProvider(moody)) as (gateway, url):
        token = await make_token(gateway)
        async with calling(gateway, token) as client:
            await _traffic(client, gateway, token)
        found = await scrape(url)
    _check_exchanges(found)
    _check_calls(found)
    assert found.by("limit_refusals_total", "limit") == {("capacity",): 0, ("rate",): 0}
    assert found.by("refused_requests_total", "status") == {("401",): 1}
    assert found.by("passthrough_total", "provider", "route", "method") == {
        ("openai", "/v1/models", "GET"): 1,
        ("openai", "/v1/models/*", "GET"): 1,
    }
    for secret in (token, FIRST, SECOND, "sk-openai-central"):
        assert secret not in found.text


def _check_exchanges(found: Scraped) -> None:
    """Six answers and three failures."""
    assert found.sum("interceptions_total") == 9
    assert found.by("interceptions_total", "status") == {("completed",): 6, ("failed",): 3}
    assert {tuple(each) for each in found.by("interceptions_total", "provider", "route")} == ROUTES
    assert found.by("endings_total", "ending") == {("complete",): 6, ("upstream_error",): 2, ("refused",): 1}
    assert found.sum("answered_total") == found.sum("recorded_total") == 9
    assert found.sum("prompts_total") == 9
    assert found.sum("interceptions_inflight") == 0
    assert found.sum("interceptions_duration_seconds_count") == 9
    assert found.sum("overhead_seconds_count") == 8  # one was never called
    assert found.by("upstream_ttfb_seconds_count", "streaming") == {("true",): 3, ("false",): 5}
    assert found.sum("non_injected_tool_selections_total", name="read_file") == 6
    assert found.sum("tokens_total", type="input") == 6 * LOOKING.input
    assert found.sum("tokens_total", type="output") == 6 * LOOKING.output
    assert found.sum("tokens_total", type="cache_read_input_tokens") == 6 * LOOKING.cache_read
    assert found.sum("recorder_committed_records_total") == 18
    assert (found.sum("recorder_queue_depth"), found.sum("recorder_lost_records_total")) == (0, 0)
    assert found.sum("recorder_commit_duration_seconds_count") > 0
    assert found.sum("database_size_bytes") > 100_000


def _check_calls(found: Scraped) -> None:
    """The first key failed once and then cooled down; each of two failing calls was tried again, then the circuit
    opened."""
    assert found.by("upstream_requests_total", "provider", "status") == {
        ("anthropic", "200"): 2,
        ("anthropic", "401"): 1,
        ("openai", "200"): 6,
        ("openai", "503"): 4,
    }
    assert found.by("upstream_retries_total", "provider") == {("openai",): 2}
    assert found.by("key_pool_state", "provider", "state") == {
        ("anthropic", "valid"): 1,
        ("anthropic", "temporary"): 1,
        ("openai", "valid"): 1,
        ("openai", "temporary"): 0,
    }
    assert found.sum("key_pool_state_transitions_total") == 1
    assert found.sum("key_pool_state_transitions_total", provider="anthropic", reason="unauthorized") == 1
    assert found.by("key_pool_exhaustions_total", "outcome") == {("rate_limited",): 0, ("auth_failed",): 0}
    assert found.sum("key_pool_failover_attempts_sum", provider="anthropic") == 3
    assert found.sum("key_pool_failover_attempts_count", provider="anthropic") == 2
    chat = {"provider": "openai", "endpoint": "/v1/chat/completions", "model": "m"}
    for name in ("circuit_breaker_state", "circuit_breaker_trips_total", "circuit_breaker_rejects_total"):
        assert [(each.labels, each.value) for each in found.all(name)] == [(chat, 1)]
    assert found.by("provider_info", "provider_name", "provider_type", "status") == {
        ("anthropic", "anthropic", "enabled"): 1,
        ("openai", "openai", "enabled"): 1,
    }


async def test_what_is_under_way_is_in_flight_and_left_exchanges_are_recorded(tmp_path: Path):
    stall = Stall()

    def slow(seen: Seen) -> Reply:
        answer = small_agent(seen)
        return answer.cut(1, stall, *answer.chunks[1:])

    async with measured(tmp_path, ScriptedProvider(slow), "--aibridge-max-concurrency=1") as (gateway, url):
        token = await make_token(gateway)
        async with calling(gateway, token) as client:
            async with client.asking("responses", "slow") as answer:
                await answer.content.readany()
                assert (await client.ask("chat", "too much")).status == 503
                during = await scrape(url)
                stall.release()
                await answer.read()
            after = await scrape(url)
    labels = {"provider": "openai", "model": "m", "route": "/v1/responses"}
    assert [(each.labels, each.value) for each in during.all("interceptions_inflight")] == [(labels, 1)]
    assert (during.sum("requests_running"), during.sum("answered_total")) == (1, 0)
    assert (after.sum("interceptions_inflight"), after.sum("answered_total"), after.sum("recorded_total")) == (0, 1, 1)
    assert after.sum("limit_refusals_total", limit="capacity") == 1


async def test_while_the_store_is_away_answered_is_ahead_of_recorded_and_afterwards_it_is_not(tmp_path: Path):
    stall = Stall()

    def slow(seen: Seen) -> Reply:
        answer = small_agent(seen)
        return answer.cut(2, stall, *answer.chunks[2:]) if b"slow" in seen.body else answer

    waits = ("--recorder-begin-wait=500ms", "--recorder-end-wait=1s")
    locked = LockedFile(f"sqlite:///{tmp_path}/coderai.db")
    async with measured(tmp_path, ScriptedProvider(slow), *waits) as (gateway, url):
        token = await make_token(gateway)
        async with calling(gateway, token) as client:
            async with client.asking("chat", "slow") as answer:
                await answer.content.readany()
                await locked.begin(gateway)
                stall.release()
                assert b"[DONE]" not in (await rest(answer)).body
            assert (await client.ask("messages", "hi")).status == 503
            away = await scrape(url)
            await locked.end(gateway)
            async with asyncio.timeout(30):
                while (back := await scrape(url)).sum("recorder_queue_depth"):
                    pass
    assert (away.sum("answered_total"), away.sum("recorded_total")) == (1, 0)
    assert away.sum("recorder_queue_depth") >= 1
    assert (back.sum("answered_total"), back.sum("recorded_total")) == (1, 1)
    assert back.sum("recorder_lost_records_total") == 0
    assert back.by("refused_requests_total", "status") == {("503",): 1}


async def test_websockets_count_like_http(tmp_path: Path):
    async with measured(tmp_path, ScriptedProvider(moody), "--prometheus-per-user") as (gateway, url):
        headers = {"Authorization": f"Bearer {await make_token(gateway)}"}
        async with (
            aiohttp.ClientSession(headers=headers) as session,
            session.ws_connect(gateway.url + "/api/v2/aibridge/openai/v1/responses") as socket,
        ):
            for prompt in ("one", "two"):
                await socket.send_json({"type": "response.create", "model": "m", "input": prompt})
                while (await socket.receive_json(timeout=20))["type"] != "response.completed":
                    pass
        found = await scrape(url)
    assert found.by("interceptions_total", "provider", "route", "status") == {
        ("openai", "/v1/responses", "completed"): 2
    }
    assert found.by("upstream_requests_total", "provider", "status") == {("openai", "200"): 2}
    assert found.sum("overhead_seconds_count") == found.sum("upstream_ttfb_seconds_count", streaming="true") == 2
    assert found.sum("answered_total") == found.sum("recorded_total") == 2
    (user,) = {each.labels["initiator_id"] for each in found.all("interceptions_total")}
    assert len(user) == 36


async def test_the_older_names_say_the_same_and_both_forms_are_right(tmp_path: Path):
    async with measured(tmp_path, ScriptedProvider(moody)) as (gateway, url):
        async with calling(gateway, await make_token(gateway)) as client:
            await asyncio.gather(*(client.ask(api, "hi", stream=stream) for api, stream in PLACES))
        found = await scrape(url)
        openmetrics = await scrape(url, "application/openmetrics-text;version=1.0.0")
    today = {each.name.removeprefix(OURS) for each in found.samples}
    older = {each.name.removeprefix(OLDER) for each in found.samples if each.name.startswith(OLDER)}
    assert len(older) > 10
    assert older <= today
    for name in older:
        assert found.sum(name) == found.sum(OLDER + name)
    assert openmetrics.text.endswith("# EOF\n")
    checked = subprocess.run([promtool(), "check", "metrics"], input=found.text, text=True, capture_output=True)
    assert (checked.returncode, checked.stderr) == (0, "")


def test_a_server_without_metrics_and_traces_imports_nothing_for_them():
    code = "import sys, coderai.server; print([n for n in sys.modules if n.startswith(('prometheus', 'opentelem'))])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


async def test_an_address_that_is_taken_is_named(tmp_path: Path):
    listening = await asyncio.start_server(lambda reader, writer: None, "127.0.0.1", 0)
    taken = f"127.0.0.1:{listening.sockets[0].getsockname()[1]}"
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "coderai", "server", "--http-address=127.0.0.1:0", f"--data-dir={tmp_path}"),
        *("--prometheus-enable", f"--prometheus-address={taken}"),
        stderr=asyncio.subprocess.PIPE,
    )
    _, err = await process.communicate()
    listening.close()
    assert process.returncode == 1
    assert f"error: cannot listen on --prometheus-address {taken}: Address already in use" in err.decode()
