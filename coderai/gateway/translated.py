"""Answers of an instance that is not spoken to in its family's plain words, put into these words."""

from multidict import CIMultiDict, CIMultiDictProxy

from coderai.gateway.decoding import pour
from coderai.gateway.http1 import Sink
from coderai.gateway.upstream import Answer
from coderai.providers.dialect import Decoder, Dialect


def translated(answer: Answer, dialect: Dialect) -> Answer:
    """Return *answer* as the family's tools expect it."""
    decoder = dialect.decoder(answer.status, answer.headers)
    return answer if decoder is None else _Translated(answer, decoder)


class _Translated:
    """Reads *answer* through *decoder*."""

    def __init__(self, answer: Answer, decoder: Decoder) -> None:
        self.status = answer.status
        headers = CIMultiDict(answer.headers)
        headers["Content-Type"] = decoder.content_type
        self.headers = CIMultiDictProxy(headers)
        self._answer = answer
        self._decoder = decoder
        self._first = b""
        self._ended = False

    async def read(self) -> bytes:
        """Return translated bytes, empty at the end. Raises BrokenOff for what came too early or is no such text."""
        if self._first:
            first, self._first = self._first, b""
            return first
        if self._ended:
            return b""
        self._decoder.feed(b"")  # what was broken behind the piece before is told now, not when more comes
        while chunk := await self._answer.read():
            if piece := self._decoder.feed(chunk):
                return piece
        self._ended = True
        return self._decoder.end()

    async def begun(self) -> bool:
        """Return when there is something for the client, or False when it ended without; see ``Answer``."""
        if not self._first:
            self._first = await self.read()
        return bool(self._first)

    async def pour(self, sink: Sink) -> None:
        """Hand the translated body to *sink*."""
        await pour(self, sink)

    def at_end(self) -> bool:
        """Tell whether everything has been read."""
        return self._ended and not self._first
