"""The moments of one request on the data plane, taken down only when metrics or traces are wanted.

The timeline of the request under way travels in a context variable, as trace contexts do everywhere: else every
function between the listener and a provider's socket would have an argument that almost nobody uses.
"""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Final, NamedTuple, Protocol

from coderai.records import End, Interception

clock = time.monotonic
"""Of all moments of a timeline."""

MOST_NOTES: Final = 100
"""Log lines remembered of one request."""


class Observer(Protocol):
    """Wants to know what became of each request."""

    def over(self, timeline: "Timeline") -> None:
        """Take notice of a request that is over, in whatever way."""
        ...


@dataclass(slots=True)
class Try:
    """One call to a provider."""

    started: float
    answered: float = 0.0
    """When the head of the answer came, or it was clear that none would; 0 while nobody knows."""
    status: int = 0
    """0: there was no answer."""
    error: str = ""
    """Why there was none."""
    hint: str = ""
    """The masked central key."""


class Note(NamedTuple):
    """A log line written while the request was under way."""

    at: float
    event: str
    fields: Mapping[str, object]


@dataclass(slots=True, eq=False)
class Timeline:
    """One request; on a WebSocket, one request on it. A moment of 0 has not come."""

    method: str
    traceparent: str = ""
    """As the client sent it."""
    wall: int = field(default_factory=time.time_ns)
    """The moment of ``arrived`` in nanoseconds since 1970: all others are told from it, so that no step of the system's
    clock can come between."""
    arrived: float = field(default_factory=clock)
    provider: str = ""
    """The instance; empty for what was refused before one was chosen."""
    route: str = ""
    """The pattern, which is bounded."""
    url: str = ""
    """Of the provider, without the query; only for what is passed through unrecorded."""
    interception: Interception | None = None
    end: End | None = None
    admitted: float = 0.0
    """The token is accepted and the provider known; now the body is read."""
    read: float = 0.0
    beginning: float = 0.0
    begun: float = 0.0
    """The start is durably recorded."""
    ending: float = 0.0
    """The answer has come, all but the release of its end."""
    ended: float = 0.0
    """The end is durably recorded, or cannot be for now."""
    over: float = 0.0
    status: int = 0
    """What the client got; 0: nothing."""
    keys: int = 0
    """Central keys that were tried."""
    tries: list[Try] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)

    def begins(self, interception: Interception, route: str) -> None:
        """The start goes to the recorder."""
        self.interception, self.provider, self.route = interception, interception.provider_name, route
        self.beginning = clock()

    def ends(self, end: End) -> None:
        """The end goes to the recorder."""
        self.end = end
        self.ending = clock()

    def passes(self, provider: str, route: str, url: str) -> None:
        """It is passed through unrecorded."""
        self.provider, self.route, self.url = provider, route, url

    def note(self, event: str, fields: Mapping[str, object]) -> None:
        """Remember a log line."""
        if len(self.notes) < MOST_NOTES:
            self.notes.append(Note(clock(), event, fields))

    @property
    def added(self) -> float | None:
        """Seconds that the gateway itself took: before the call went out (without waiting for the client's body), and
        between the provider's end and its release. None when nothing was called, or never came to an end."""
        if not self.tries or not self.ended or not self.begun:
            return None
        before = self.tries[0].started - (self.read or self.arrived)
        before += self.admitted - self.arrived if self.read else 0.0
        return before + self.ended - self.ending

    @property
    def first_byte(self) -> float | None:
        """Seconds from the last call to the first byte of its answer; None when there was none."""
        if self.end is None or self.end.first_byte_at is None or not self.tries:
            return None
        came = self.arrived + self.end.first_byte_at.timestamp() - self.wall / 1e9
        return max(came - self.tries[-1].started, 0.0)


_current: ContextVar[Timeline | None] = ContextVar("timeline", default=None)
current = _current.get
"""Returns the timeline of the request under way; None when nobody wants one."""


@contextmanager
def following(timeline: Timeline) -> Iterator[Timeline]:
    """Make *timeline* the current one for as long as the context lasts."""
    token = _current.set(timeline)
    try:
        yield timeline
    finally:
        _current.reset(token)
