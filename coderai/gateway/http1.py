"""One HTTP/1.1 connection to a provider, for the relay path: parsing by httptools, no layers above it.

Half of what a relayed request costs with a general client is spent in that client (CONTRIBUTING, decisions), so this
one does only what a gateway needs: send one request, hand over the answer as it comes, be used again or be closed.
"""

import asyncio
from collections.abc import Callable
from typing import Final, cast

import httptools
from multidict import CIMultiDict, CIMultiDictProxy

from coderai.errors import BrokenOff

Sink = Callable[[bytes], bool]
"""Takes a piece of a body and says whether it wants more."""

PAUSE_BYTES: Final = 1 << 18
"""More than this waiting for the client stops reading from the provider."""
HEAD_BYTES: Final = 1 << 18
"""An answer with more header bytes than this is refused."""


_NONE: Final[CIMultiDict[str]] = CIMultiDict()


class Died(BrokenOff):
    """The connection ended before the head of an answer came."""


class Connection(asyncio.Protocol):
    """Carries one exchange at a time. Not safe for two tasks at once."""

    def __init__(self) -> None:
        self.idle_since = 0.0
        self._transport: asyncio.Transport | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._reset()

    def _reset(self) -> None:
        self._parser = httptools.HttpResponseParser(self)
        self._raw_headers: list[tuple[str, str]] = []
        self._headers: CIMultiDict[str] = _NONE
        self._head_bytes = 0
        self._head_done = False
        self._complete = False
        self._reusable = False
        self._paused = False
        self._sink: Sink | None = None
        self._refused = False
        self._pieces: list[bytes] = []
        self._waiting_bytes = 0
        self._trouble: str | None = None
        self.status = 0
        self.spoke = False
        """Something came on it, so that the request must not be sent again."""

    # --- what the caller does

    def start(self, head: bytes, body: bytes) -> None:
        """Send a request. The answer is awaited with ``head()`` and read with ``read()``."""
        self._reset()
        if self._transport is None or self._transport.is_closing():
            self._trouble = "the connection was closed"
            return
        self._transport.write(head if not body else head + body if len(body) < 1 << 16 else head)
        if len(body) >= 1 << 16:
            self._transport.write(body)

    async def head(self) -> None:
        """Return when the head of the answer came: ``status`` and ``headers`` are then set. Raises Died."""
        while not self._head_done:
            if self._trouble is not None:
                raise Died(self._trouble)
            await self._wait()

    @property
    def headers(self) -> CIMultiDictProxy[str]:
        """The headers of the answer."""
        return CIMultiDictProxy(self._headers)

    async def begun(self) -> bool:
        """Return when body bytes came that were not read yet, or False at the end. Raises BrokenOff."""
        while not self._pieces:
            if self._complete:
                return False
            if self._trouble is not None:
                raise BrokenOff(self._trouble)
            await self._wait()
        return True

    async def read(self) -> bytes:
        """Return the body bytes that came since the last call, empty at the end. Raises BrokenOff."""
        return self._taken() if self._pieces or await self.begun() else b""

    def _taken(self) -> bytes:
        data = self._pieces[0] if len(self._pieces) == 1 else b"".join(self._pieces)
        self._pieces.clear()
        self._waiting_bytes = 0
        if self._paused and self._transport is not None:
            self._paused = False
            self._transport.resume_reading()
        return data

    async def pour(self, sink: Sink) -> None:
        """Hand the body to *sink* as it comes, in the callback that read it: no task wakes up for a piece.

        Returns when *sink* wants no more for now, or at the end. Raises BrokenOff. *sink* must not raise.
        """
        while True:
            if self._pieces and not sink(self._taken()):
                return
            if self._complete:
                return
            if self._trouble is not None:
                raise BrokenOff(self._trouble)
            self._sink, self._refused = sink, False
            try:
                await self._wait()
            finally:
                self._sink = None
            if self._refused:
                return

    def at_end(self) -> bool:
        """Tell whether the whole body has been read, without waiting."""
        return self._complete and not self._pieces

    def reusable(self) -> bool:
        """Tell whether another exchange may be started on it."""
        transport = self._transport
        if transport is None or transport.is_closing() or not self.at_end():
            return False
        return self._reusable and self._trouble is None and transport.get_write_buffer_size() == 0

    def closed(self) -> bool:
        """Tell whether the connection is gone."""
        return self._transport is None or self._transport.is_closing()

    def close(self) -> None:
        """Close at once; what was not sent is dropped."""
        if self._transport is not None:
            self._transport.abort()

    async def _wait(self) -> None:
        self._waiter = asyncio.get_running_loop().create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    # --- what the event loop tells

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's own class is no subclass

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            self.spoke = True
            self._trouble = f"the answer is no HTTP: {type(error).__name__}"
            self.close()
        if self._sink is not None and self._pieces and self._trouble is None:
            self._refused = not self._sink(self._taken())
            if not self._refused and not self._complete:
                return  # nobody needs to wake up
            self._sink = None
        if self._waiting_bytes > PAUSE_BYTES and not self._paused and self._transport is not None:
            self._paused = True
            self._transport.pause_reading()
        self._wake()

    def connection_lost(self, error: Exception | None) -> None:
        self._transport = None
        delimited = "Content-Length" in self._headers or "Transfer-Encoding" in self._headers
        if self._head_done and not self._complete and not delimited and error is None and self._trouble is None:
            self._complete = True  # the old way: the body lasts as long as the connection
        elif not self._complete and self._trouble is None:
            self._trouble = "the connection was closed"
        self._wake()

    # --- what the parser tells

    def on_message_begin(self) -> None:
        self.spoke = True
        if self._complete:
            self._reusable = False  # bytes after the end: whatever that is, it is not for the next request
            self._trouble = "more than one answer came"
            self.close()

    def on_header(self, name: bytes, value: bytes) -> None:
        self._head_bytes += len(name) + len(value)
        if self._head_bytes > HEAD_BYTES:
            self._trouble = f"the answer has more than {HEAD_BYTES} bytes of headers"
            self.close()
        elif not self._head_done:  # trailers are not passed on
            self._raw_headers.append(
                (name.decode("utf-8", "surrogateescape"), value.decode("utf-8", "surrogateescape"))
            )

    def on_headers_complete(self) -> None:
        self.status = self._parser.get_status_code()
        if self.status >= 200 and self._trouble is None:
            self._headers = CIMultiDict(self._raw_headers)
            self._head_done = True

    def on_body(self, data: bytes) -> None:
        if not self._complete:
            self._pieces.append(data)
            self._waiting_bytes += len(data)

    def on_message_complete(self) -> None:
        if self._head_done:
            self._complete = True
            self._reusable = self._parser.should_keep_alive()
        else:  # 100 Continue, 103 Early Hints: the real answer follows
            self._raw_headers.clear()
