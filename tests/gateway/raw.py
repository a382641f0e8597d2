"""Both ends of the wire in the raw: clients that write bytes, providers that send exactly what they are told."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

from tests.gateway.conftest import TOKEN

RESET = b"<reset>"
"""In a script: close the connection with a reset."""

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def serving(serve: Serve, tls: ssl.SSLContext | None = None) -> AsyncIterator[str]:
    """Listen on 127.0.0.1 and give the base URL."""
    running = 0
    idle = asyncio.Event()

    async def counted(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal running
        running += 1
        idle.clear()
        try:
            await serve(reader, writer)
        finally:
            writer.close()
            running -= 1
            if not running:
                idle.set()

    idle.set()
    server = await asyncio.start_server(counted, "127.0.0.1", 0, ssl=tls)
    try:
        yield f"http{'s' if tls else ''}://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        async with asyncio.timeout(5):
            await idle.wait()


async def read_request(reader: asyncio.StreamReader) -> bytes:
    """Read one request whole."""
    head = await reader.readuntil(b"\r\n\r\n")
    length = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
    return head + await reader.readexactly(int(length[0].split(b":")[1]) if length else 0)


@asynccontextmanager
async def saying(*pieces: bytes) -> AsyncIterator[str]:
    """Serve each connection one request: send the pieces, then close (RESET: hard)."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await read_request(reader)
            for piece in pieces:
                if piece == RESET:
                    writer.transport.abort()
                    return
                writer.write(piece)
                await writer.drain()
                await asyncio.sleep(0)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    async with serving(serve) as url:
        yield url


def request(
    url: str,
    body: bytes = b"",
    *,
    method: str = "POST",
    version: str = "1.1",
    headers: Sequence[bytes] = (),
    token: str = TOKEN,
) -> bytes:
    """Return a request as bytes for *url*, of which everything behind the host goes out as written."""
    path = url.split("/", 3)[3]
    lines = [
        f"{method} /{path} HTTP/{version}".encode("utf-8", "surrogateescape"),
        b"Host: gateway",
        *([b"Authorization: Bearer " + token.encode()] if token else []),
        b"Content-Length: %d" % len(body),
        *headers,
    ]
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


async def connect(url: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Open a connection to the gateway."""
    parts = urlsplit(url)
    return await asyncio.open_connection(parts.hostname, parts.port)


async def talk(url: str, data: bytes) -> tuple[bytes, bool]:
    """Send *data*; return everything that came until the connection was closed, and whether that was a plain close."""
    reader, writer = await connect(url)
    got = b""
    try:
        writer.write(data)
        async with asyncio.timeout(10):
            while piece := await reader.read(1 << 16):
                got += piece
    except ConnectionError:
        return got, False
    finally:
        writer.close()
    return got, True
