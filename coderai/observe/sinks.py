"""Where log lines end: files, or one of the process's own streams."""

import logging
import os
from contextlib import nullcontext
from typing import Final

_STREAMS: Final = {"/dev/stdout": 1, "/dev/stderr": 2}
_CLOSED: Final = -1


class LineHandler(logging.Handler):
    """Appends lines to a file. A full disk or a closed pipe loses lines, and says how many once it works again.

    Raises OSError when the file cannot be opened. ``/dev/stdout`` and ``/dev/stderr`` are the process's own streams
    even where these are sockets, which cannot be opened by that name.
    """

    def __init__(self, path: str) -> None:
        super().__init__()
        self._path = path
        self._own = path not in _STREAMS
        self._file = self._opened() if self._own else _STREAMS[path]
        self.lost = 0
        """Lines that could not be written since the last one that could."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write one line; never raises, and writes about its own trouble only here."""
        text = self._line(record)
        if self.lost:
            text = self._line(_about(record, "log lines lost", lines=self.lost)) + text
        try:
            self._write(text.encode("utf-8", "backslashreplace"))  # also a valid escape in JSON
        except OSError:
            self.lost += 1
        else:
            self.lost = 0

    def reopen(self) -> None:
        """Go on in the file that now has the name, after a rotation; raises OSError and stays with the old one."""
        if not self._own:
            return
        file = self._opened()
        with self.lock or nullcontext():
            file, self._file = self._file, file
        os.close(file)

    def _opened(self) -> int:
        return os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)

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

    def _write(self, rest: bytes) -> None:
        while rest:
            rest = rest[os.write(self._file, rest) :]

    def close(self) -> None:
        """Close the file, if it is ours."""
        if self._own and self._file != _CLOSED:
            os.close(self._file)
        self._file = _CLOSED
        super().close()


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
