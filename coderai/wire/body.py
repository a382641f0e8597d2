"""Bodies that came compressed: undone for reading, up to a size that does no harm."""

import zlib
from collections.abc import Callable, Iterator
from typing import Any, Final

from coderai.errors import Invalid, TooLarge, Unsupported

STEP: Final = 64 << 10
"""As much is undone at a time, so that a bomb is noticed before it has filled the memory."""
MOST_ENCODINGS: Final = 3
MOST_MEMBERS: Final = 64
"""Of a gzip or zstd body; each costs a copy of the rest."""


def decoded(body: bytes, content_encoding: str, limit: int) -> bytes:
    """Undo the encodings of *body*, last one first.

    Raises Unsupported for an unknown encoding, Invalid for broken data, TooLarge when it becomes more than *limit*
    bytes.
    """
    names = [name.strip().lower() for name in content_encoding.split(",")]
    names = [name for name in names if name not in ("", "identity")]
    if len(names) > MOST_ENCODINGS:
        raise Invalid(f"content encoding {content_encoding!r} names more than {MOST_ENCODINGS} encodings")
    for name in reversed(names):
        undo = _UNDO.get(name)
        if undo is None:
            raise Unsupported(f"content encoding {name!r} is not supported; use gzip, deflate, br, zstd or identity")
        body = _collected(name, undo(body), limit)
    return body


def _collected(name: str, pieces: Iterator[bytes], limit: int) -> bytes:
    collected, size = [], 0
    try:
        for piece in pieces:
            size += len(piece)
            if size > limit:
                raise TooLarge(f"the decoded body is larger than {limit} bytes")
            collected.append(piece)
    except _Broken as error:
        raise Invalid(f"the body is no valid {name} data: {error}") from error
    return b"".join(collected)


class _Broken(Exception):
    """Data that the named encoding cannot have produced."""


def _inflated(body: bytes, wbits: int) -> Iterator[bytes]:
    """Undo zlib's formats; gzip may have several members, one after the other."""
    rest = body
    for _ in range(MOST_MEMBERS):
        decoder = zlib.decompressobj(wbits)
        try:
            while not decoder.eof:
                piece = decoder.decompress(rest, STEP)
                rest = decoder.unconsumed_tail
                if not piece and not rest and not decoder.eof:
                    raise _Broken("it ends too early")
                yield piece
        except zlib.error as error:
            raise _Broken(str(error)) from error
        rest = decoder.unused_data.lstrip(b"\0")  # gzip files may be padded with zeros
        if not rest:
            return
    raise _Broken(f"it has more than {MOST_MEMBERS} members")


def _gzip(body: bytes) -> Iterator[bytes]:
    return _inflated(body, 31)


def _deflate(body: bytes) -> Iterator[bytes]:
    """With the zlib header, as specified, or without, as often sent."""
    has_header = len(body) >= 2 and body[0] & 0x0F == 8 and int.from_bytes(body[:2], "big") % 31 == 0
    return _inflated(body, 15 if has_header else -15)


def _brotli(body: bytes) -> Iterator[bytes]:
    import brotli

    decoder: Any = brotli.Decompressor()
    rest = body
    try:
        while not decoder.is_finished():
            piece = decoder.process(rest, output_buffer_limit=STEP)
            rest = b""
            if not piece and decoder.can_accept_more_data() and not decoder.is_finished():
                raise _Broken("it ends too early")
            yield piece
    except brotli.error as error:
        raise _Broken(str(error)) from error


def _zstd(body: bytes) -> Iterator[bytes]:
    """One frame or several, as the format allows."""
    zstd = zstd_module()
    rest = body
    for _ in range(MOST_MEMBERS):
        decoder: Any = zstd.ZstdDecompressor()
        try:
            while not decoder.eof:
                piece = decoder.decompress(rest, STEP)
                rest = b""
                if not piece and decoder.needs_input and not decoder.eof:
                    raise _Broken("it ends too early")
                yield piece
        except zstd.ZstdError as error:
            raise _Broken(str(error)) from error
        rest = decoder.unused_data
        if not rest:
            return
    raise _Broken(f"it has more than {MOST_MEMBERS} frames")


def zstd_module() -> Any:
    """Return the module of Python 3.14, or its port for older ones."""
    import importlib
    import sys

    return importlib.import_module("compression.zstd" if sys.version_info >= (3, 14) else "backports.zstd")


_UNDO: Final[dict[str, Callable[[bytes], Iterator[bytes]]]] = {
    "gzip": _gzip,
    "x-gzip": _gzip,
    "deflate": _deflate,
    "br": _brotli,
    "zstd": _zstd,
}
