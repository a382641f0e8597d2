"""Calls through an outbound proxy: real CONNECT and absolute-form requests through a tiny one."""

import asyncio
import base64
import datetime
import gzip
import ipaddress
import json
import ssl
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from coderai.demo.answers_messages import messages_answer
from coderai.errors import BrokenOff, Unreachable
from coderai.gateway.pool import pooling
from coderai.gateway.proxied import proxy_rule, proxying
from coderai.gateway.upstream import Call, Upstream
from tests.gateway.raw import read_request, saying, serving

SECRET = base64.b64encode(b"user:proxy-secret").decode()


@dataclass
class Proxy:
    """Notes the first head of each connection and passes everything on."""

    url: str = ""
    heads: list[bytes] = field(default_factory=list)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        self.heads.append(head)
        method, target, _ = head.split(b" ", 2)
        address = target if method == b"CONNECT" else target.split(b"/")[2]
        host, _, port = address.decode().rpartition(":")
        try:
            there, onward = await asyncio.open_connection(host, int(port))
        except OSError:
            writer.write(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n")
            writer.close()
            return
        if method == b"CONNECT":
            writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        else:
            onward.write(head)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(_pump(reader, onward), name="there")
            tasks.create_task(_pump(there, writer), name="back")


async def _pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    try:
        while piece := await source.read(1 << 16):
            sink.write(piece)
            await sink.drain()
    except ConnectionError:
        pass
    finally:
        sink.close()


@asynccontextmanager
async def _through_proxy(**environ: str) -> AsyncIterator[tuple[Proxy, Upstream]]:
    proxy = Proxy()
    async with AsyncExitStack() as stack:
        url = await stack.enter_async_context(serving(proxy.serve))
        proxy.url = url.replace("//", "//user:proxy-secret@")
        rule = proxy_rule({"HTTP_PROXY": proxy.url, "HTTPS_PROXY": proxy.url, **environ})
        calls = await stack.enter_async_context(proxying())
        yield proxy, Upstream(await stack.enter_async_context(pooling()), calls.send, rule)


async def _fetch(upstream: Upstream, url: str, body: bytes = b"{}") -> tuple[int, bytes]:
    call = Call("POST", url, [(b"X-Api-Key", b"sk-secret"), (b"X-A", "ä".encode())], body)
    async with upstream.send(call, asyncio.timeout(5)) as answer:
        pieces = []
        assert await answer.begun()
        while piece := await answer.read():
            pieces.append(piece)
        assert answer.at_end()
        return answer.status, b"".join(pieces)


async def test_a_plain_provider_is_asked_through_the_proxy():
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
    async with saying(answer) as url, _through_proxy() as (proxy, upstream):
        assert await _fetch(upstream, url + "/v1/messages?beta=true") == (200, b"ok")
    assert proxy.heads[0].startswith(f"POST {url}/v1/messages?beta=true HTTP/1.1\r\n".encode())
    assert f"Proxy-Authorization: Basic {SECRET}".encode() in proxy.heads[0]


async def test_a_tls_provider_gets_a_tunnel_that_sees_no_key_and_nothing_when_it_is_not_trusted(tmp_path):
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(_self_signed(tmp_path))
    got: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        got.append(await reader.read())

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    port = server.sockets[0].getsockname()[1]
    async with _through_proxy() as (proxy, upstream):
        with pytest.raises(Unreachable, match="through the outbound proxy: ClientConnectorCertificateError"):
            await _fetch(upstream, f"https://127.0.0.1:{port}/v1/messages")
    server.close()
    assert proxy.heads[0].startswith(f"CONNECT 127.0.0.1:{port} HTTP/1.1\r\n".encode())
    assert b"sk-secret" not in b"".join(proxy.heads)
    assert b"".join(got) == b""


async def test_a_self_signed_provider_is_refused_directly_too_and_says_why(tmp_path):
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(_self_signed(tmp_path))
    got: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        got.append(await reader.read())

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    port = server.sockets[0].getsockname()[1]
    async with pooling() as pool:
        with pytest.raises(Unreachable, match=rf"^127\.0\.0\.1:{port} cannot be reached: TLS: self.signed certificate"):
            await _fetch(Upstream(pool), f"https://127.0.0.1:{port}/v1/messages")
    server.close()
    assert b"".join(got) == b""


def _self_signed(tmp_path):
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    names = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    builder = x509.CertificateBuilder(name, name, key.public_key(), 1, now, now + datetime.timedelta(days=1))
    certificate = builder.add_extension(names, critical=False).sign(key, hashes.SHA256())
    path = tmp_path / "certificate.pem"
    encoding, no_password = serialization.Encoding.PEM, serialization.NoEncryption()
    path.write_bytes(
        key.private_bytes(encoding, serialization.PrivateFormat.PKCS8, no_password) + certificate.public_bytes(encoding)
    )
    return path


async def test_a_host_that_no_proxy_names_is_asked_directly():
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
    async with saying(answer) as url, _through_proxy(NO_PROXY="127.0.0.1") as (proxy, upstream):
        assert await _fetch(upstream, url + "/") == (200, b"ok")
    assert proxy.heads == []


async def test_a_big_body_goes_through():
    got: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        got.append(await read_request(reader))
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        writer.close()

    body = bytes(range(256)) * 20_000
    async with serving(serve) as url, _through_proxy() as (_, upstream):
        assert await _fetch(upstream, url + "/", body) == (200, b"ok")
    assert got[0].endswith(b"\r\n\r\n" + body)


async def test_a_compressed_answer_is_decoded():
    text = gzip.compress(b"hello")
    answer = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n%b" % (len(text), text)
    async with saying(answer) as url, _through_proxy() as (_, upstream):
        assert await _fetch(upstream, url + "/") == (200, b"hello")


@pytest.mark.parametrize(
    "answer",
    [
        b"Content-Length: 9\r\n\r\nab",
        b"Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n",
    ],
    ids=["length", "chunks"],
)
async def test_half_an_answer_is_broken_off(answer):
    async with saying(b"HTTP/1.1 200 OK\r\n" + answer) as url, _through_proxy() as (_, upstream):
        with pytest.raises(BrokenOff):
            await _fetch(upstream, url + "/")


async def test_what_the_proxy_cannot_reach_is_unreachable_and_no_secret_is_told():
    async with _through_proxy() as (_, upstream):
        with pytest.raises(Unreachable) as caught:
            await _fetch(upstream, "https://127.0.0.1:9/")
    assert "through the outbound proxy" in str(caught.value)
    assert "proxy-secret" not in str(caught.value)


async def test_a_stream_pours_through():
    whole = messages_answer(text="hi").body
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Length: %d\r\n\r\n" % len(whole)
    out: list[bytes] = []

    def sink(piece: bytes) -> bool:
        out.append(piece)
        return True

    pieces = [whole[i : i + 100] for i in range(0, len(whole), 100)]
    async with saying(head, *pieces) as url, _through_proxy() as (_, upstream):
        call = Call("POST", url + "/v1/messages", [], json.dumps({"stream": True}).encode())
        async with upstream.send(call, asyncio.timeout(5)) as answer:
            assert await answer.begun()
            await answer.pour(sink)
            assert answer.at_end()
    assert b"".join(out) == whole
