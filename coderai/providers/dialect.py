"""What an instance offers that is not spoken to in its family's plain words (Amazon Bedrock)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from coderai.providers.family import Route
from coderai.records import Ask


@dataclass(slots=True)
class Outgoing:
    """One request to a provider, as it shall be on the wire."""

    method: str
    url: str
    """Complete and encoded."""
    headers: list[tuple[bytes, bytes]] = field(repr=False)
    body: bytes = field(repr=False, default=b"")
    hint: str = ""
    """Of the central credential that signed it, masked."""
    secrets: tuple[str, ...] = field(repr=False, default=())
    """Of that credential: what must not turn up in records or errors."""


class Decoder(Protocol):
    """Turns the body of one answer into the family's words."""

    @property
    def content_type(self) -> str:
        """Of what comes out."""
        ...

    def feed(self, chunk: bytes) -> bytes:
        """Return what *chunk* completes. Raises BrokenOff for what cannot be read, once all before it is out."""
        ...

    def end(self) -> bytes:
        """Return what is left at the end of the body. Raises BrokenOff when that came too early."""
        ...


class Dialect(Protocol):
    """Translates between the family's wire API and what the instance takes."""

    def model(self, asked: str) -> str:
        """Return the model that is called when a client asks for *asked*; it is the one that is recorded."""
        ...

    async def translate(self, outgoing: Outgoing, route: Route, ask: Ask) -> Outgoing:
        """Return the request for the instance, signed. Raises Invalid, or UpstreamError when there is no credential."""
        ...

    def decoder(self, status: int, headers: Mapping[str, str]) -> Decoder | None:
        """Return what decodes the body of an answer, or None when it is in the family's words already."""
        ...
