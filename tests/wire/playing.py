"""What a recorded stream is, and how the made-up ones are written."""

import json
from dataclasses import dataclass, field
from typing import Any

from coderai.records import Api, Ending, ErrorType, Fact


@dataclass(frozen=True)
class Played:
    """A stream and what is to be learned from it."""

    name: str
    api: Api
    stream: bytes
    facts: tuple[Fact, ...] = ()
    ending: Ending = Ending.COMPLETE
    calls: tuple[str, ...] = ()
    response_id: str = ""
    error: tuple[ErrorType | None, str] = (None, "")
    usage_wanted: bool = True
    sent: bytes | None = field(default=None)
    """What the client gets, where it is not the stream."""


def compact(event: Any) -> str:
    """JSON as the providers write it."""
    return json.dumps(event, separators=(",", ":"), ensure_ascii=False)


def named(*events: dict[str, Any]) -> bytes:
    """Events of Messages and Responses: with their names."""
    return b"".join(f"event: {event['type']}\ndata: {compact(event)}\n\n".encode() for event in events)


def bare(*chunks: dict[str, Any] | str) -> bytes:
    """Events of Chat: data only."""
    texts = [chunk if isinstance(chunk, str) else compact(chunk) for chunk in chunks]
    return b"".join(f"data: {text}\n\n".encode() for text in texts)
