"""What an instance offers that is not spoken to in its family's plain words (Amazon Bedrock)."""

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


class Decoder(Protocol):
    """Turns the body of an answer into the family's words."""

    def feed(self, chunk: bytes) -> bytes:
        """Return what *chunk* completes. Raises BrokenOff for what cannot be read."""
        ...

    def whole(self) -> bool:
        """Tell whether what came so far ends at the border of a message."""
        ...


class Dialect(Protocol):
    """Translates between the family's wire API and what the instance takes."""

    def model(self, asked: str) -> str:
        """Return the model that is called when a client asks for *asked*; it is the one that is recorded."""
        ...

    async def translate(self, outgoing: Outgoing, route: Route, ask: Ask) -> Outgoing:
        """Return the request for the instance, signed. Raises Invalid, or UpstreamError when there is no credential."""
        ...

    def decoder(self, content_type: str) -> Decoder | None:
        """Return what decodes a body of that type, or None when it is in the family's words already."""
        ...
