"""Server-sent events: watch a stream go by line by line, hold back its end, and leave every byte as it is.

One reader for all wire APIs. It knows lines and events; what an event's JSON means is told by the API's ``Meaning``,
which therefore also serves where events come without this framing (WebSocket, Bedrock).
"""

from enum import Enum
from typing import Final, Protocol

from coderai.records import Answer
from coderai.wire.members import UNREADABLE

PARTIAL_BYTES: Final = 64 << 10
"""An unfinished line waits up to this length: no client can use half a line, and while nothing of it has gone out,
words of our own can follow cleanly. A longer one flows."""
LINE_BYTES: Final = 16 << 20
"""Of a longer line only the head is looked at."""
HEAD_BYTES: Final = 4096
JOINED_BYTES: Final = 1 << 20
JOINED_LINES: Final = 256
"""An event whose JSON is spread over more data lines than this is not read."""
TRAILING_BYTES: Final = 64 << 10
"""What the provider sends after its end is kept up to this length and then dropped: no client reads it."""

ANY_SEAM: Final = b" <cut off>\n\n"
"""Safe after anything that a reader releases, but not as clean as the reader's own ``seam``."""
KEEP_ALIVE: Final[bytes] = b": keep-alive\n\n"

_BLANK: Final = frozenset((b"\n", b"\r\n", b"\r"))
_LF: Final = 10
_CR: Final = 13
_BOM_DATA: Final = b"\xef\xbb\xbfdata:"  # some streams start with a byte order mark


class Verdict(Enum):
    """What is to happen with the data line of an event; None lets it pass."""

    END = "end"
    """It ends the answer: this line and all after it wait for the records."""
    DROP = "drop"
    """The client did not ask for it."""


class Meaning(Protocol):
    """What the events of one answer say. ``read`` gets the JSON of one event."""

    calls: list[str]

    def read(self, data: bytes) -> Verdict | None:
        """Take in one event. Raises UNREADABLE for one that is malformed."""
        ...

    def ends(self, head: bytes) -> bool:
        """Say whether an event that is too long to be read is a terminal one, by its beginning."""
        ...

    def answer(self, trouble: str | None) -> Answer:
        """Return what was learned so far."""
        ...


class StreamReader:
    """Watch a streamed answer, tell what may go on, and collect facts.

    ``feed`` never raises: an answer we cannot read is still one the client wants. A malformed event is passed on and
    skipped; ``trouble`` then says what was wrong with the first of them.
    """

    def __init__(self, meaning: Meaning) -> None:
        self._meaning = meaning
        self.calls = meaning.calls
        """Ids of the tool calls seen so far, in order; each is appended as soon as it is known."""
        self.ended = False
        """The terminal line was seen; it and what follows are in ``held``."""
        self.trouble: str | None = None
        self._held: list[bytes] = []
        self._trailing = 0
        self._line = Line()
        self._after_cr = False  # the last line ended with a CR; a LF that follows belongs to it
        self._dropped = False  # and was dropped, so that the LF goes with it
        self._event_dropped = False  # a line of the current event was
        self._fields = 0  # lines of the current event that were released
        self._has_data = False  # a data line was among them
        self._unread: list[bytes] = []  # data lines of the current event that make no sense yet
        self._unread_size = 0
        self._why = ""
        self._answer: Answer | None = None

    @property
    def held(self) -> bytes:
        """What must wait until the records are stored; after ``close`` also the rest of an unfinished line."""
        return b"".join(self._held)

    @property
    def at_border(self) -> bool:
        """Whether what was released ends between two events, so that a comment may follow."""
        return not (self._fields or self._line.sent or self._after_cr or self.ended)

    @property
    def seam(self) -> bytes:
        """What has to stand between the released bytes and an event of our own, so that neither spoils the other.

        An event that was half released must not become whole: a long line is made unreadable before it is ended. The
        name of an event without data needs nothing, it is overridden by the name that follows.
        """
        if self._line.sent:
            return ANY_SEAM
        return b"\n\n" if self._has_data else b""

    def feed(self, chunk: bytes) -> bytes:
        """Return what may go to the client now."""
        if self.ended:
            self._trail(chunk)
            return b""
        out: list[bytes] = []
        lines = chunk.splitlines(True)
        for number, piece in enumerate(lines):
            last = piece[-1]
            if self._after_cr:
                self._after_cr = False
                if piece == b"\n":
                    if not self._dropped:
                        out.append(piece)
                    continue
            if last != _LF and last != _CR:
                self._line.add(piece, out)
                break
            line = self._line.finish(piece) if self._line.size else piece
            verdict = self._judge(line)
            unsent = piece if self._line.sent else line
            if verdict is None:
                out.append(unsent)
            elif verdict is Verdict.END:
                self._end(unsent, lines[number + 1 :])
                break
            if self._line.size:
                self._line = Line()
            if last == _CR:
                self._after_cr, self._dropped = True, verdict is Verdict.DROP
        return b"".join(out)

    def close(self) -> Answer:
        """Return what was learned, also when the stream broke off."""
        if self._answer is None:
            if not self.ended and self._line.size:
                line = self._line.finish(b"")
                verdict = self._judge(line)
                self.ended = verdict is Verdict.END
                if verdict is not Verdict.DROP and not self._line.sent:  # sent ones went out up to their last byte
                    self._held.append(line)
            self._give_up_unread()
            self._answer = self._meaning.answer(self.trouble)
            self.trouble = self._answer.trouble
        return self._answer

    def _judge(self, line: bytes) -> Verdict | None:
        """Take in a complete line."""
        if line.startswith(b"data:"):
            return self._data(line[5:].strip())
        if line in _BLANK:
            verdict = Verdict.DROP if self._event_dropped and not self._fields else None
            self._fields, self._has_data, self._event_dropped = 0, False, False
            if self._unread:
                self._give_up_unread()
            return verdict
        if line.startswith(_BOM_DATA):
            return self._data(line[len(_BOM_DATA) :].strip())
        self._fields += 1
        return None

    def _data(self, data: bytes) -> Verdict | None:
        verdict = self._read(data) if data else None
        if verdict is Verdict.DROP:
            if not self._line.sent:
                self._event_dropped = True
                return verdict
            verdict = None  # too late
        if verdict is None:
            self._fields += 1
            self._has_data = True
        return verdict

    def _read(self, data: bytes) -> Verdict | None:
        if self._line.too_long:
            self._note(f"an event of {self._line.size} bytes is too long to be read")
            return Verdict.END if self._meaning.ends(data) else None
        if self._unread:
            return self._read_joined(data)
        try:
            return self._meaning.read(data)
        except UNREADABLE as error:
            self._why = f"{type(error).__name__}: {error}"
            self._unread = [data]
            self._unread_size = len(data)
            return None

    def _read_joined(self, data: bytes) -> Verdict | None:
        """The standard allows JSON to be spread over many data lines; no provider does."""
        self._unread_size += len(data)
        if self._unread_size > JOINED_BYTES or len(self._unread) >= JOINED_LINES:
            return None
        self._unread.append(data)
        if not data.endswith(b"}"):
            return None
        try:
            verdict = self._meaning.read(b"\n".join(self._unread))
        except UNREADABLE:
            return None
        self._unread = []
        return verdict

    def _give_up_unread(self) -> None:
        if self._unread:
            self._note(f"unreadable event: {self._why}")
            self._unread = []

    def _note(self, trouble: str) -> None:
        self.trouble = self.trouble or trouble

    def _end(self, line: bytes, after: list[bytes]) -> None:
        self.ended = True
        self._held = [line]
        self._trail(b"".join(after))

    def _trail(self, chunk: bytes) -> None:
        kept = chunk[: TRAILING_BYTES - self._trailing]
        self._trailing += len(kept)
        self._held.append(kept)


class Line:
    """A line that came in pieces; joined only once, so that a long one costs no more than its length."""

    __slots__ = ("_pieces", "sent", "size", "too_long")

    def __init__(self) -> None:
        self._pieces: list[bytes] = []
        self.size = 0
        self.sent = False
        """Pieces of it have gone out, up to the last one added."""
        self.too_long = False
        """Only the head was kept."""

    def add(self, piece: bytes, out: list[bytes]) -> None:
        """Take the next piece; what must not wait any longer is appended to *out*."""
        self.size += len(piece)
        if self.sent:
            out.append(piece)
        if not self.too_long:
            self._pieces.append(piece)
        if self.size > PARTIAL_BYTES and not self.sent:
            out.extend(self._pieces)
            self.sent = True
        if self.size > LINE_BYTES and not self.too_long:
            self._pieces = [b"".join(self._pieces)[:HEAD_BYTES]]
            self.too_long = True

    def finish(self, piece: bytes) -> bytes:
        """Return the whole line, or its head if it is too long; *piece* is the last one."""
        self.size += len(piece)
        if self.too_long:
            return self._pieces[0]
        return b"".join([*self._pieces, piece])
