"""Requests on a relayed WebSocket and the answers to them: what is known about one while it is under way."""

import asyncio
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from coderai.gateway.dump_files import DumpFiles
from coderai.gateway.ledger import Entry
from coderai.gateway.watch import Flight
from coderai.gateway.websocket_side import Frame
from coderai.providers.breaker import Permit
from coderai.records import Answer, Ending, Interception
from coderai.wire.response_frames import Message, Reader

_STATUSES: Final = {Ending.TIMEOUT: 504, Ending.CANCELLED: 503}


@dataclass(slots=True, eq=False)
class Turn:
    """One request of the client and the answer to it."""

    message: Message
    frame: Frame | None
    """What goes upstream, until it has; None for an answer that the provider began of its own accord."""
    flight: Flight
    reader: Reader = field(default_factory=Reader)
    entry: Entry | None = None
    """In the audit trail; None for a warm-up, and once it is ended."""
    session: str | None = None
    """Of the answer that it continues."""
    permit: Permit | None = None
    begun: asyncio.Event = field(default_factory=asyncio.Event)
    """Recorded and on its way upstream, or refused."""
    sent: asyncio.Event = field(default_factory=asyncio.Event)
    """It has gone upstream, or never will."""
    over: asyncio.Event = field(default_factory=asyncio.Event)
    """The end has come, of whatever kind."""
    gone: asyncio.Event = field(default_factory=asyncio.Event)
    """Recorded, and the end released."""
    last: Frame | None = None
    """The provider's own end, held back until it is recorded."""
    cut: Ending | None = None
    """Why there is no such end."""
    first_byte_at: datetime | None = None
    dump: DumpFiles | None = None

    def ends_with(self, frame: Frame) -> None:
        """Take the provider's own end."""
        if not self.over.is_set():
            self.last = frame
            self.over.set()

    def cut_off(self, why: Ending) -> None:
        """End it here, unless its end has come."""
        if not self.over.is_set():
            self.cut = why
            self.over.set()

    def ending(self, learned: Answer, *, client_gone: bool) -> Ending:
        """Return how it ended, once it is over."""
        if client_gone and self.cut is not Ending.CANCELLED:
            return Ending.CLIENT_LEFT
        return learned.ending if self.cut is None else self.cut

    def status(self) -> int:
        """Return what the client would have got over HTTP."""
        if self.reader.begun or self.cut is None:
            return self.reader.status
        return _STATUSES.get(self.cut, 502)


class Sessions:
    """Remembers for tools that name no session which one an answer belongs to, so that what continues it joins it.

    For all sockets of the process, because tools connect again in the middle of a session.
    """

    MOST: Final = 10_000

    def __init__(self) -> None:
        self._by_answer: dict[tuple[str, str], str] = {}

    def of(self, user_id: str, response_id: str) -> str | None:
        """Return the session of an earlier answer to the same person."""
        return self._by_answer.get((user_id, response_id)) if response_id else None

    def keep(self, interception: Interception, session: str | None, response_id: str) -> None:
        """Remember an answer that belongs to *session*. One without a key has the id of its first interception."""
        if response_id:
            named = interception.client_session_id or session or interception.id
            self._by_answer[interception.initiator_id, response_id] = named
        if len(self._by_answer) > self.MOST:
            del self._by_answer[next(iter(self._by_answer))]
