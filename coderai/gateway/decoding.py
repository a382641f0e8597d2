"""Answers that a provider compressed although it was asked not to: undone before they are read and relayed.

The end of a compressed stream cannot be recognised, so it could not be held back until the records are stored.
"""

import asyncio
import zlib
from collections.abc import Callable
from typing import Final, Protocol

from coderai.errors import BrokenOff
from coderai.gateway.http1 import Sink
from coderai.wire.body import zstd_module

STEP: Final = 64 << 10
"""As much is undone at a time."""
_SLICE: Final = 4 << 10
"""As much is given to zlib at a time: what it does not use is copied."""


class Body(Protocol):
    """What gives an answer's bytes."""

    async def read(self) -> bytes: ...

    def at_end(self) -> bool: ...


class Decoder(Protocol):
    """Undoes one content encoding, some of it at a time: a few bytes may stand for gigabytes."""

    def decode(self, data: bytes) -> bytes:
        """Return about STEP of the decoded bytes at most. New *data* is only taken when nothing is pending."""
        ...

    def pending(self) -> bool:
        """Tell whether what came so far may give more."""
        ...

    def whole(self) -> bool:
        """Tell whether what came so far ends where the encoding says."""
        ...


class _Zlib:
    """gzip and zlib, told apart by their heads; several gzip members in a row are one text."""

    def __init__(self) -> None:
        self._member = zlib.decompressobj(wbits=47)
        self._data = memoryview(b"")
        self._full = False

    def decode(self, data: bytes) -> bytes:
        rest = memoryview(data) if data else self._data
        plain = b""
        while (rest or self._full) and not plain:
            if self._member.eof and rest:
                self._member = zlib.decompressobj(wbits=47)
            plain = self._member.decompress(rest[:_SLICE], STEP)
            self._full = len(plain) == STEP and not self._member.eof
            left = len(self._member.unconsumed_tail) or len(self._member.unused_data)
            rest = rest[len(rest[:_SLICE]) - left :]
        self._data = rest
        return plain

    def pending(self) -> bool:
        return bool(self._data) or self._full

    def whole(self) -> bool:
        return self._member.eof


class _Brotli:
    def __init__(self) -> None:
        import brotli

        self._stream = brotli.Decompressor()
        self._full = False

    def decode(self, data: bytes) -> bytes:
        plain: bytes = self._stream.process(data, output_buffer_limit=STEP)
        self._full = len(plain) >= STEP
        return plain

    def pending(self) -> bool:
        return (self._full or not self._stream.can_accept_more_data()) and not self._stream.is_finished()

    def whole(self) -> bool:
        return bool(self._stream.is_finished())


class _Zstd:
    def __init__(self) -> None:
        self._stream = zstd_module().ZstdDecompressor()

    def decode(self, data: bytes) -> bytes:
        plain: bytes = self._stream.decompress(data, STEP)
        return plain

    def pending(self) -> bool:
        return not (self._stream.needs_input or self._stream.eof)

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
        while True:
            if self._decoder.pending():
                await asyncio.sleep(0)  # others have their turn, and whoever ends this wait is heard
                plain = self._decoded(b"")
            elif chunk := await self._body.read():
                self._came = True
                plain = self._decoded(chunk)
            else:
                break
            if plain:
                return plain
        if self._came and not self._decoder.whole():
            raise BrokenOff(f"the provider's {self._encoding} data ends too early")
        return b""

    def _decoded(self, data: bytes) -> bytes:
        assert self._decoder is not None
        try:
            return self._decoder.decode(data)
        except Exception as error:  # each codec raises its own class, brotli in two forms
            raise BrokenOff(f"the provider's {self._encoding} data is broken") from error

    async def pour(self, sink: Sink) -> None:
        """Hand the decoded body to *sink*; see ``http1.Connection.pour``."""
        await pour(self, sink)

    def at_end(self) -> bool:
        """Tell whether everything has been read."""
        return self._body.at_end() and not (self._decoder is not None and self._decoder.pending())


async def pour(body: Body, sink: Sink) -> None:
    """Hand *body* to *sink* piece by piece, until it wants no more for now or the end has come."""
    while piece := await body.read():
        if not sink(piece):
            return
