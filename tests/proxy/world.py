"""A proxy on a real listener: before it clients that speak or whisper, behind it a data plane and scripted hosts."""

import asyncio
import base64
import socket
import ssl
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from ipaddress import ip_network
from pathlib import Path

import aiohttp
from aiohttp import web

from coderai.access.callers import Caller
from coderai.demo.provider import ScriptedProvider
from coderai.errors import NotSignedIn, StoreUnavailable
from coderai.gateway.app import DataPlane
from coderai.providers.copilot import COPILOT
from coderai.providers.registry import Instance, Registry
from coderai.proxy.ca import Contexts
from coderai.proxy.counts import Counts
from coderai.proxy.dialing import Dialer, Onward, Resolve
from coderai.proxy.hosts import Hosts
from coderai.proxy.inside import Inside
from coderai.proxy.issuing import new_authority
from coderai.proxy.listening import listening
from coderai.proxy.server import Limits, Proxy
from coderai.proxy.targets import Rules
from tests.gateway.conftest import ALICE, TOKEN, Notebook, OneToken, Opening

AUTHORITY = new_authority("Authority of a test", datetime.now(UTC))
"""For all tests; making keys takes time."""
LOOPBACK = Rules(ports=frozenset(range(1, 65536)), private=(ip_network("127.0.0.0/8"),))
"""Everything on this machine may be reached by tunnels."""
OPENAI, ANTHROPIC, GITHUB = "api.openai.test", "api.anthropic.test", "api.copilot.test"


class Tokens(OneToken):
    """One token, which can be revoked; nobody can tell while the store is away."""

    def __init__(self, caller: Caller = ALICE) -> None:
        super().__init__(caller)
        self.revoked = False
        self.away = False

    async def identify(self, token: str) -> Caller:
        if self.away:
            raise StoreUnavailable("the store is away")
        if self.revoked:
            raise NotSignedIn("this token is not known")
        return await super().identify(token)

    async def look(self, token: str) -> Caller:
        return await self.identify(token)


class Elsewhere:
    """The providers of a registry, at other base URLs."""

    def __init__(self, registry: Registry, urls: Mapping[str, str]) -> None:
        self.registry = registry
        self.urls = dict(urls)
        self.changes = 0

    @property
    def revision(self) -> int:
        return self.registry.revision + self.changes

    def all(self) -> Sequence[Instance]:
        found = [each for each in self.registry.all() if each.name in self.urls]
        return [replace(each, base_url=self.urls[each.name]) for each in found]

    def find(self, name: str) -> Instance | None:
        return self.registry.find(name)

    def disable(self, name: str) -> None:
        self.registry.replace(
            replace(each, state="disabled") if each.name == name else each for each in self.registry.all()
        )

    def remove(self, name: str) -> None:
        self.registry.replace(each for each in self.registry.all() if each.name != name)


URLS = {
    "openai": f"https://{OPENAI}/v1",
    "anthropic": f"https://{ANTHROPIC}",
    "copilot": f"https://{GITHUB}",
}


@dataclass
class World:
    """What a test talks to."""

    port: int
    proxy: Proxy
    provider: ScriptedProvider
    notebook: Notebook
    plane: DataPlane
    tokens: Tokens
    providers: Elsewhere
    counts: Counts
    contexts: Contexts
    trust: ssl.SSLContext
    tls: bool
    base: str
    """The gateway's own URL."""
    stack: AsyncExitStack = field(repr=False)

    async def connect(self) -> "Wire":
        """Open a connection to the proxy."""
        tls = self.trust if self.tls else None
        name = "localhost" if self.tls else None
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port, ssl=tls, server_hostname=name)
        wire = Wire(reader, writer)
        self.stack.push_async_callback(wire.close)
        return wire

    async def ask(self, head: bytes) -> "Said":
        """Send a head on a connection of its own and return the answer."""
        wire = await self.connect()
        wire.send(head)
        return await wire.answer()

    async def tunnel(self, target: str, token: str = TOKEN) -> "Wire":
        """Open a tunnel."""
        wire = await self.connect()
        wire.send(connect(target, token))
        assert (await wire.answer()).status == 200
        return wire

    async def inside(self, host: str) -> "Wire":
        """Open a tunnel to *host* and speak TLS in it."""
        wire = await self.tunnel(f"{host}:443")
        await wire.writer.start_tls(self.trust, server_hostname=host)
        return wire

    def client(self) -> aiohttp.ClientSession:
        """Return a client that has the proxy's address and authority, and nothing else."""
        scheme, name = ("https", "localhost") if self.tls else ("http", "127.0.0.1")
        return aiohttp.ClientSession(
            proxy=f"{scheme}://coder:{TOKEN}@{name}:{self.port}", connector=aiohttp.TCPConnector(ssl=self.trust)
        )


@dataclass
class Said:
    """One answer."""

    status: int
    head: bytes
    body: bytes

    def __contains__(self, text: str) -> bool:
        return text.encode() in self.head + self.body


@dataclass
class Wire:
    """One connection."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    def send(self, data: bytes) -> None:
        self.writer.write(data)

    async def answer(self) -> Said:
        """Read one answer."""
        async with asyncio.timeout(10):
            head = await self.reader.readuntil(b"\r\n\r\n")
            if b"chunked" in head.lower():
                return Said(int(head.split()[1]), head, await self._chunks())
            lengths = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
            body = await self.reader.readexactly(int(lengths[0].split(b":")[1]) if lengths else 0)
            return Said(int(head.split()[1]), head, body)

    async def _chunks(self) -> bytes:
        body = b""
        while size := int(await self.reader.readuntil(b"\r\n"), 16):
            body += (await self.reader.readexactly(size + 2))[:-2]
        await self.reader.readuntil(b"\r\n")
        return body

    async def rest(self) -> bytes:
        """Read until the connection is closed."""
        async with asyncio.timeout(10):
            try:
                return await self.reader.read()
            except ConnectionError:
                return b"<reset>"

    async def close(self) -> None:
        """Drop it."""
        self.writer.transport.abort()


def connect(target: str, token: str | None = TOKEN, *headers: str, version: str = "1.1") -> bytes:
    """Return the head of a CONNECT."""
    lines = [f"CONNECT {target} HTTP/{version}", f"Host: {target}", *headers]
    if token is not None:
        credentials = base64.b64encode(f"coder:{token}".encode()).decode()
        lines.append(f"Proxy-Authorization: Basic {credentials}")
    return "\r\n".join(lines).encode("utf-8", "surrogateescape") + b"\r\n\r\n"


def request(host: str, path: str, body: bytes = b"", method: str = "POST", *headers: str) -> bytes:
    """Return a request as it is sent inside a tunnel."""
    lines = [f"{method} {path} HTTP/1.1", f"Host: {host}", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


@asynccontextmanager
async def proxied(
    opened: Opening,
    directory: Path,
    *replies: object,
    urls: Mapping[str, str] = URLS,
    rules: Rules = LOOPBACK,
    through: Onward | None = None,
    limits: Limits | None = None,
    tls: bool = False,
    outside: bool = False,
    dial_seconds: float = 5.0,
    resolve: Resolve | None = None,
    **options: object,
) -> AsyncIterator[World]:
    """Open a data plane and a proxy before it. Replies and other options are those of the data plane's fixture."""
    async with AsyncExitStack() as stack:
        tokens = Tokens()
        setting = await stack.enter_async_context(opened(*replies, authority=tokens, **options))
        first = setting.registry.all()[0]
        copilot = replace(first, name="copilot", type="copilot", family=COPILOT, keys=type(first.keys)())
        setting.registry.replace([*setting.registry.all(), copilot])
        real = setting.registry.all()[0].base_url
        providers = Elsewhere(setting.registry, {name: url.replace("REAL", real) for name, url in urls.items()})
        counts, contexts = Counts(), Contexts(AUTHORITY)

        def make(server: web.Server) -> web.RequestHandler:
            return web.RequestHandler(server, loop=asyncio.get_running_loop(), auto_decompress=False, access_log=None)

        hosts = Hosts(providers)
        pass_outside = setting.plane.handle_outside if outside else None
        inside = Inside(setting.plane.handle, hosts, providers, counts, make, pass_outside)
        listener = socket.create_server(("127.0.0.1", 0))
        proxy = await stack.enter_async_context(
            listening(
                [listener],
                await contexts.context("localhost") if tls else None,
                tokens,
                hosts,
                contexts,
                Dialer(rules, through, seconds=dial_seconds, resolve=resolve),
                inside,
                counts,
                limits or Limits(),
                lambda: setting.plane.stopping,
            )
        )
        trust = ssl.create_default_context(cadata=AUTHORITY.certificate_pem.decode())
        clients = await stack.enter_async_context(AsyncExitStack())
        port = listener.getsockname()[1]
        yield World(
            port, proxy, setting.provider, setting.notebook, setting.plane, tokens, providers, counts, contexts,
            trust, tls, setting.url, clients,
        )  # fmt: skip


Opened = AbstractAsyncContextManager[World]
