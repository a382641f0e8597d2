"""A blind tunnel: bytes both ways, backpressure, half-closed connections. Callbacks only, no task per tunnel."""

import asyncio
from collections.abc import Callable
from typing import Final, cast

_EARLY_BYTES: Final = 1 << 16
"""Kept of a host that speaks before the client knows of it."""


class Side(asyncio.Protocol):
    """One end of a tunnel. What it reads goes to the other one, which is set when the tunnel stands."""

    def __init__(self) -> None:
        self.transport: asyncio.Transport | None = None
        self.read = 0
        """Bytes."""
        self.ended = False
        """Nothing more will come from here."""
        self._other: Side | None = None
        self._tunnel: Tunnel | None = None
        self._early = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)

    @property
    def alive(self) -> asyncio.Transport | None:
        """The transport while it can be used."""
        transport = self.transport
        return None if transport is None or transport.is_closing() else transport

    def join(self, other: "Side", tunnel: "Tunnel") -> None:
        """From now on what comes from here goes there."""
        self._other, self._tunnel = other, tunnel
        early, self._early = self._early, b""
        if early:
            self.data_received(early)
        if self.transport is None:  # it did not wait
            self.connection_lost(None)
        elif self.ended:
            self._end()
        if alive := self.alive:
            alive.resume_reading()

    def data_received(self, data: bytes) -> None:
        if self._other is None:
            self._early += data
            if len(self._early) > _EARLY_BYTES and self.alive is not None:
                self.alive.pause_reading()
            return
        self.read += len(data)
        if alive := self._other.alive:
            alive.write(data)

    def eof_received(self) -> bool:
        self.ended = True
        self._end()
        # TLS knows no half-closed connections, and complains when it is asked for one
        return self.transport is not None and self.transport.can_write_eof()

    def _end(self) -> None:
        """Pass on that nothing more will come from here; what goes the other way goes on as long as it can."""
        other = self._other
        if other is None or (alive := other.alive) is None:
            return
        if not other.ended and alive.can_write_eof():
            alive.write_eof()
            return
        alive.close()
        if self.alive is not None:
            self.alive.close()

    def pause_writing(self) -> None:
        if self._other is not None and self._other.alive is not None:
            self._other.alive.pause_reading()

    def resume_writing(self) -> None:
        if self._other is not None and self._other.alive is not None:
            self._other.alive.resume_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        self.ended, self.transport = True, None
        other, tunnel = self._other, self._tunnel
        if other is None or tunnel is None:
            return
        if other.transport is None:
            tunnel.over()
        elif exc is None:
            other.transport.close()  # after what is still to be sent
        else:
            other.transport.abort()


class Tunnel:
    """Two sides that are joined. *over* is called once both are gone."""

    def __init__(self, near: Side, far: Side, over: Callable[[], None]) -> None:
        self._near, self._far, self._over = near, far, over
        far.join(near, self)
        near.join(far, self)

    @property
    def carried(self) -> tuple[int, int]:
        """Bytes from the client, and bytes to it."""
        return self._near.read, self._far.read

    def over(self) -> None:
        """Tell it, once."""
        told, self._over = self._over, _nothing
        told()

    def abort(self) -> None:
        """End it now, whatever is still to be sent."""
        for side in (self._near, self._far):
            if side.transport is not None:
                side.transport.abort()


def _nothing() -> None:
    pass
