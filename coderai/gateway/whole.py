"""Answers that are no event stream: held until their records are stored, or, when long, all but their last byte."""

from contextlib import suppress
from typing import Final

from aiohttp import web
from multidict import CIMultiDict

from coderai.access.redaction import Redaction
from coderai.errors import BrokenOff
from coderai.gateway.relay import cut_off, streamed
from coderai.gateway.upstream import Answer
from coderai.gateway.watch import Flight
from coderai.records import Ending

HELD_BYTES: Final = 1 << 20
"""Up to this size an answer is held with its status, so that a store that fails is a clean 503."""
READ_BYTES: Final = 32 << 20
"""Of a longer answer this much is kept for the record."""


class Whole:
    """An answer on its way to the client, all of it or none of it, as long as it is short enough."""

    def __init__(self, request: web.BaseRequest, status: int, headers: CIMultiDict[str]) -> None:
        self._request = request
        self._status = status
        self._headers = headers
        self._pieces: list[bytes] = []
        self._size = 0
        self._stream: web.StreamResponse | None = None
        self._last = b""

    @property
    def body(self) -> bytes:
        """What came, at most READ_BYTES of it."""
        return b"".join(self._pieces)

    @property
    def begun(self) -> bool:
        """Whether its status went to the client already."""
        return self._stream is not None

    async def take(self, chunk: bytes, flight: Flight) -> None:
        """Take the next piece; passes it on once the answer is too long to be held."""
        self._size += len(chunk)
        if self._size - len(chunk) < READ_BYTES:
            self._pieces.append(chunk)
        if self._stream is None:
            if self._size <= HELD_BYTES:
                return
            chunk = b"".join(self._pieces)
            self._stream = streamed(self._request, self._status, self._headers)
            try:
                await self._stream.prepare(self._request)
            except ConnectionResetError:
                flight.left = True
        released, self._last = self._last + chunk[:-1], chunk[-1:]
        if released and not flight.left:
            flight.writing = True
            try:
                await self._stream.write(released)
            except ConnectionResetError:
                flight.left = True
            flight.writing = False

    def redact(self, redaction: Redaction) -> None:
        """Take the secrets of the call out of a body that was not sent yet: some providers repeat a refused key."""
        if self._stream is None:
            self._pieces = [redaction.data(self.body)]

    async def finish(self) -> web.StreamResponse:
        """Send what was held; the end is the client's."""
        if self._stream is None:
            return web.Response(status=self._status, headers=self._headers, body=self.body)
        with suppress(ConnectionResetError):  # it may leave between the records and the end
            await self._stream.write_eof(self._last)
        return self._stream

    def abandon(self) -> web.StreamResponse | None:
        """Make sure that no end is seen. Returns None when nothing was sent yet and a refusal can still be said."""
        if self._stream is not None:
            cut_off(self._request)
        return self._stream


async def read_whole(answer: Answer, client: Whole, flight: Flight) -> Ending | None:
    """Read *answer* into *client*; return why it stopped, None for the provider's own end."""
    try:
        async with flight.limit():
            while chunk := await answer.read():
                flight.turns += 1
                flight.received += len(chunk)
                await client.take(chunk, flight)
    except BrokenOff:
        return Ending.BROKEN_OFF
    except TimeoutError:
        return flight.ending
    return None
