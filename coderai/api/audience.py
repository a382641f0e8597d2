"""Who listens to streams of events of the management API: not too many, and nobody when the server leaves."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from coderai.errors import Busy

MOST: Final = 20


class Audience:
    """Counts listeners."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._listening = 0
        self._over = asyncio.Event()

    def admit(self) -> None:
        """Raises Busy when there are too many, or the server leaves."""
        if self._over.is_set():
            raise Busy("the server is stopping", 503, 5)
        if self._listening >= self._most:
            raise Busy(f"{self._most} listen already; that many may", 429, 10)

    @contextmanager
    def listening(self) -> Iterator[asyncio.Event]:
        """Count a listener; gives what is set when it has to go."""
        self._listening += 1
        try:
            yield self._over
        finally:
            self._listening -= 1

    def dismiss(self) -> None:
        """Let all listeners go; the server leaves."""
        self._over.set()
