"""The official hosts of the providers, on this machine: real TLS, reached through the outbound proxy of the server.

Nothing in the server is told about it but what an operator tells it: ``HTTPS_PROXY`` and ``SSL_CERT_FILE``.
"""

import asyncio
import datetime
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests.gateway.raw import serving


@dataclass
class Outside:
    """A proxy that leads to the hosts it knows, and nowhere else."""

    ports: dict[str, int] = field(default_factory=dict)
    """Of the TLS listener of each host."""
    asked: list[str] = field(default_factory=list)
    """Where tunnels were wanted to, in order."""
    environment: dict[str, str] = field(default_factory=dict)
    """For the server."""

    async def lead(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection of the proxy."""
        head = await reader.readuntil(b"\r\n\r\n")
        target = head.split(b" ")[1].decode()
        self.asked.append(target)
        host, _, port = target.partition(":")
        if not head.startswith(b"CONNECT ") or host not in self.ports or port != "443":
            writer.write(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")
            return
        there, onward = await asyncio.open_connection("127.0.0.1", self.ports[host])
        writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        await _both_ways(reader, writer, there, onward)


@asynccontextmanager
async def outside(hosts: Mapping[str, str], directory: Path) -> AsyncIterator[Outside]:
    """Serve each host of *hosts* by the plain base URL behind it; certificates are written to *directory*."""
    found = Outside()
    authority = _Authority(directory)
    async with AsyncExitStack() as stack:
        for host, url in hosts.items():
            listening = serving(_terminating(url), authority.context(host))
            found.ports[host] = urlsplit(await stack.enter_async_context(listening)).port or 0
        proxy = await stack.enter_async_context(serving(found.lead))
        found.environment = {"HTTPS_PROXY": proxy, "NO_PROXY": "", "SSL_CERT_FILE": str(authority.path)}
        yield found


def _terminating(url: str):
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        parts = urlsplit(url)
        there, onward = await asyncio.open_connection(parts.hostname, parts.port)
        await _both_ways(reader, writer, there, onward)

    return serve


async def _both_ways(
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    there: asyncio.StreamReader,
    onward: asyncio.StreamWriter,
) -> None:
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(_pump(reader, onward), name="there")
        tasks.create_task(_pump(there, writer), name="back")


async def _pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    try:
        while piece := await source.read(1 << 16):
            sink.write(piece)
            await sink.drain()
    except (ConnectionError, ssl.SSLError):
        pass  # the other side has gone; so does this one
    finally:
        sink.close()


class _Authority:
    """A certificate authority for one test; its certificate is at ``path``."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._certificate = self._signed("Authority of a test", self._key.public_key(), None)
        self.path = directory / "authority.pem"
        self.path.write_bytes(self._certificate.public_bytes(serialization.Encoding.PEM))

    def context(self, host: str) -> ssl.SSLContext:
        """Return what a listener needs to be *host*."""
        key = ec.generate_private_key(ec.SECP256R1())
        pem, no_password = serialization.Encoding.PEM, serialization.NoEncryption()
        path = self._directory / f"{host}.pem"
        path.write_bytes(
            key.private_bytes(pem, serialization.PrivateFormat.PKCS8, no_password)
            + self._signed(host, key.public_key(), x509.DNSName(host)).public_bytes(pem)
        )
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(path)
        return context

    def _signed(self, name: str, key: ec.EllipticCurvePublicKey, host: x509.DNSName | None) -> x509.Certificate:
        now = datetime.datetime.now(datetime.UTC)
        day = datetime.timedelta(days=1)
        subject, issuer = (
            x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, text)]) for text in (name, "Authority of a test")
        )
        number = x509.random_serial_number()
        builder = x509.CertificateBuilder(issuer, subject, key, number, now - day, now + day).add_extension(
            x509.BasicConstraints(ca=host is None, path_length=None), critical=True
        )
        if host is not None:
            builder = builder.add_extension(x509.SubjectAlternativeName([host]), critical=False)
        return builder.sign(self._key, hashes.SHA256())
