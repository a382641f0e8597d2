"""What strangers and careless clients do at the door: each gets an answer in HTTP, and nothing stays behind."""

import asyncio
import socket

import pytest

from coderai.demo.provider import Reply
from coderai.proxy.server import Limits
from coderai.proxy.targets import Rules
from tests.gateway.conftest import TOKEN
from tests.gateway.raw import serving
from tests.proxy.leaks import nothing_left
from tests.proxy.world import OPENAI, Wire, connect, request

TLS = pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
PRIVATE_TARGETS = (
    *("127.0.0.1:443", "localhost:443", "LOCALHOST.:443", "2130706433:443", "0x7f000001:443", "0177.1:443", "0:443"),
    *("10.0.0.1:443", "169.254.169.254:80", "192.168.1.1:443", "100.64.0.1:443", "224.0.0.1:443", "240.0.0.1:443"),
    *("[::1]:443", "[::]:443", "[::ffff:127.0.0.1]:443", "[::ffff:a9fe:a9fe]:80", "[::127.0.0.1]:443", "[fe80::1]:443"),
    *("[2002:7f00:1::]:443", "[64:ff9b::7f00:1]:443", "[fd00:ec2::254]:80", "[2001::1]:443", "[ff02::1]:443"),
)


async def nobody(host: str, port: int) -> list[object]:
    """Knows no name; a real server of names may keep silent for seconds."""
    raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")


@pytest.fixture
def strict(proxy):
    """A proxy with the rules of a fresh installation."""
    return lambda **options: proxy(rules=Rules(), **options)


@TLS
@pytest.mark.parametrize(
    ("head", "status", "said"),
    [
        (b"hello\r\n\r\n", 400, "first line"),
        (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", 400, "HTTPS_PROXY"),
        (b"GET http://example.com/ HTTP/1.1\r\nHost: example.com\r\n\r\n", 405, "HTTP_PROXY"),
        (connect("example.com:443", None), 407, "Proxy-Authenticate: Basic"),
        (connect("example.com:443", "wrong"), 407, "Proxy-Authenticate: Basic"),
        (connect(f"{OPENAI}:443", None), 407, "Proxy-Authenticate: Basic"),
        (connect("example.com:22"), 403, "port 22"),
        (connect(f"{OPENAI}:22"), 403, "port 22"),
        (connect("no-such-host.invalid:443"), 502, "cannot be resolved"),
        (connect("a:443") + b"GET / HTTP/1.1\r\n\r\n", 400, "before the CONNECT is answered"),
        (b"CONNECT a:443 HTTP/1.1\r\nX: " + b"y" * 70000, 431, "65536"),
        (connect("a" * 70 + ".example:443"), 400, "no name"),
    ],
)
async def test_a_refusal_is_an_answer_with_a_reason(strict, tls, head, status, said):
    async with strict(tls=tls, resolve=nobody) as world:
        answer = await world.ask(head)
    assert answer.status == status
    assert said in answer


async def test_private_and_odd_addresses_are_refused_in_every_notation(strict):
    async with strict() as world:
        answers = [(target, (await world.ask(connect(target))).status) for target in PRIVATE_TARGETS]
    assert answers == [(target, 403) for target in PRIVATE_TARGETS]


async def test_without_a_token_nothing_is_resolved_or_dialled(proxy):
    asked = []

    async def listen(reader, writer):
        asked.append(await reader.read(1))

    async with serving(listen) as url, proxy() as world:
        target = url.removeprefix("http://")
        assert (await world.ask(connect(target, None))).status == 407
        assert (await world.ask(connect(target, "x" * 10 + "-" + "y" * 22))).status == 407
    assert asked == []


@TLS
async def test_a_head_in_single_bytes_is_read(proxy, tls):
    async with proxy(tls=tls) as world:
        wire = await world.connect()
        for byte in connect(f"{OPENAI}:443"):
            wire.send(bytes([byte]))
            await wire.writer.drain()
        assert (await wire.answer()).status == 200


@TLS
async def test_after_a_407_the_same_connection_may_ask_again(proxy, tls):
    async with proxy(tls=tls) as world:
        wire = await world.connect()
        wire.send(connect(f"{OPENAI}:443", None))
        first = await wire.answer()
        assert (first.status, "Connection: keep-alive" in first) == (407, True)
        wire.send(connect(f"{OPENAI}:443"))
        assert (await wire.answer()).status == 200


async def test_who_guesses_gets_five_tries(proxy):
    async with proxy() as world:
        wire = await world.connect()
        answers = []
        for _ in range(5):
            wire.send(connect(f"{OPENAI}:443", "guess"))
            answers.append(await wire.answer())
        assert [each.status for each in answers] == [407] * 5
        assert "Connection: close" in answers[-1]
        assert await wire.rest() == b""


async def test_a_client_that_cannot_keep_connections_is_told_so(proxy):
    async with proxy() as world:
        wire = await world.connect()
        wire.send(connect(f"{OPENAI}:443", None, version="1.0"))
        assert "Connection: close" in await wire.answer()
        assert await wire.rest() == b""


async def test_a_slow_head_is_a_408(proxy):
    async with proxy(limits=Limits(head_seconds=0.1)) as world:
        wire = await world.connect()
        wire.send(b"CONNECT ")
        answer = await wire.answer()
        assert (answer.status, "0.1 s" in answer) == (408, True)
        assert await wire.rest() == b""


async def test_thousands_of_idle_connections_are_answered_and_forgotten(proxy):
    async with proxy(limits=Limits(head_seconds=2)) as world, nothing_left():
        wires: list[Wire] = []
        for _ in range(20):
            wires += await asyncio.gather(*(world.connect() for _ in range(50)))
        while world.counts.waiting < 1000:
            await asyncio.sleep(0.01)
        answers = await asyncio.gather(*(wire.answer() for wire in wires))
        assert {each.status for each in answers} == {408}
        await asyncio.gather(*(wire.close() for wire in wires))
        while world.counts.waiting:
            await asyncio.sleep(0.01)


async def test_of_too_many_that_wait_the_oldest_goes(proxy):
    async with proxy(limits=Limits(tunnels=2)) as world:
        oldest, other, asking = [await world.connect() for _ in range(3)]
        answer = await oldest.answer()
        assert (answer.status, "Retry-After: 1" in answer) == (503, True)
        for wire in (asking, other):
            wire.send(connect(f"{OPENAI}:443"))
            assert (await wire.answer()).status == 200


async def test_who_waits_for_an_answer_does_not_go_for_others(proxy):
    async def never(host, port):
        await asyncio.Event().wait()

    async with proxy(limits=Limits(tunnels=1), resolve=never) as world:
        asking = await world.connect()
        asking.send(connect("silent.example:443"))
        async with asyncio.timeout(5):
            while not world.proxy.places.taken:
                await asyncio.sleep(0.01)
        answer = await (await world.connect()).answer()
        assert (answer.status, "too many connections" in answer) == (503, True)


async def test_one_token_has_its_share(proxy):
    async with proxy(limits=Limits(per_token=2)) as world:
        first, _ = [await world.tunnel(f"{OPENAI}:443") for _ in range(2)]
        answer = await world.ask(connect(f"{OPENAI}:443"))
        assert (answer.status, "2 tunnels" in answer) == (503, True)
        await first.close()
        async with asyncio.timeout(5):
            while (await world.ask(connect(f"{OPENAI}:443"))).status != 200:
                await asyncio.sleep(0.01)


async def test_when_nobody_can_tell_it_is_a_503(proxy):
    async with proxy() as world:
        world.tokens.away = True
        assert (await world.ask(connect("example.com:443"))).status == 503


async def test_while_the_server_leaves_nothing_new_begins(proxy):
    async with proxy() as world:
        world.plane.stop()
        answer = await world.ask(connect(f"{OPENAI}:443"))
    assert (answer.status, "shutting down" in answer) == (503, True)


@TLS
async def test_plain_http_inside_the_tunnel_is_a_400(proxy, tls):
    async with proxy(tls=tls) as world:
        wire = await world.tunnel(f"{OPENAI}:443")
        wire.send(request(OPENAI, "/v1/models", method="GET"))
        answer = await wire.answer()
    assert (answer.status, "TLS" in answer) == (400, True)
    assert world.provider.seen == []


async def test_port_80_of_a_provider_is_no_way_around(proxy):
    async with proxy() as world:
        wire = await world.tunnel(f"{OPENAI}:80")
        wire.send(request(OPENAI, "/v1/models", method="GET"))
        assert (await wire.answer()).status == 400


async def test_rubbish_inside_the_tunnel_ends_it(proxy):
    async with proxy() as world, nothing_left():
        wire = await world.tunnel(f"{OPENAI}:443")
        wire.send(b"\x16\x03\x01\x00\x05rubbish")
        await wire.rest()
        await wire.close()
        assert world.counts.handshakes_failed == 1
        assert world.counts.open["mitm"] == 0


async def test_who_leaves_during_the_handshake_leaves_nothing(proxy):
    async with proxy() as world, nothing_left():
        for sent in (b"", b"\x16", b"\x16\x03\x01\x02\x00\x01"):
            wire = await world.tunnel(f"{OPENAI}:443")
            wire.send(sent)
            await wire.writer.drain()
            await wire.close()
        async with asyncio.timeout(5):
            while world.proxy.places.taken:
                await asyncio.sleep(0.01)


@pytest.mark.parametrize("name", [None, "other.example", OPENAI.upper()])
async def test_the_name_in_tls_does_not_matter(proxy, name):
    """The certificate is that of the CONNECT, whatever the handshake asks for; the client judges it."""
    async with proxy(Reply(b"{}")) as world:
        wire = await world.tunnel(f"{OPENAI}:443")
        world.trust.check_hostname = False
        await wire.writer.start_tls(world.trust, server_hostname=name)
        shown = wire.writer.get_extra_info("peercert")
        assert ("DNS", OPENAI) in shown["subjectAltName"]


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (b"GET https://api.openai.test/v1/models HTTP/1.1\r\nHost: api.openai.test\r\n\r\n", 400),
        (b"GET https://evil.example/v1/models HTTP/1.1\r\nHost: evil.example\r\n\r\n", 400),
        (b"GET /v1/models HTTP/1.2\r\nHost: api.openai.test\r\n\r\n", 400),
        (b"GET /v1/models HTTP/2.0\r\nHost: api.openai.test\r\n\r\n", 505),
        (b"GET /v1/models HTTP/1.1\r\nHost: api.openai.test\r\nX : y\r\n\r\n", 400),
        (b"GET /v1/models HTTP/1.1\r\nHost: api.openai.test\r\nHost: b\r\n\r\n", 400),
        (b"POST /v1/models HTTP/1.1\r\nHost: api.openai.test\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", 400),
        (b"hello\r\n\r\n", 400),
        (b"\x00\x01\x02\r\n\r\n", 400),
        (b"OPTIONS * HTTP/1.1\r\nHost: api.openai.test\r\n\r\n", 400),
        (b"GET /v1/models HTTP/1.1\r\nHost: api.anthropic.test\r\n\r\n", 421),
        (b"GET /v1/models HTTP/1.1\r\nHost: api.openai.test:8443\r\n\r\n", 421),
        (b"GET /v1/models HTTP/1.1\r\nHost: x@api.openai.test\r\n\r\n", 421),
        (b"GET /v1/models HTTP/1.0\r\n\r\n", 421),
        (b"GET /dashboard HTTP/1.1\r\nHost: api.openai.test\r\n\r\n", 404),
        (b"GET /v1/../v1/models HTTP/1.1\r\nHost: api.openai.test\r\n\r\n", 404),
        (b"GET /v1/models HTTP/1.1\r\nHost: API.OpenAI.test.:443\r\n\r\n", 200),
    ],
)
async def test_inside_only_the_host_of_the_connect_is_served(proxy, head, status):
    async with proxy() as world:
        wire = await world.inside(OPENAI)
        wire.send(head)
        answer = await wire.answer()
        assert answer.status == status
        assert len(world.provider.seen) == (status == 200)
        if status not in (200, 404):
            assert await wire.rest() == b""


async def test_two_requests_in_one_piece_are_two_requests(proxy):
    async with proxy() as world:
        wire = await world.inside(OPENAI)
        wire.send(request(OPENAI, "/v1/models", method="GET") * 2)
        assert [(await wire.answer()).status for _ in range(2)] == [200, 200]


async def test_the_token_is_said_to_nobody(proxy, caplog):
    caplog.set_level(10)
    async with proxy() as world:
        for target in ("example.com:22", f"{OPENAI}:443", "10.0.0.1:443"):
            answer = await world.ask(connect(target))
            assert TOKEN not in str(answer)
    assert TOKEN not in caplog.text
