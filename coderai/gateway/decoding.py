"""Answers that a provider compressed although it was asked not to: undone before they are read and relayed.

The end of a compressed stream cannot be recognised, so it could not be held back until the records are stored.
"""

import zlib
from collections.abc import Callable
from typing import Final, Protocol

from coderai.errors import BrokenOff
from coderai.gateway.http1 import Sink


class Body(Protocol):
    """What gives an answer's bytes."""

    async def read(self) -> bytes: ...

    def at_end(self) -> bool: ...


Decode = Callable[[bytes], bytes]


def _gzip() -> Decode:
    return zlib.decompressobj(wbits=47).decompress  # gzip and zlib, told apart by their heads


def _brotli() -> Decode:
    import brotli

    decode: Decode = brotli.Decompressor().process
    return decode


def _zstd() -> Decode:
    try:
        from compression import zstd  # type: ignore[import-not-found,unused-ignore]
    except ImportError:
        from backports import zstd
    decode: Decode = zstd.ZstdDecompressor().decompress
    return decode


_DECODERS: Final[dict[str, Callable[[], Decode]]] = {
    "gzip": _gzip,
    "x-gzip": _gzip,
    "deflate": _gzip,
    "br": _brotli,
    "zstd": _zstd,
}


class Decoded:
    """Reads *body* as *encoding* says. Raises BrokenOff for an encoding nobody asked for, or broken data."""

    def __init__(self, body: Body, encoding: str) -> None:
        self._body = body
        self._encoding = encoding
        opening = _DECODERS.get(encoding)
        self._decode = opening() if opening else None

    async def read(self) -> bytes:
        """Return decoded bytes, empty at the end."""
        if self._decode is None:
            raise BrokenOff(f"the provider used the content encoding {self._encoding!r} that it was not offered")
        while chunk := await self._body.read():
            try:
                plain = self._decode(chunk)
            except Exception as error:  # each codec raises its own class, brotli in two forms
                raise BrokenOff(f"the provider's {self._encoding} data is broken") from error
            if plain:
                return plain
        return b""

    async def pour(self, sink: Sink) -> None:
        """Hand the decoded body to *sink*; see ``http1.Connection.pour``."""
        await pour(self, sink)

    def at_end(self) -> bool:
        """Tell whether everything has been read."""
        return self._body.at_end()


async def pour(body: Body, sink: Sink) -> None:
    """Hand *body* to *sink* piece by piece, until it wants no more for now or the end has come."""
    while piece := await body.read():
        if not sink(piece):
            return
