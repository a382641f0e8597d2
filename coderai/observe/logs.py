"""Log lines: an event and its fields, for people and as JSON.

::

    log = logs.get("gateway")
    log.info("provider reloaded", provider=name, keys=2)

Masking secrets is the caller's job. Nothing is written until ``configured`` is entered, apart from what Python itself
does with warnings and errors.
"""

import logging
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Final, Protocol

from coderai.errors import BadSettings
from coderai.observe.lines import DebugFilter, HumanLine, JsonLine
from coderai.observe.sinks import LineHandler

ROOT: Final = "coderai"


class Destinations(Protocol):
    """The part of ``Settings`` that is about logs. An empty path switches a form off."""

    @property
    def log_human(self) -> str: ...

    @property
    def log_json(self) -> str: ...

    @property
    def log_filter(self) -> tuple[str, ...]: ...


class Log:
    """A logger whose lines are an event and fields. A line that nobody wants costs one comparison."""

    def __init__(self, name: str) -> None:
        self._logger = logging.getLogger(f"{ROOT}.{name}")

    @property
    def debugging(self) -> bool:
        """Whether debug lines are wanted: ask before computing a field for one."""
        return self._logger.isEnabledFor(logging.DEBUG)

    def debug(self, event: str, /, **fields: object) -> None:
        """What only somebody who looks for a fault wants to read."""
        if self._logger.isEnabledFor(logging.DEBUG):
            self._write(logging.DEBUG, event, fields)

    def info(self, event: str, /, **fields: object) -> None:
        """What an operator wants to find afterwards."""
        if self._logger.isEnabledFor(logging.INFO):
            self._write(logging.INFO, event, fields)

    def warning(self, event: str, /, **fields: object) -> None:
        """What an operator should look at."""
        if self._logger.isEnabledFor(logging.WARNING):
            self._write(logging.WARNING, event, fields)

    def error(self, event: str, /, *, exception: BaseException | None = None, **fields: object) -> None:
        """What has failed; with *exception*, its traceback as well."""
        if self._logger.isEnabledFor(logging.ERROR):
            self._write(logging.ERROR, event, fields, exception)

    def _write(self, level: int, event: str, fields: dict[str, object], exception: BaseException | None = None) -> None:
        # The event is no format string: "100%" in it is just text.
        self._logger.log(level, event, extra={"fields": fields}, exc_info=exception, stacklevel=3)


def get(name: str) -> Log:
    """Return the log of one part of the program, for example ``gateway``."""
    return Log(name)


def reopen() -> None:
    """Go on in the files that now have the names of the log files, after a rotation."""
    for handler in logging.getLogger().handlers:
        if isinstance(handler, LineHandler):
            try:
                handler.reopen()
            except OSError as error:
                get("logs").warning("log file stays the old one", reason=error.strerror)


@contextmanager
def configured(destinations: Destinations) -> Iterator[None]:
    """Write log lines to where *destinations* says, until the context is left.

    Raises BadSettings when a file cannot be opened.
    """
    ours, everybody = logging.getLogger(ROOT), logging.getLogger()
    before = ours.level
    with ExitStack() as stack:
        for path, form in ((destinations.log_human, HumanLine()), (destinations.log_json, JsonLine())):
            if not path:
                continue
            try:
                handler = LineHandler(path)
            except OSError as error:
                raise BadSettings(f'log file "{path}" cannot be opened: {error.strerror}') from error
            stack.callback(handler.close)
            handler.setFormatter(form)
            handler.addFilter(DebugFilter(destinations.log_filter))
            everybody.addHandler(handler)
            stack.callback(everybody.removeHandler, handler)
        if not everybody.handlers:
            # Both forms are off: without any handler Python would print warnings by itself.
            silence = logging.NullHandler()
            everybody.addHandler(silence)
            stack.callback(everybody.removeHandler, silence)
        ours.setLevel(logging.DEBUG if destinations.log_filter else logging.INFO)
        stack.callback(ours.setLevel, before)
        yield
