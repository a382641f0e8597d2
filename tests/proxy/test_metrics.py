"""What the proxy tells Prometheus."""

from datetime import UTC, datetime

from prometheus_client import generate_latest
from prometheus_client.registry import Collector

from coderai.demo.provider import Reply
from coderai.observe.proxying import ProxySources, read_proxy
from tests.gateway.raw import serving
from tests.proxy.test_tunnels import echo, target
from tests.proxy.world import AUTHORITY, OPENAI, World, connect
from tests.scraping import Scraped


class Reloads:
    reloaded_at, succeeded_at = 20.0, 10.0


def scraped(world: World) -> Scraped:
    sources = ProxySources(
        world.counts, world.contexts, lambda: AUTHORITY.not_after, lambda: [("openai", "openai", "enabled")], Reloads()
    )

    class All(Collector):
        def collect(self):
            return read_proxy(sources)

    return Scraped(generate_latest(All()).decode())


async def test_everything_is_counted_under_both_names(proxy):
    async with serving(echo) as url, proxy(Reply(chunks=[b"{}"])) as world:
        async with world.client() as client, client.get(f"https://{OPENAI}/v1/models") as answer:
            await answer.read()
        wire = await world.tunnel(target(url))
        wire.send(b"12345")
        await wire.reader.readexactly(5)
        during = scraped(world)
        await wire.close()
        assert (await world.ask(connect(f"{OPENAI}:443", None))).status == 407
        assert (await world.ask(connect(f"{OPENAI}:22"))).status == 502
        wire = await world.tunnel(f"{OPENAI}:443")
        wire.send(b"\x16\x03\x01\x00\x05rubbish")
        await wire.rest()
        seen = scraped(world)
    assert during.sum("proxy_connect_sessions_open", type="tunneled") == 1
    assert seen.by("proxy_connect_sessions_total", "type") == {("mitm",): 1, ("tunneled",): 1}
    assert seen.by("proxy_connect_sessions_open", "type") == {("mitm",): 0, ("tunneled",): 0}
    assert seen.by("proxy_connect_refusals_total", "reason") == {("missing_credentials",): 1, ("unreachable",): 1}
    assert seen.sum("proxy_mitm_handshake_failures_total") == 1
    assert seen.sum("proxy_mitm_requests_total", provider="openai") == 1
    assert seen.sum("proxy_mitm_responses_total", provider="openai", code="200") == 1
    assert seen.sum("proxy_inflight_mitm_requests", provider="openai") == 0
    assert seen.sum("proxy_mitm_request_duration_seconds_count", provider="openai") == 1
    assert seen.by("proxy_tunnel_bytes_total", "direction") == {("sent",): 5, ("received",): 5}
    assert seen.sum("proxy_tunnel_duration_seconds_count") == 1
    assert (seen.sum("proxy_certificates_made_total"), seen.sum("proxy_certificates_kept")) == (1, 1)
    assert seen.sum("proxy_ca_not_after_timestamp_seconds") > datetime.now(UTC).timestamp()
    assert seen.sum("proxy_provider_info", provider_name="openai", status="enabled") == 1
    assert seen.sum("proxy_providers_last_reload_success_timestamp_seconds") == 10
    for name in ("connect_sessions_total", "mitm_requests_total", "mitm_responses_total", "provider_info"):
        assert seen.sum(f"coder_aibridgeproxyd_{name}") == seen.sum(f"proxy_{name}") > 0
