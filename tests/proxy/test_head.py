"""Heads of CONNECT requests: what is read, what is refused, and that the size of pieces does not matter."""

import base64
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coderai.proxy.head import MOST_BYTES, Connect, HeadReader, canonical
from coderai.proxy.refusals import Refusal
from tests.proxy.world import connect

GOOD = connect("api.openai.com:443", "id-secret", "User-Agent: git/2.39.5", "Proxy-Connection: Keep-Alive")
WANTED = Connect("api.openai.com", 443, "id-secret", True)


def read(head: bytes, size: int = 1 << 20) -> Connect | Refusal | None:
    reader, said = HeadReader(), None
    for start in range(0, len(head), size):
        assert said is None
        said = reader.feed(head[start : start + size])
    return said


@pytest.mark.parametrize("size", [1, 2, 3, 7, 64, 1000])
def test_pieces_do_not_matter(size):
    assert read(GOOD, size) == WANTED


@given(cut=st.integers(0, len(GOOD) - 1))
def test_half_a_head_is_waited_for(cut):
    assert read(GOOD[:cut]) is None


@pytest.mark.parametrize(
    ("target", "host", "port"),
    [
        ("API.OpenAI.com:443", "api.openai.com", 443),
        ("api.openai.com.:443", "api.openai.com", 443),
        ("localhost:80", "localhost", 80),
        ("xn--bcher-kva.example:443", "xn--bcher-kva.example", 443),
        ("a_b.example:443", "a_b.example", 443),
        ("10.0.0.1:443", "10.0.0.1", 443),
        ("2130706433:443", "127.0.0.1", 443),
        ("0x7f000001:443", "127.0.0.1", 443),
        ("0X7F.1:443", "127.0.0.1", 443),
        ("0177.0.0.01:443", "127.0.0.1", 443),
        ("127.1:443", "127.0.0.1", 443),
        ("127.0.0.1.:443", "127.0.0.1", 443),
        ("0:443", "0.0.0.0", 443),
        ("[::1]:443", "::1", 443),
        ("[0:0::0:1]:443", "::1", 443),
        ("[::FFFF:10.0.0.1]:443", "10.0.0.1", 443),
        ("[::ffff:a00:1]:443", "10.0.0.1", 443),
        ("[2001:DB8::1]:8443", "2001:db8::1", 8443),
    ],
)
def test_a_target_is_read_in_one_form(target, host, port):
    said = read(connect(target))
    assert isinstance(said, Connect)
    assert (said.host, said.port) == (host, port)


@pytest.mark.parametrize(
    "target",
    [
        *("", ":", "api.openai.com", "api.openai.com:", "api.openai.com:0", "api.openai.com:65536", "a:+443", "a:4 43"),
        *("a:٤٤٣", "::1:443", "[::1:443", "[::1%eth0]:443", "[fe80::1%25eth0]:443", "[v1.x]:443", "[]:443"),
        *(".:443", "..:443", ".a:443", "a..b:443", "a b:443", "-a:443", "a-:443", "user@a:443", "a/b:443", "a%2eb:443"),
        *("bücher.example:443", "１２７.0.0.1:443", "1.2.3.4.5:443", "256.1.1.1:443", "0x:443", "1.08.1:443"),
        *("4294967296:443", "http://a:443", "a\x00b:443", "a" * 64 + ".example:443", "a." * 127 + "example:443"),
    ],
)
def test_what_is_no_target_is_a_400(target):
    said = read(connect(target))
    assert isinstance(said, Refusal)
    assert (said.status, said.reason) == (400, "bad_head")


def basic(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


@pytest.mark.parametrize(
    ("header", "token"),
    [
        (f"Proxy-Authorization: Basic {basic('coder:t')}", "t"),
        (f"proxy-authorization: bAsIc  {basic(':t')}", "t"),
        (f"Proxy-Authorization: Basic {basic('u:with:colons')}", "with:colons"),
        (f"Proxy-Authorization: Basic {basic('only-a-user')}", ""),
        (f"Proxy-Authorization: Basic {basic('u:')}", ""),
        ("Proxy-Authorization: Basic", ""),
        ("Proxy-Authorization: Basic !!!", ""),
        ("Proxy-Authorization: Basic /v8=", ""),
        (f"Proxy-Authorization: Basic {basic('u:t')} more", ""),
        (f"Proxy-Authorization: Bearer {basic('u:t')}", ""),
        ("Proxy-Authorization:", ""),
        (f"Authorization: Basic {basic('u:t')}", None),
    ],
)
def test_the_token_is_the_password(header, token):
    said = read(connect("a:443", None, header))
    assert isinstance(said, Connect)
    assert said.token == token


def test_the_token_is_not_shown():
    assert "secret" not in repr(WANTED)


@pytest.mark.parametrize(
    ("version", "headers", "persistent"),
    [
        ("1.1", [], True),
        ("1.1", ["Connection: close"], False),
        ("1.1", ["Proxy-Connection: Close"], False),
        ("1.0", [], False),
        ("1.0", ["Proxy-Connection: keep-alive"], True),
    ],
)
def test_whether_a_connection_may_be_used_again(version, headers, persistent):
    said = read(connect("a:443", None, *headers, version=version))
    assert isinstance(said, Connect)
    assert said.persistent == persistent


def seconds_for(single_bytes: int) -> float:
    reader = HeadReader()
    reader.feed(b"CONNECT a:443 HTTP/1.1\r\nX: ")
    began = time.process_time()
    for _ in range(single_bytes):
        reader.feed(b"y")
    return time.process_time() - began


def test_a_byte_costs_no_more_when_many_came_before():
    assert seconds_for(64_000) < 24 * seconds_for(8_000)  # 8 times as much is right; 50 times when each was read again


TLS_HELLO = bytes.fromhex("160301020001000200")
MANY = b"CONNECT a:443 HTTP/1.1\r\n" + b"X: y\r\n" * 101 + b"\r\n"


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (b"CONNECT a:443 HTTP/1.1\n\n", 400),
        (b"CONNECT a:443 HTTP/2.0\r\n\r\n", 400),
        (b"CONNECT a:443\r\n\r\n", 400),
        (b"CONNECT  a:443 HTTP/1.1\r\n\r\n", 400),
        (b"connect a:443 HTTP/1.1\r\n\r\n", 405),
        (b"\r\nCONNECT a:443 HTTP/1.1\r\n\r\n", 400),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        (b"GET http://a/ HTTP/1.1\r\nHost: a\r\n\r\n", 405),
        (b"POST https://a/ HTTP/1.1\r\nHost: a\r\n\r\n", 405),
        (b"CONNECT a:443 HTTP/1.1\r\n folded: x\r\n\r\n", 400),
        (b"CONNECT a:443 HTTP/1.1\r\nX: y\r\n z\r\n\r\n", 400),
        (b"CONNECT a:443 HTTP/1.1\r\nX : y\r\n\r\n", 400),
        (b"CONNECT a:443 HTTP/1.1\r\nX\r\n\r\n", 400),
        (b"CONNECT a:443 HTTP/1.1\r\nX: a\x00b\r\n\r\n", 400),
        (b"CONNECT a:443 HTTP/1.1\r\nX: a\nY: b\r\n\r\n", 400),
        (b"CONNECT a:443 HTTP/1.1\r\nX: a\rY: b\r\n\r\n", 400),
        (b"CONNECT a:443 HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
        (b"CONNECT a:443 HTTP/1.1\r\nProxy-Authorization: x\r\nproxy-authorization: y\r\n\r\n", 400),
        (b"CONNECT a:443 HTTP/1.1\r\nContent-Length: 5\r\n\r\n", 400),
        (b"CONNECT a:443 HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
        (b"CONNECT a:443 HTTP/1.1\r\n\r\nCONNECT b:443 HTTP/1.1\r\n\r\n", 400),
        (b"CONNECT a:443 HTTP/1.1\r\n\r\n" + TLS_HELLO, 400),
        (TLS_HELLO, 400),
        (b"\x00" * 40, 400),
        (b"x" * 40, 400),
        (MANY, 431),
        (b"CONNECT " + b"a" * 9000, 431),
        (b"CONNECT a:443 HTTP/1.1\r\nX: " + b"y" * MOST_BYTES, 431),
    ],
)
def test_a_bad_head_is_refused_in_http(head, status):
    said = read(head)
    assert isinstance(said, Refusal)
    assert said.status == status
    answer = said.answer()
    assert answer.startswith(f"HTTP/1.1 {status} ".encode())
    assert answer.endswith(said.text.encode() + b"\n")
    assert b"Connection: close" in answer


def test_a_body_of_nothing_is_allowed():
    assert isinstance(read(connect("a:443", None, "Content-Length: 0")), Connect)


@given(st.binary(max_size=300))
def test_no_bytes_break_it(data):
    said = HeadReader().feed(data)
    assert said is None or isinstance(said, Refusal)


@given(st.text(max_size=40))
def test_what_is_canonical_stays_so(text):
    host = canonical(text)
    if host is not None:
        assert canonical(f"[{host}]" if ":" in host else host) == host
