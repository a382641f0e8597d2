"""The time, as an argument."""

from collections.abc import Callable
from datetime import UTC, datetime

Clock = Callable[[], datetime]
"""Returns the present moment, aware and in UTC."""


def now() -> datetime:
    """The clock of the running program."""
    return datetime.now(UTC)
