"""How the proxy says no before a tunnel stands: always in HTTP, with a reason that a person can use."""

from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

REALM: Final = "AI Gateway Proxy"


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why there is no tunnel."""

    status: int
    reason: str
    """One word of a known set: the label in metrics."""
    text: str
    """For the person in front of the tool; never a secret."""
    retry_after: int | None = None
    """Seconds."""

    def answer(self, *, stays_open: bool = False) -> bytes:
        """Return the whole answer. After a 407 that *stays open* the client may ask again on the same connection."""
        body = f"{self.text}\n".encode("utf-8", "replace")
        connection = "keep-alive" if stays_open else "close"
        lines = [
            f"HTTP/1.1 {self.status} {HTTPStatus(self.status).phrase}",
            "Content-Type: text/plain; charset=utf-8",
            f"Content-Length: {len(body)}",
            f"Connection: {connection}",
            f"Proxy-Connection: {connection}",
        ]
        if self.status == HTTPStatus.PROXY_AUTHENTICATION_REQUIRED:
            lines.append(f'Proxy-Authenticate: Basic realm="{REALM}"')
        if self.status == HTTPStatus.METHOD_NOT_ALLOWED:
            lines.append("Allow: CONNECT")
        if self.retry_after is not None:
            lines.append(f"Retry-After: {self.retry_after}")
        return "\r\n".join(lines).encode() + b"\r\n\r\n" + body
