"""What a scripted provider is told to answer, and what it saw. Bytes and their timing; no knowledge of any wire API."""

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, TypeAlias

from multidict import CIMultiDict


@dataclass(frozen=True, slots=True)
class Pause:
    """Wait before the next step: a number of seconds, or until the event is set."""

    until: asyncio.Event | float
    reached: asyncio.Event = field(default_factory=asyncio.Event, compare=False)
    """Set when the answer has come to this step."""


@dataclass(frozen=True, slots=True)
class Stall:
    """Send nothing more until ``release`` is called or the connection ends."""

    released: asyncio.Event = field(default_factory=asyncio.Event, compare=False)
    reached: asyncio.Event = field(default_factory=asyncio.Event, compare=False)

    def release(self) -> None:
        """Go on with the next step."""
        self.released.set()


@dataclass(frozen=True, slots=True)
class BreakOff:
    """End the connection here, without the final chunk. With *reset* the other side gets a connection reset."""

    reset: bool = False


@dataclass(frozen=True, slots=True)
class IfUsageWanted:
    """Bytes that go out only when the request has ``stream_options.include_usage``."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Message:
    """A message on a WebSocket that is no event; over HTTP it is left out."""

    data: bytes
    binary: bool = False


@dataclass(frozen=True, slots=True)
class Close:
    """Close the WebSocket here; over HTTP it is left out."""

    code: int = 1000
    reason: str = ""


Step: TypeAlias = bytes | Pause | Stall | BreakOff | IfUsageWanted | Message | Close


@dataclass(frozen=True)
class Reply:
    """One answer. Its headers go out with the first bytes, also with ``b""``; steps before them happen in silence.

    Without a ``BreakOff`` the answer ends cleanly after the last step, however little that was.
    """

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    """A ``Content-Length`` here is sent as it is; else it is computed for plain bodies, and streams are chunked."""
    chunks: Sequence[Step] = ()
    content_type: str = "application/json"
    whole: bytes | None = None
    """The JSON body for a request that does not ask for a stream; ``chunks`` are the stream then."""

    @property
    def events(self) -> list[bytes]:
        """The bytes of the steps in order: one item per server-sent event for what ``answers_*`` build."""
        return [data for step in self.chunks if (data := _bytes_of(step)) is not None]

    @property
    def body(self) -> bytes:
        """Everything that is sent when nothing breaks off and usage is wanted."""
        return b"".join(self.events)

    def cut(self, steps: int, *then: Step) -> "Reply":
        """Return the same answer as a stream that goes only as far as *steps*, then *then*."""
        return replace(self, chunks=(*self.chunks[:steps], *then), whole=None)

    def split(self, size: int) -> "Reply":
        """Return the same answer with its bytes in chunks of *size*, whatever the borders of its events."""
        joined = self.body
        return replace(self, chunks=[joined[at : at + size] for at in range(0, len(joined), size)])

    def for_request(self, seen: "Seen") -> "Reply":
        """Return what goes out for *seen*: the stream or the whole body, with or without the chunk with the usage."""
        if self.whole is not None and not seen.wants_stream:
            return replace(self, chunks=(self.whole,), content_type="application/json", whole=None)
        return replace(self, chunks=[_plain(step) for step in self.chunks if _is_due(step, seen)], whole=None)


@dataclass(frozen=True)
class Seen:
    """One request as it arrived."""

    method: str
    path: str
    """With the query, as it was on the wire."""
    headers: CIMultiDict[str]
    body: bytes
    closed: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when the exchange is over: fully answered, broken off, or left by the client."""
    left: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when the client went away before the end of the answer."""

    @property
    def left_early(self) -> bool:
        """Whether the client went away before the end of the answer."""
        return self.left.is_set()

    @cached_property
    def json(self) -> Any:
        """The parsed body. Raises ValueError when it is no JSON, for example because it is compressed."""
        return json.loads(self.body)

    @property
    def wants_stream(self) -> bool:
        """Whether the body says ``"stream": true``."""
        return self._member("stream") is True

    @property
    def wants_usage(self) -> bool:
        """Whether the body says ``"stream_options": {"include_usage": true}``."""
        options = self._member("stream_options")
        return isinstance(options, dict) and options.get("include_usage") is True

    def _member(self, name: str) -> object:
        try:
            return self.json.get(name)
        except (ValueError, AttributeError):
            return None


Answering: TypeAlias = Callable[[Seen], Reply]


def _bytes_of(step: Step) -> bytes | None:
    match step:
        case bytes():
            return step
        case IfUsageWanted(data):
            return data
        case _:
            return None


def _is_due(step: Step, seen: Seen) -> bool:
    return not isinstance(step, IfUsageWanted) or seen.wants_usage


def _plain(step: Step) -> Step:
    return step.data if isinstance(step, IfUsageWanted) else step
