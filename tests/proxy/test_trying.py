"""`coderai doctor --client`: what would go wrong for a tool behind the proxy is said in one line."""

import asyncio
import base64
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

import pytest

from coderai.errors import Invalid
from coderai.proxy.issuing import new_authority
from coderai.proxy.trying import Trust, passed_by, tried, trusts, way_to
from tests.proxy.showing import showing

NOW = datetime.now(UTC)
OURS, OTHER = new_authority("Ours", NOW), new_authority("Another", NOW)
LIMITED = new_authority("Limited", NOW, only=["api.example.com"])
INTERCEPTED = b"HTTP/1.1 200 Connection established\r\nX-AI-Gateway-Proxy: intercepted\r\n\r\n"
TUNNELED = b"HTTP/1.1 200 Connection established\r\nX-AI-Gateway-Proxy: tunneled\r\n\r\n"
ANY = b"HTTP/1.1 200 Connection established\r\n\r\n"
HOST = "api.openai.com"


def refusal(status: str, text: str) -> bytes:
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(text)}\r\n\r\n{text}".encode()


@asynccontextmanager
async def proxy(answer: bytes, inner: ssl.SSLContext | None, outer: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """A proxy that gives one *answer*, then shows what *inner* has; closes without one."""
    heads: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            heads.append(await reader.read(1 << 16))
            writer.write(answer)
            await writer.drain()
            if inner is not None:
                await writer.start_tls(inner)
                await reader.read()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=outer)
    async with server:
        yield server.sockets[0].getsockname()[1]
    asked = [head for head in heads if head.startswith(b"CONNECT")]
    assert all(b"Proxy-Authorization: Basic " + base64.b64encode(b"coder:t:1") in head for head in asked)


@pytest.fixture
def files(tmp_path) -> dict[str, Path]:
    """The authorities as files."""
    found = {"ours": OURS, "another": OTHER, "limited": LIMITED}
    for name, authority in found.items():
        (tmp_path / f"{name}.pem").write_bytes(authority.certificate_pem)
    return {name: tmp_path / f"{name}.pem" for name in found}


async def asked(port: int, trust: Trust, scheme: str = "http", *, wanted: bool = True, name: str = "127.0.0.1"):
    way = way_to(f"{scheme}://coder:t%3A1@{name}:{port}")
    return await asyncio.to_thread(lambda: list(tried(way, [trust], [HOST], wanted=wanted)))


def shown(host: str = HOST, authority=OURS):
    return showing(authority, host)


async def test_all_is_well(files):
    trust = Trust("SSL_CERT_FILE", files["ours"])
    async with proxy(INTERCEPTED, shown()) as port:
        assert await asked(port, trust) == [("ok", f"{HOST} is intercepted, and trusted by {trust}")]


async def test_tls_to_the_proxy_and_inside(files):
    async with proxy(INTERCEPTED, shown(), shown("127.0.0.1")) as port:
        assert (await asked(port, Trust("SSL_CERT_FILE", files["ours"]), "https"))[0][0] == "ok"


@pytest.mark.parametrize(
    ("answer", "inner", "trust", "reason"),
    [
        (
            INTERCEPTED,
            (HOST, OURS),
            "another",
            "the proxy shows for api.openai.com is not trusted by X={file}: self-signed",
        ),
        (INTERCEPTED, ("api.example.com", OURS), "ours", "is for another host than api.openai.com"),
        (INTERCEPTED, (HOST, LIMITED), "limited", "signed by a CA that may not speak for api.openai.com"),
        (ANY, (HOST, OURS), "ours", "is a proxy, but none of coderai: what goes to api.openai.com is not recorded"),
        (TUNNELED, (HOST, OURS), "ours", "api.openai.com is not intercepted, as no provider has this host"),
        (TUNNELED, (HOST, OTHER), "ours", "no provider has this host; what it shows for api.openai.com is not trusted"),
        (INTERCEPTED, None, "ours", "the tunnel broke off in the TLS handshake"),
        (refusal("407 No", "the token has expired"), None, "ours", "the token in its address (407): the token has ex"),
        (refusal("403 Forbidden", "10.0.0.1 is private"), None, "ours", "refuses api.openai.com (403): 10.0.0.1 is"),
        (refusal("502 Bad Gateway", ""), None, "ours", "the proxy refuses api.openai.com (502): Bad Gateway"),
        (b"SSH-2.0-OpenSSH\r\n", None, "ours", "does not answer as a proxy"),
        (b"", None, "ours", "does not answer as a proxy; with TLS its address begins with https://"),
    ],
)
async def test_what_is_wrong_is_one_line(files, answer, inner, trust, reason):
    async with proxy(answer, shown(*inner) if inner else None) as port:
        ((state, text),) = await asked(port, Trust("X", files[trust]))
    assert state == "fail"
    assert reason.format(file=files[trust]) in text
    assert "t:1" not in text


@pytest.mark.parametrize(("inner", "state"), [(OURS, "ok"), (OTHER, "warn")])
async def test_a_host_that_nobody_asked_for_need_not_be_intercepted(files, inner, state):
    async with proxy(TUNNELED, shown(HOST, inner)) as port:
        assert (await asked(port, Trust("X", files["ours"]), wanted=False))[0][0] == state


async def test_the_certificate_of_the_proxy_itself(files):
    async with proxy(INTERCEPTED, shown(), shown("127.0.0.1", OTHER)) as port:
        ((state, text),) = await asked(port, Trust("X", files["ours"]), "https")
    assert (state, "the certificate of the proxy itself is not trusted by X=" in text) == ("fail", True)


async def test_the_name_of_the_proxy_itself(files):
    async with proxy(INTERCEPTED, shown(), shown("proxy.example.com")) as port:
        ((_, text),) = await asked(port, Trust("X", files["ours"]), "https", name="localhost")
    assert text == "the certificate of the proxy itself is for another host than localhost"


async def test_tls_to_a_proxy_without(files):
    async with proxy(b"HTTP/1.1 400 Bad Request\r\n\r\n", None) as port:
        trusted = [Trust("X", files["ours"]), Trust("Y", files["another"])]
        way = way_to(f"https://127.0.0.1:{port}")
        seen = await asyncio.to_thread(lambda: list(tried(way, trusted, [HOST, "x"], wanted=True)))
    assert seen == [("fail", f"the proxy 127.0.0.1:{port} speaks no TLS; write http:// instead of https://")]


async def test_no_tls_to_a_proxy_with(files):
    async with proxy(INTERCEPTED, shown(), shown("127.0.0.1")) as port:
        ((_, text),) = await asked(port, Trust("X", files["ours"]))
    assert "with TLS its address begins with https://" in text


def test_nobody_there(files):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    seen = list(tried(way_to(f"http://127.0.0.1:{port}"), [Trust("X", files["ours"])] * 2, [HOST, "x"], wanted=True))
    assert seen == [("fail", f"the proxy 127.0.0.1:{port} cannot be reached: Connection refused")]


def test_a_file_that_cannot_be_used(tmp_path):
    (tmp_path / "empty.pem").write_text("")
    way = way_to("http://127.0.0.1:1")
    trusted = [Trust("X", tmp_path / "missing.pem"), Trust("Y", tmp_path / "empty.pem")]
    assert list(tried(way, trusted, [HOST], wanted=True)) == [
        ("fail", f"X names {tmp_path}/missing.pem, which cannot be used: No such file or directory"),
        ("fail", f"Y names {tmp_path}/empty.pem, which cannot be used: it holds no certificate"),
    ]


@pytest.mark.parametrize(
    ("environ", "seen"),
    [
        ({}, []),
        ({"HTTPS_PROXY": "http://a", "https_proxy": "http://a", "NO_PROXY": "localhost,.corp"}, []),
        ({"HTTPS_PROXY": "http://a", "https_proxy": "http://b"}, ["warn"]),
        ({"NO_PROXY": ".openai.com"}, ["fail"]),
        ({"no_proxy": "*"}, ["fail"]),
    ],
)
def test_what_leads_past_the_proxy(environ, seen):
    assert [state for state, _ in passed_by(environ, [HOST])] == seen


def test_what_is_trusted_here():
    here = {"SSL_CERT_FILE": "/a", "NODE_EXTRA_CA_CERTS": "/b", "CURL_CA_BUNDLE": ""}
    assert trusts(here) == [Trust("SSL_CERT_FILE", Path("/a")), Trust("NODE_EXTRA_CA_CERTS", Path("/b"), besides=True)]
    assert trusts(here, Path("/c")) == [Trust("--cacert", Path("/c"))]
    assert str(trusts({})[0]) == "the system's certificates"


@pytest.mark.parametrize(
    "url", ["", "proxy:8888", "ftp://coder:secret@proxy", "http://:8888", "http://coder:secret@x:y"]
)
def test_an_address_that_is_none_is_not_repeated(url):
    with pytest.raises(Invalid, match="the proxy's address is none") as refused:
        way_to(url)
    assert "secret" not in str(refused.value)


def test_a_way_hides_its_credentials():
    way = way_to("https://coder:secret@proxy.example.com:8888")
    assert "secret" not in f"{way} {way!r}"
