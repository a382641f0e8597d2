"""Compressed request bodies."""

import gzip
import sys
import tracemalloc
import zlib
from contextlib import suppress

import brotli
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coderai.errors import Invalid, TooLarge
from coderai.wire.body import decoded

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

BODY = b'{"model":"m","messages":[' + b'{"role":"user","content":"hello"},' * 9000 + b"{}]}"


def raw_deflate(body: bytes) -> bytes:
    return zlib.compress(body, wbits=-15)


ENCODED = {
    "gzip": gzip.compress(BODY),
    "x-gzip": gzip.compress(BODY),
    "GZip": gzip.compress(BODY[:1000]) + gzip.compress(BODY[1000:]) + b"\0" * 8,
    "deflate": zlib.compress(BODY),
    " deflate ": raw_deflate(BODY),
    "br": brotli.compress(BODY),
    "zstd": zstd.compress(BODY),
    "zstd,": zstd.compress(BODY[:1000]) + zstd.compress(BODY[1000:]),
    "gzip, zstd": zstd.compress(gzip.compress(BODY)),
    "identity": BODY,
    "": BODY,
}
every_encoding = pytest.mark.parametrize(("encoding", "body"), ENCODED.items(), ids=ENCODED)
compressed = pytest.mark.parametrize(("encoding", "body"), [*ENCODED.items()][:-2], ids=[*ENCODED][:-2])


@every_encoding
def test_undone(encoding: str, body: bytes) -> None:
    assert decoded(body, encoding, len(BODY)) == BODY


@compressed
def test_more_than_allowed(encoding: str, body: bytes) -> None:
    with pytest.raises(TooLarge, match=str(len(BODY) - 1)):
        decoded(body, encoding, len(BODY) - 1)


@compressed
def test_cut_off_or_empty_or_garbage(encoding: str, body: bytes) -> None:
    for broken in (body[:-20], b"", b"\x01garbage garbage garbage"):
        with pytest.raises(Invalid, match="the body is no valid"):
            decoded(broken, encoding, 10 * len(BODY))


@pytest.mark.parametrize("encoding", ["compress", "gzip, snappy", "aws-chunked"])
def test_an_unknown_encoding_is_named(encoding: str) -> None:
    with pytest.raises(Invalid, match=encoding.rpartition(", ")[2]):
        decoded(BODY, encoding, 1 << 20)


def test_no_more_than_three_encodings() -> None:
    with pytest.raises(Invalid, match="more than 3"):
        decoded(BODY, "gzip, gzip, gzip, gzip", 1 << 20)


@pytest.mark.parametrize("encoding", ["gzip", "zstd"])
def test_a_thousand_members_are_refused(encoding: str) -> None:
    member = gzip.compress(b"") if encoding == "gzip" else zstd.compress(b"")
    with pytest.raises(Invalid, match="more than 64"):
        decoded(member * 1000, encoding, 1 << 20)


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "zstd"])
def test_a_bomb_does_not_fill_the_memory(encoding: str) -> None:
    make = {"gzip": gzip.compress, "deflate": zlib.compress, "br": brotli.compress, "zstd": zstd.compress}[encoding]
    bomb = make(bytes(64 << 20))
    tracemalloc.start()
    with pytest.raises(TooLarge):
        decoded(bomb, encoding, 1 << 20)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert peak < 8 << 20


@settings(max_examples=200, deadline=None)
@given(encoding=st.sampled_from(["gzip", "deflate", "br", "zstd", "gzip, br"]), body=st.binary(max_size=200))
def test_arbitrary_bytes_are_refused_or_undone(encoding: str, body: bytes) -> None:
    with suppress(Invalid, TooLarge):
        assert isinstance(decoded(body, encoding, 1 << 20), bytes)
