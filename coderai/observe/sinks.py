"""Where log lines end: files, or one of the process's own streams."""

import errno
import logging
import os
import select
import stat
import threading
from collections import deque
from contextlib import nullcontext
from typing import Final

_STREAMS: Final = {"/dev/stdout": 1, "/dev/stderr": 2}
_CLOSED: Final = -1
_MOST_HELD: Final = 8 << 20
_GOODBYE_SECONDS: Final = 2.0


class LineHandler(logging.Handler):
    """Appends lines to a file. A full disk or a closed pipe loses lines, and says how many once it works again.

    Nobody waits for who reads a pipe, a socket or a terminal: what it does not take at once, up to *most_held* bytes,
    is written by a thread that lives as long as something is held back.

    Raises OSError when the file cannot be opened. ``/dev/stdout`` and ``/dev/stderr`` are the process's own streams
    even where these are sockets, which cannot be opened by that name.
    """

    def __init__(self, path: str, most_held: int = _MOST_HELD) -> None:
        super().__init__()
        self._path = path
        self._own = path not in _STREAMS
        self._file = self._opened() if self._own else _STREAMS[path]
        self._may_block = _may_block(self._file)
        self._most_held = most_held
        self._held: deque[bytes] = deque()
        self._held_bytes = 0
        self._writer: threading.Thread | None = None
        self._turn = threading.Lock()
        self.lost = 0
        """Lines that could not be written since the last one that could."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write one line; never raises, and writes about its own trouble only here."""
        text = self._line(record)
        lost, self.lost = self.lost, 0
        if lost:
            text = self._line(_about(record, "log lines lost", lines=lost)) + text
        line = text.encode("utf-8", "backslashreplace")  # also a valid escape in JSON
        try:
            if self._may_block and (self._writer is not None or not _takes(self._file, line)):
                self._hold(line)
            else:
                _write(self._file, line)
        except OSError:
            self.lost += lost + 1

    def reopen(self) -> None:
        """Go on in the file that now has the name, after a rotation; raises OSError and stays with the old one."""
        if not self._own or self._writer is not None:  # what is held belongs to the pipe that it was held for
            return
        file = self._opened()
        with self.lock or nullcontext():
            file, self._file = self._file, file
            self._may_block = _may_block(self._file)
        os.close(file)

    def _opened(self) -> int:
        # Not blocking, as a pipe that nobody reads would otherwise be waited for here.
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NONBLOCK
        try:
            file = os.open(self._path, flags, 0o600)
        except OSError as error:
            if error.errno == errno.ENXIO:
                raise OSError(error.errno, "nobody reads from it", self._path) from error
            raise
        os.set_blocking(file, True)
        return file

    def _line(self, record: logging.LogRecord) -> str:
        try:
            return self.format(record) + "\n"
        except (TypeError, ValueError, RecursionError) as error:
            return (
                self.format(
                    _about(record, "log line cannot be shown", message=str(record.msg), why=type(error).__name__)
                )
                + "\n"
            )

    def _hold(self, line: bytes) -> None:
        """Raises BlockingIOError when too much is held already."""
        with self._turn:
            if self._held_bytes + len(line) > self._most_held:
                raise BlockingIOError
            self._held.append(line)
            self._held_bytes += len(line)
            if self._writer is None:
                self._writer = threading.Thread(target=self._write_held, args=(self._file,), name="log", daemon=True)
                self._writer.start()

    def _write_held(self, file: int) -> None:
        while True:
            with self._turn:
                if not self._held:
                    self._writer = None
                    return
                line = self._held[0]
            try:
                _write(file, line)
            except OSError:
                self.lost += 1
            with self._turn:
                self._held.popleft()
                self._held_bytes -= len(line)

    def _let_go(self) -> bool:
        """Give what is held a little time; return whether somebody still writes to the file."""
        writer = self._writer
        if writer is not None:
            writer.join(_GOODBYE_SECONDS)
        return self._writer is not None

    def close(self) -> None:
        """Close the file, if it is ours and nobody is stuck in it."""
        file, self._file = self._file, _CLOSED
        if file != _CLOSED and not self._let_go() and self._own:
            os.close(file)
        super().close()


def _may_block(file: int) -> bool:
    mode = os.fstat(file).st_mode
    return stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode) or os.isatty(file)


def _write(file: int, rest: bytes) -> None:
    while rest:
        rest = rest[os.write(file, rest) :]


def _takes(file: int, line: bytes) -> bool:
    """Whether *file* takes all of *line* at once: who is ready has room for this much."""
    poll = select.poll()
    poll.register(file, select.POLLOUT)
    return len(line) <= select.PIPE_BUF and bool(poll.poll(0))


def _about(record: logging.LogRecord, event: str, **fields: object) -> logging.LogRecord:
    """Return a line of our own, at the place of *record*."""
    return logging.makeLogRecord(
        {
            "name": record.name,
            "levelno": logging.WARNING,
            "levelname": "WARNING",
            "msg": event,
            "filename": record.filename,
            "lineno": record.lineno,
            "funcName": record.funcName,
            "fields": fields,
        }
    )
