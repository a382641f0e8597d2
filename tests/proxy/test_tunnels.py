"""Blind tunnels: bytes both ways, half-closed connections, slow readers, idle limits, the next proxy."""

import asyncio
import base64
import socket
import ssl

import pytest

from coderai.proxy.dialing import Onward, onward
from coderai.proxy.server import Limits
from coderai.proxy.targets import Rules
from tests.gateway.raw import serving
from tests.proxy.leaks import nothing_left
from tests.proxy.world import AUTHORITY, connect

TLS = pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
MEGABYTE = bytes(range(256)) * 4096


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while piece := await reader.read(1 << 16):
        writer.write(piece)
        await writer.drain()


def target(url: str) -> str:
    return url.partition("://")[2]


@TLS
async def test_bytes_pass_unchanged(proxy, tls):
    async with serving(echo) as url, proxy(tls=tls) as world, nothing_left():
        wire = await world.tunnel(target(url))
        wire.send(MEGABYTE)
        assert await wire.reader.readexactly(len(MEGABYTE)) == MEGABYTE
        assert (world.counts.open["tunneled"], world.counts.opened["tunneled"]) == (1, 1)
        await wire.close()
        while world.counts.open["tunneled"]:
            await asyncio.sleep(0.01)
        assert (world.counts.sent, world.counts.received) == (len(MEGABYTE), len(MEGABYTE))
        assert world.proxy.places.taken == 0


async def test_a_half_closed_connection_still_answers(proxy):
    async def at_the_end(reader, writer):
        whole = await reader.read()
        writer.write(b"got %d" % len(whole))

    async with serving(at_the_end) as url, proxy() as world:
        wire = await world.tunnel(target(url))
        wire.send(MEGABYTE)
        wire.writer.write_eof()
        assert await wire.rest() == b"got %d" % len(MEGABYTE)


@TLS
async def test_what_is_said_last_arrives(proxy, tls):
    async def talk(_, writer):
        writer.write(MEGABYTE)

    async with serving(talk) as url, proxy(tls=tls) as world:
        wire = await world.tunnel(target(url))
        assert await wire.rest() == MEGABYTE


async def test_the_other_way_stays_open_after_the_host_has_said_all(proxy):
    heard = asyncio.get_running_loop().create_future()

    async def says_first(reader, writer):
        writer.write(b"all I say")
        writer.write_eof()
        heard.set_result(await reader.read())

    async with serving(says_first) as url, proxy() as world:
        wire = await world.tunnel(target(url))
        assert await wire.rest() == b"all I say"
        wire.send(b"and I")
        wire.writer.write_eof()
        assert await heard == b"and I"


async def test_a_reset_is_passed_on(proxy):
    async def resets(reader, writer):
        await reader.read(1)
        writer.transport.abort()

    async with serving(resets) as url, proxy() as world:
        wire = await world.tunnel(target(url))
        wire.send(b"x")
        assert await wire.rest() in (b"", b"<reset>")


async def test_a_slow_reader_slows_the_host_down(proxy):
    sent = 0

    async def pours(_, writer):
        nonlocal sent
        for _ in range(64):
            writer.write(MEGABYTE)
            sent += 1
            await writer.drain()

    async with serving(pours) as url, proxy() as world:
        wire = await world.tunnel(target(url))
        await wire.reader.readexactly(1)
        before = -1
        while sent != before:  # until nothing moves any more
            before = sent
            await asyncio.sleep(0.1)
        assert sent < 32
        await wire.close()


async def test_an_idle_tunnel_ends_and_a_busy_one_does_not(proxy):
    async with serving(echo) as url, proxy(limits=Limits(idle_seconds=60, sweep_seconds=3600)) as world:
        idle, busy = [await world.tunnel(target(url)) for _ in range(2)]
        now = asyncio.get_running_loop().time()
        await world.proxy.sweep(now + 50)
        busy.send(b"x")
        assert await busy.reader.readexactly(1) == b"x"
        await world.proxy.sweep(now + 70)
        await world.proxy.sweep(now + 100)
        assert await idle.rest() in (b"", b"<reset>")
        busy.send(b"y")
        assert await busy.reader.readexactly(1) == b"y"


async def test_a_revoked_token_ends_its_tunnels(proxy):
    async with serving(echo) as url, proxy(limits=Limits(sweep_seconds=0.05)) as world:
        wire = await world.tunnel(target(url))
        world.tokens.away = True
        wire.send(b"x")
        assert await wire.reader.readexactly(1) == b"x"
        world.tokens.away, world.tokens.revoked = False, True
        assert await wire.rest() in (b"", b"<reset>")
        assert (await world.ask(connect(target(url)))).status == 407


async def test_a_tunnel_to_a_host_that_becomes_a_providers_ends(proxy):
    async with serving(echo) as url, proxy(limits=Limits(sweep_seconds=3600)) as world:
        target = url.removeprefix("http://")
        wire = await world.tunnel(target)
        world.providers.urls["openai"] = f"{url}/v1"
        world.providers.changes += 1
        await world.proxy.sweep(asyncio.get_running_loop().time())
        assert await wire.rest() in (b"", b"<reset>")
        assert world.counts.open["tunneled"] == 0


async def test_a_refused_connection_is_a_502(proxy):
    async with serving(echo) as url:
        gone = target(url)
    async with proxy() as world:
        answer = await world.ask(connect(gone))
    assert (answer.status, "Connection refused" in answer) == (502, True)


async def test_a_host_that_does_not_answer_is_a_504(proxy):
    async def silent(reader, _):
        await reader.read()

    async with serving(silent) as url:
        host, _, port = target(url).partition(":")
        async with proxy(through=Onward(host, int(port), None), dial_seconds=0.1) as world:
            answer = await world.ask(connect("127.0.0.1:443"))
    assert (answer.status, "0.1 s" in answer) == (504, True)


async def test_a_client_that_leaves_while_its_target_is_dialled_leaves_nothing(proxy):
    arrived = asyncio.Event()

    async def silent(reader, _):
        arrived.set()
        await reader.read()

    async with serving(silent) as url:
        host, _, port = target(url).partition(":")
        async with proxy(through=Onward(host, int(port), None), dial_seconds=0.3) as world, nothing_left():
            wire = await world.connect()
            wire.send(connect("127.0.0.1:443"))
            await arrived.wait()
            await wire.close()
            while world.proxy.places.taken or world.counts.waiting:
                await asyncio.sleep(0.01)


async def test_when_the_proxy_leaves_its_tunnels_end(proxy):
    async with nothing_left(), serving(echo) as url:
        async with proxy() as world:
            wire = await world.tunnel(target(url))
            waiting = await world.connect()
            waiting.send(b"CONN")
            rests = asyncio.gather(wire.rest(), waiting.rest())
            await asyncio.sleep(0)
        assert set(await rests) <= {b"", b"<reset>"}


class Next:
    """A proxy that the tunnels lead through."""

    def __init__(self, answer: bytes = b"HTTP/1.1 200 OK\r\nX: y\r\n\r\nearly ") -> None:
        self.answer = answer
        self.heads: list[bytes] = []

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.heads.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(self.answer)
        if b" 200 " in self.answer:
            await echo(reader, writer)


@pytest.mark.parametrize("tls", [False, True], ids=["http", "https"])
async def test_tunnels_lead_through_the_next_proxy(proxy, tls, tmp_path, monkeypatch):
    ca = tmp_path / "ca.pem"
    ca.write_bytes(AUTHORITY.certificate_pem)
    context = None
    if tls:
        from coderai.proxy.ca import Contexts

        context = await Contexts(AUTHORITY).context("localhost")
    following = Next()
    async with serving(following, context) as url:
        scheme, _, place = url.partition("://")
        through = onward(f"{scheme}://me:p%40ss@{place.replace('127.0.0.1', 'localhost')}", str(ca))
        async with proxy(through=through) as world:
            wire = await world.tunnel("127.0.0.1:443")
            wire.send(b"hello")
            assert await wire.reader.readexactly(11) == b"early hello"
    [head] = following.heads
    assert head.startswith(b"CONNECT 127.0.0.1:443 HTTP/1.1\r\nHost: 127.0.0.1:443\r\n")
    assert b"Proxy-Authorization: Basic " + base64.b64encode(b"me:p@ss") + b"\r\n" in head


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (b"HTTP/1.1 407 No\r\n\r\n", "answered 407"),
        (b"HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n", "answered 503"),
        (b"rubbish\r\n\r\n", "no answer of HTTP"),
        (b"HTTP/1.1 200 OK\r\nX: " + b"y" * 20000, "no answer of HTTP"),
        (b"", "no answer of HTTP"),
    ],
)
async def test_what_the_next_proxy_refuses_is_a_502(proxy, answer, said):
    async with serving(Next(answer)) as url, proxy(through=onward(url.replace("//", "//me:secret@"), "")) as world:
        refused = await world.ask(connect("127.0.0.1:443"))
    assert (refused.status, said in refused, "secret" in refused) == (502, True, False)


async def test_a_next_proxy_with_a_wrong_certificate_is_not_believed(proxy):
    from coderai.proxy.ca import Contexts

    async with serving(Next(), await Contexts(AUTHORITY).context("localhost")) as url:
        through = Onward("localhost", int(url.rpartition(":")[2]), ssl.create_default_context())
        async with proxy(through=through) as world:
            refused = await world.ask(connect("127.0.0.1:443"))
    assert (refused.status, "TLS failed" in refused) == (502, True)


async def test_private_addresses_are_refused_before_the_next_proxy_is_asked(proxy):
    following = Next()
    async with serving(following) as url, proxy(rules=Rules(), through=onward(url, "")) as world:
        assert (await world.ask(connect("localhost:443"))).status == 403
    assert following.heads == []


async def test_a_name_is_resolved_once_and_what_was_checked_is_dialled(proxy):
    answers = ["127.0.0.1", "10.0.0.1"]
    asked = []

    async def resolve(host, port):
        asked.append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (answers[(len(asked) - 1) % 2], port))]

    async with serving(echo) as url, proxy(resolve=resolve) as world:
        port = target(url).partition(":")[2]
        wire = await world.tunnel(f"rebound.example:{port}")
        wire.send(b"x")
        assert await wire.reader.readexactly(1) == b"x"
        assert (await world.ask(connect(f"rebound.example:{port}"))).status == 403
    assert asked == ["rebound.example"] * 2


async def test_addresses_that_fail_in_different_ways_are_one_reason(proxy):
    async def both(host, port):
        return [
            (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.255.255.255", 9)),
            (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", 9)),
        ]

    async with proxy(resolve=both) as world:
        answer = await world.ask(connect("two.example:443"))
    assert (answer.status, "none of its addresses answers" in answer) == (502, True)
