"""The wire APIs that are recorded: one module each, all of the same shape, and the table by which one is picked."""

from collections.abc import Mapping
from typing import Final, Protocol

from coderai.records import Answer, Api, Ask, ErrorType
from coderai.wire import chat, messages, responses
from coderai.wire.sse import StreamReader

__all__ = ["WIRES", "StreamReader", "Wire"]


class Wire(Protocol):
    """What a module of a wire API offers."""

    @property
    def API(self) -> Api: ...

    @property
    def KEEP_ALIVE(self) -> bytes:
        """A comment that may stand between two events."""
        ...

    def read_request(self, body: bytes, /) -> Ask:
        """Return what *body* asks for. Raises Invalid if it is no JSON object; odd members only set ``trouble``."""
        ...

    def upstream_body(self, body: bytes, ask: Ask, /) -> bytes:
        """Return what goes upstream: *body* itself, unless the API needs an edit."""
        ...

    def StreamReader(self, ask: Ask, /) -> StreamReader:
        """Return a reader for one streamed answer."""
        ...

    def read_answer(self, body: bytes, ask: Ask, /) -> Answer:
        """Return what a whole JSON answer says. Never raises."""
        ...

    def read_error(self, status: int, body: bytes, /) -> tuple[ErrorType, str]:
        """Classify an error answer of the provider; the text is the provider's, shortened."""
        ...

    def error_body(self, status: int, message: str, *, code: str | None = None) -> bytes:
        """Return a refusal of our own in the API's form."""
        ...

    def error_event(self, message: str, seam: bytes = ...) -> bytes:
        """Return an event that says that the answer failed; *seam* is the reader's."""
        ...


WIRES: Final[Mapping[Api, Wire]] = {wire.API: wire for wire in (messages, chat, responses)}
