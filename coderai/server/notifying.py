"""Telling systemd how we are, where it asked for that (``Type=notify``); elsewhere every call does nothing.

The protocol is one datagram of ``NAME=value`` lines to the socket that ``NOTIFY_SOCKET`` names: sd_notify(3).
"""

import asyncio
import os
import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

from coderai.observe import logs

log = logs.get("server")


@dataclass(frozen=True, slots=True)
class Notifier:
    """Speaks to the service manager. Never waits for it and never fails because of it."""

    address: str = ""
    """Of its socket, as ``socket.sendto`` wants it; empty: nobody asked."""
    watchdog: timedelta | None = None
    """How long we may be silent before we are taken for dead."""

    @classmethod
    def of(cls, environ: Mapping[str, str], pid: int) -> "Notifier":
        """Return what speaks to whom *environ* names; *pid* is ours, because children inherit the variables."""
        address = environ.get("NOTIFY_SOCKET", "")
        if not address.startswith(("/", "@")):
            return cls()  # none, or a kind that only virtual machines have
        if address.startswith("@"):
            address = "\0" + address[1:]  # an abstract socket
        micros = environ.get("WATCHDOG_USEC", "")
        ours = environ.get("WATCHDOG_PID", str(pid)) == str(pid)
        wanted = ours and micros.isascii() and micros.isdigit() and int(micros) > 0
        return cls(address, timedelta(microseconds=int(micros)) if wanted else None)

    def ready(self, status: str) -> None:
        """The server listens."""
        self._tell("READY=1", f"STATUS={status}")

    def stopping(self, status: str) -> None:
        """The server has begun to leave."""
        self._tell("STOPPING=1", f"STATUS={status}")

    @contextmanager
    def reloading(self) -> Iterator[None]:
        """Say that something is read anew, and that it is done."""
        self._tell("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}")
        try:
            yield
        finally:
            self._tell("READY=1")

    @contextmanager
    def alive(self) -> Iterator[None]:
        """Show twice per ``watchdog`` that the loop turns, until the context is left."""
        if self.watchdog is None:
            yield
            return
        loop, pause = asyncio.get_running_loop(), self.watchdog.total_seconds() / 2
        next_beat: asyncio.Handle

        def beat() -> None:
            nonlocal next_beat
            self._tell("WATCHDOG=1")
            next_beat = loop.call_later(pause, beat)

        next_beat = loop.call_soon(beat)
        try:
            yield
        finally:
            next_beat.cancel()

    def _tell(self, *lines: str) -> None:
        if not self.address:
            return
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
                sender.setblocking(False)
                sender.sendto("\n".join(lines).encode(), self.address)
        except OSError as error:
            log.warning("the service manager cannot be told", what=lines[0], reason=os.strerror(error.errno or 0))
