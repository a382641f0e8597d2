"""Answers that a provider compressed although it was asked not to: undone before they are read and relayed.

The end of a compressed stream cannot be recognised, so it could not be held back until the records are stored.
"""

import zlib
from collections.abc import Callable
from typing import Final, Protocol

from coderai.errors import BrokenOff
from coderai.gateway.http1 import Sink
from coderai.wire.body import zstd_module


class Body(Protocol):
    """What gives an answer's bytes."""

    async def read(self) -> bytes: ...

    def at_end(self) -> bool: ...


class Decoder(Protocol):
    """Undoes one content encoding."""

    def decode(self, data: bytes) -> bytes: ...

    def whole(self) -> bool:
        """Tell whether what came so far ends where the encoding says."""
        ...


class _Zlib:
    """gzip and zlib, told apart by their heads; several gzip members in a row are one text."""

    def __init__(self) -> None:
        self._member = zlib.decompressobj(wbits=47)

    def decode(self, data: bytes) -> bytes:
        plain = []
        while data:
            if self._member.eof:
                self._member = zlib.decompressobj(wbits=47)
            plain.append(self._member.decompress(data))
            data = self._member.unused_data
        return b"".join(plain)

    def whole(self) -> bool:
        return self._member.eof


class _Brotli:
    def __init__(self) -> None:
        import brotli

        self._stream = brotli.Decompressor()

    def decode(self, data: bytes) -> bytes:
        plain: bytes = self._stream.process(data)
        return plain

    def whole(self) -> bool:
        return bool(self._stream.is_finished())


class _Zstd:
    def __init__(self) -> None:
        self._stream = zstd_module().ZstdDecompressor()

    def decode(self, data: bytes) -> bytes:
        plain: bytes = self._stream.decompress(data)
        return plain

    def whole(self) -> bool:
        return bool(self._stream.eof)


_DECODERS: Final[dict[str, Callable[[], Decoder]]] = {
    "gzip": _Zlib,
    "x-gzip": _Zlib,
    "deflate": _Zlib,
    "br": _Brotli,
    "zstd": _Zstd,
}


class Decoded:
    """Reads *body* as *encoding* says. Raises BrokenOff for an encoding nobody asked for, or broken data."""

    def __init__(self, body: Body, encoding: str) -> None:
        self._body = body
        self._encoding = encoding
        opening = _DECODERS.get(encoding)
        self._decoder = opening() if opening else None
        self._came = False

    async def read(self) -> bytes:
        """Return decoded bytes, empty at the end."""
        if self._decoder is None:
            raise BrokenOff(f"the provider used the content encoding {self._encoding!r} that it was not offered")
        while chunk := await self._body.read():
            self._came = True
            try:
                plain = self._decoder.decode(chunk)
            except Exception as error:  # each codec raises its own class, brotli in two forms
                raise BrokenOff(f"the provider's {self._encoding} data is broken") from error
            if plain:
                return plain
        if self._came and not self._decoder.whole():
            raise BrokenOff(f"the provider's {self._encoding} data ends too early")
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
