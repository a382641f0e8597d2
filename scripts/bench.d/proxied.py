"""What the intercepting proxy costs: the same requests by the gateway's own URL, over its TLS listener, and through the
proxy, in turn against one process; and handshakes with certificates that are there and ones that are still to be made.
"""

import argparse
import asyncio
import base64
import itertools
import json
import ssl
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import bodies
import processes
import uvloop
from processes import Failed, Target

ABOUT = """\
Measure the intercepting proxy. One gateway with its full durable audit runs on the first core, a mock provider and the
clients on the second. Three ways lead to it: its plain URL, its TLS listener, and the proxy (plain listener, TLS
inside). Figures are processor time of the gateway alone, so that slow clients do not matter, and latencies at
concurrency 1. Everything stays on 127.0.0.1, is bounded in time, and is ended when this ends.
"""

CONNECTIONS = 16
STREAMS = 64
EVENTS, PACE_MS = 64, 20
COLD_HOSTS = 200
IDLE = 500


@dataclass(frozen=True)
class Way:
    """One way to the gateway."""

    name: str
    port: int
    path: str
    host: str
    tls: ssl.SSLContext | None
    connect: bytes = b""
    """The head of a CONNECT that comes first."""

    async def open(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        direct = self.tls if not self.connect else None
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port, ssl=direct)
        if self.connect:
            writer.write(self.connect)
            head = await reader.readuntil(b"\r\n\r\n")
            if b" 200 " not in head:
                raise Failed(f"CONNECT: {head!r}")
            assert self.tls is not None
            await writer.start_tls(self.tls, server_hostname=self.host.partition(":")[0])
        return reader, writer

    def request(self, token: str, body: bytes, query: str) -> bytes:
        lines = (
            f"POST {self.path}/v1/messages?beta=true{query} HTTP/1.1",
            f"Host: {self.host}",
            f"Authorization: Bearer {token}",
            "Content-Type: application/json",
            "User-Agent: claude-cli/2.1.329 (external, cli)",
            "X-Claude-Code-Session-Id: 0199a1b2-0000-7000-8000-00000000c0de",
            "anthropic-version: 2023-06-01",
            f"Content-Length: {len(body)}",
        )
        return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


async def answered(reader: asyncio.StreamReader) -> int:
    """Read one answer; return how many events it had."""
    head = await reader.readuntil(b"\r\n\r\n")
    if not head.startswith(b"HTTP/1.1 200 "):
        raise Failed(f"answered {head[:200]!r}")
    lengths = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
    if lengths:
        await reader.readexactly(int(lengths[0].split(b":")[1]))
        return 0
    events = 0
    while size := int(await reader.readuntil(b"\r\n"), 16):
        events += (await reader.readexactly(size + 2)).count(b"\ndata:")
    await reader.readexactly(2)
    return events


async def requests(way: Way, data: bytes, connections: int, seconds: float) -> list[float]:
    """Ask over and over; return the latencies in ms."""
    until, taken = time.monotonic() + seconds, []

    async def one() -> None:
        reader, writer = await way.open()
        while (began := time.monotonic()) < until:
            writer.write(data)
            await answered(reader)
            taken.append((time.monotonic() - began) * 1000)
        writer.transport.abort()

    await asyncio.gather(*(one() for _ in range(connections)))
    return taken


async def streams(way: Way, data: bytes, seconds: float) -> int:
    """Run paced streams beside each other; return the number of events."""
    until, events = time.monotonic() + seconds, 0

    async def one(number: int) -> None:
        nonlocal events
        await asyncio.sleep(number / STREAMS * EVENTS * PACE_MS / 1000)
        reader, writer = await way.open()
        while time.monotonic() < until:
            writer.write(data)
            came = await answered(reader)  # not in one line: others count while it waits
            events += came
        writer.transport.abort()

    await asyncio.gather(*(one(number) for number in range(STREAMS)))
    return events


async def handshakes(ways: list[Way], at_once: int = 8) -> float:
    """Open each way once; return the seconds."""
    waiting, began = iter(ways), time.monotonic()

    async def some() -> None:
        for way in waiting:
            _, writer = await way.open()
            writer.transport.abort()

    await asyncio.gather(*(some() for _ in range(at_once)))
    return time.monotonic() - began


async def idle(target: Target, way: Way) -> float:
    """Open connections on which nothing happens; return what each takes of the gateway's memory, in KB."""
    before = target.memory()
    opened = [await way.open() for _ in range(IDLE)]
    await asyncio.sleep(0.5)
    kilobytes = (target.memory() - before) / IDLE / 1024
    for _, writer in opened:
        writer.transport.abort()
    return kilobytes


def cpu_of(target: Target, run: Callable[[], Awaitable[object]]) -> tuple[float, object]:
    before = target.cpu()
    result = uvloop.run(run())  # type: ignore[arg-type]
    return target.cpu() - before, result


def measure(folder: Path, rounds: int, seconds: float) -> dict[str, object]:
    data, proxy_port, tls_port = folder / "gateway", processes.free_port(), processes.free_port()
    data.mkdir(mode=0o700)
    processes.tell(data, "proxy", "ca", "create", "--host", "127.0.0.1")
    more = {
        "CODER_AIBRIDGE_PROXY_ENABLED": "true",
        "CODER_AIBRIDGE_PROXY_LISTEN_ADDR": f"127.0.0.1:{proxy_port}",
        "CODER_AIBRIDGE_PROXY_MAX_TUNNELS_PER_TOKEN": "2000",
        "CODER_TLS_ENABLE": "true",
        "CODER_TLS_ADDRESS": f"127.0.0.1:{tls_port}",
        "CODER_TLS_CERT_FILE": str(data / "proxy-listener.pem"),
        "CODER_TLS_KEY_FILE": str(data / "proxy-listener.key"),
    }
    for number in range(1, COLD_HOSTS + 1):
        more |= {
            f"CODER_AIBRIDGE_PROVIDER_{number}_TYPE": "openai",
            f"CODER_AIBRIDGE_PROVIDER_{number}_NAME": f"cold-{number}",
            f"CODER_AIBRIDGE_PROVIDER_{number}_KEY": "sk-bench",
            f"CODER_AIBRIDGE_PROVIDER_{number}_BASE_URL": f"https://h{number}.bench.invalid/v1",
        }
    with processes.mock(folder) as upstream, processes.gateway(folder, upstream, more=more) as target:
        return _measured(folder, data, upstream, target, proxy_port, tls_port, rounds, seconds)


def _measured(
    folder: Path, data: Path, upstream: Target, target: Target, proxy_port: int, tls_port: int, rounds: int, s: float
) -> dict[str, object]:
    trust = ssl.create_default_context(cafile=str(data / "proxy-ca.pem"))
    credentials = base64.b64encode(f"coder:{target.token}".encode()).decode()

    def connect(host: str) -> bytes:
        return f"CONNECT {host} HTTP/1.1\r\nHost: {host}\r\nProxy-Authorization: Basic {credentials}\r\n\r\n".encode()

    provider = f"127.0.0.1:{upstream.port}"
    ways = [
        Way("base URL", target.port, target.prefix, f"127.0.0.1:{target.port}", None),
        Way("base URL, TLS", tls_port, target.prefix, f"127.0.0.1:{tls_port}", trust),
        Way("proxy", proxy_port, "", provider, trust, connect(provider)),
    ]
    files = bodies.write_bodies(folder)
    report: dict[str, object] = {}
    for size in bodies.SIZES:
        body = files[size, False].read_bytes()
        found: dict[str, list[tuple[float, float]]] = {way.name: [] for way in ways}
        for _, way in itertools.product(range(rounds), ways):
            asked = way.request(target.token, body, "")
            cpu, taken = cpu_of(target, lambda way=way, asked=asked: requests(way, asked, CONNECTIONS, s))
            _, alone = cpu_of(target, lambda way=way, asked=asked: requests(way, asked, 1, s / 2))
            found[way.name].append((cpu * 1e6 / len(taken), median(alone)))  # type: ignore[arg-type]
        _say(report, f"request {size}", found, ("CPU us/request", "p50 ms alone"))
    body = files["2 KB", True].read_bytes()
    query = f"&stream=1&events={EVENTS}&pace={PACE_MS}"
    found = {way.name: [] for way in ways}
    for _, way in itertools.product(range(rounds), ways):
        asked = way.request(target.token, body, query)
        cpu, events = cpu_of(target, lambda way=way, asked=asked: streams(way, asked, 2 * s))
        found[way.name].append((cpu * 1e6 / events, 0.0))  # type: ignore[operator]
    _say(report, f"events x{STREAMS}", found, ("CPU us/event", ""))

    shaken: dict[str, list[tuple[float, float]]] = {}
    hosts = [f"h{number}.bench.invalid:443" for number in range(1, COLD_HOSTS + 1)]
    proxied = ways[2]
    tried = {
        "cold": [Way("", proxied.port, "", host, trust, connect(host)) for host in hosts],
        "warm": [proxied] * 500,
        "TLS listener": [ways[1]] * 500,
    }
    for name, each in tried.items():
        cpu, wall = cpu_of(target, lambda each=each: handshakes(each))
        shaken[name] = [(cpu * 1e6 / len(each), len(each) / wall)]  # type: ignore[operator]
    _say(report, "handshakes", shaken, ("CPU us/handshake", "per second"))
    for way in ways:
        kilobytes = uvloop.run(idle(target, way))
        print(f"  {'idle':14} {way.name:14} {kilobytes:9.1f} KB each", flush=True)
        report[f"idle {way.name}"] = kilobytes
    return report


def _say(
    report: dict[str, object], title: str, found: dict[str, list[tuple[float, float]]], units: tuple[str, str]
) -> None:
    rows = {name: [median(values) for values in zip(*results, strict=True)] for name, results in found.items()}
    first = next(iter(rows.values()))[0]
    for name, row in rows.items():
        texts = [f"{value:9.2f} {unit}" for value, unit in zip(row, units, strict=True) if unit]
        print(f"  {title:14} {name:14} {'  '.join(texts)}  x{row[0] / first:.2f}", flush=True)
    report[title] = rows


def main() -> int:
    parser = argparse.ArgumentParser("bench_proxy", description=ABOUT)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--json", type=Path, help="write the figures there")
    options = parser.parse_args()
    try:
        processes.build()
        with tempfile.TemporaryDirectory(prefix="coderai-bench-") as folder:
            report = measure(Path(folder), options.rounds, options.seconds)
    except Failed as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    if options.json:
        options.json.write_text(json.dumps(report, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
