"""Looks after running exchanges once a second: silent providers, clients that left, streams that need a keep-alive.

A timer per chunk would cost more than the chunk; one look a second over all running exchanges costs nothing. The only
thing done to an exchange from here is to end its wait (``Flight.limit``) or to write a comment between two events.
"""

import asyncio
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Final, Protocol

from aiohttp import web

from coderai.records import Ending, Interception

_LAST_RECORDS_SECONDS: Final = 20.0
"""After the grace period: for the records of what was cut off, and for clients that are slow to take our last words."""
_TRAILING_SECONDS: Final = 2.0
_OPENING_SECONDS: Final = 2.0


class AtBorder(Protocol):
    """The part of a stream reader that says whether a comment may be put in."""

    @property
    def at_border(self) -> bool: ...


@dataclass(frozen=True, slots=True)
class Patience:
    """How long which silence is borne, in seconds."""

    upstream: float = 600.0
    """Without a byte from the provider, before and after its headers."""
    keep_alive: float = 10.0
    """A stream is silent for this long before a comment goes to the client; 0 sends none."""
    drain: float = 30.0
    """After the client left, the provider is read on for this long to learn the usage."""
    upload: float = 60.0
    """Without a byte of the request that the client began to send."""
    upload_pace: int = 1024
    """Bytes per second that such a request has to come with, after so much time."""


class Flight:
    """One running exchange, as far as the watch needs to know it."""

    def __init__(self, request: web.BaseRequest, now: float) -> None:
        self._request = request
        self._limit: asyncio.Timeout | None = None
        self._response: web.StreamResponse | None = None
        self._reader: AtBorder | None = None
        self._comment = b""
        self.interception: Interception | None = None
        """Set once its start is recorded."""
        self.turns = 0
        """Counts chunks; cheaper than a clock."""
        self.received = 0
        """Bytes of the answer."""
        self.writing = False
        """Waiting for the client to take more."""
        self.left = False
        """The client turned out to be gone while writing to it."""
        self.ending = Ending.TIMEOUT
        """Why the wait was ended, once it was."""
        self._landed = False
        self._pausing = False
        self._interrupted = False
        self._turns_seen = 0
        self._quiet_since = now
        self._commented_at = now
        self._gone_since: float | None = None

    def limit(self) -> asyncio.Timeout:
        """Return the context inside which the watch may end a wait; it then raises TimeoutError at its border."""
        self._limit = asyncio.timeout(0 if self._interrupted else None)
        return self._limit

    async def pause(self, seconds: float) -> None:
        """Wait before the next try; raises TimeoutError when the client leaves, or the server stops, meanwhile."""
        self._pausing = True
        try:
            async with self.limit():
                await asyncio.sleep(seconds)
        finally:
            self._pausing = False

    def trailing(self) -> asyncio.Timeout:
        """Return the time limit for what comes after the end of an answer."""
        return asyncio.timeout(_TRAILING_SECONDS)

    def opening(self) -> asyncio.Timeout:
        """Return the time limit for the first byte of a stream, before its headers go to the client without it."""
        return asyncio.timeout(_OPENING_SECONDS)

    def streaming(self, response: web.StreamResponse, reader: AtBorder, comment: bytes) -> None:
        """From now on *comment* may be written to *response* whenever *reader* is at the border of an event."""
        self._response, self._reader, self._comment = response, reader, comment

    @property
    def client_gone(self) -> bool:
        """Whether the client's connection is known to be closed."""
        transport = self._request.transport
        return self.left or transport is None or transport.is_closing()

    def interrupt(self, ending: Ending) -> None:
        """End the current wait, if there is one."""
        if not self._interrupted:  # what comes first counts, also when there is no wait yet
            self._interrupted, self.ending = True, ending
        limit, self._limit = self._limit, None
        if limit is not None:
            with suppress(RuntimeError):  # that wait is over; the next one will not begin
                limit.reschedule(0)

    def landed(self) -> None:
        """From now on nothing is interrupted: the records are being written."""
        self._landed = True
        self._limit = self._response = self._reader = None

    def look(self, now: float, patience: Patience) -> bool:
        """Do what the time asks for; return whether a keep-alive is due."""
        if self.turns != self._turns_seen:
            self._turns_seen, self._quiet_since = self.turns, now
        if self._gone_since is None and self.client_gone:
            self._gone_since = now
        quiet = now - self._quiet_since
        if self._landed:
            if quiet >= patience.upstream and self._request.transport is not None:
                self._request.transport.abort()  # a client that does not take the end it was given
            return False
        if self._gone_since is not None:
            if self._pausing or now - self._gone_since >= patience.drain:
                self.interrupt(Ending.CLIENT_LEFT)
            return False
        if quiet >= patience.upstream and not self._pausing:
            self.interrupt(Ending.CLIENT_LEFT if self.writing else Ending.TIMEOUT)
            return False
        if self._reader is None or self.writing or not patience.keep_alive:
            return False
        silent_for_client = now - max(self._quiet_since, self._commented_at)
        return silent_for_client >= patience.keep_alive and self._reader.at_border

    async def keep_alive(self, now: float) -> None:
        """Write the comment, unless the client has not even taken what it has."""
        transport = self._request.transport
        if self._response is None or transport is None or transport.is_closing():
            return
        if transport.get_write_buffer_size() == 0:
            self._commented_at = now
            await self._response.write(self._comment)


class Watch:
    """Knows the running exchanges of this process."""

    def __init__(self, patience: Patience) -> None:
        self.patience = patience
        self._flights: set[Flight] = set()
        self._empty = asyncio.Event()
        self._empty.set()
        self.answered: Counter[str] = Counter()
        """By instance: exchanges whose start was recorded and that are over for the client, in whatever way. In the end
        as many ends are recorded."""

    def __len__(self) -> int:
        return len(self._flights)

    def running(self) -> Iterator[Interception]:
        """Yield what was begun and is not over."""
        for interception, _flight in self.flights():
            yield interception

    def flights(self) -> Iterator[tuple[Interception, Flight]]:
        """Yield the same with how far it is."""
        for flight in self._flights:
            if flight.interception is not None:
                yield flight.interception, flight

    @contextmanager
    def flight(self, request: web.BaseRequest) -> Iterator[Flight]:
        """Watch over one exchange for as long as the context lasts."""
        flight = Flight(request, asyncio.get_running_loop().time())
        self._flights.add(flight)
        self._empty.clear()
        try:
            yield flight
        finally:
            flight.landed()
            self._flights.discard(flight)
            if flight.interception is not None:
                self.answered[flight.interception.provider_name] += 1
            if not self._flights:
                self._empty.set()

    async def run(self) -> None:
        """Look after the exchanges until cancelled."""
        patience = self.patience
        pauses = [1.0, patience.drain / 4, patience.upstream / 4, (patience.keep_alive or 4.0) / 4]
        pause = max(0.01, min(pauses))
        clock = asyncio.get_running_loop().time
        while True:
            await asyncio.sleep(pause)
            now = clock()
            for flight in tuple(self._flights):
                if flight.look(now, patience):
                    await flight.keep_alive(now)

    async def drain(self, grace: float) -> None:
        """Wait until nothing runs; what still runs after *grace* seconds is ended as cancelled and waited for."""
        try:
            async with asyncio.timeout(grace):
                await self._empty.wait()
        except TimeoutError:
            for flight in tuple(self._flights):
                flight.interrupt(Ending.CANCELLED)
            with suppress(TimeoutError):
                async with asyncio.timeout(_LAST_RECORDS_SECONDS):
                    await self._empty.wait()
