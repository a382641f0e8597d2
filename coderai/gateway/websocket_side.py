"""One of the two connections of a relayed WebSocket; aiohttp's server and client side made alike."""

import asyncio
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from aiohttp import ClientError, WebSocketError, WSMsgType

NORMAL: Final = 1000
GOING_AWAY: Final = 1001
BAD_TEXT: Final = 1007
NOT_ALLOWED: Final = 1008
FAILED: Final = 1011
RESTARTED: Final = 1012
_NOT_TO_BE_SENT: Final = frozenset({1004, 1005, 1006, 1015})
"""Words for what happened, not for the wire (RFC 6455, 7.4.1)."""
_CLOSE_SECONDS: Final = 5.0
"""For the other side's part of the closing handshake, and for what it has not taken yet."""


@dataclass(frozen=True, slots=True)
class Frame:
    """A whole message, whatever fragments it came in, decompressed."""

    data: bytes = field(repr=False)
    binary: bool = False


@dataclass(frozen=True, slots=True)
class Closed:
    """The other side has closed the connection, or it was lost."""

    code: int = NORMAL
    reason: str = ""
    lost: bool = False
    """Without a closing handshake."""


class _Socket(Protocol):
    """What aiohttp's two classes have in common."""

    async def receive(self) -> Any: ...

    async def send_frame(self, message: bytes, opcode: WSMsgType, compress: int | None = None) -> None: ...

    async def close(self, *, code: int = ..., message: bytes = ...) -> bool: ...


class Side:
    """Sends and receives whole messages. *transport* is the connection below *socket*."""

    def __init__(self, socket: _Socket, transport: asyncio.WriteTransport) -> None:
        self._socket = socket
        self._transport = transport
        self.closed = False
        """Nothing more comes from it, and nothing reaches it."""
        self._sending = 0
        self._receiving = False
        self._heard = False
        self._pinged = False

    async def receive(self) -> Frame | Closed:
        """Return the next message; pings are answered meanwhile. Only one task may wait here."""
        while True:
            self._receiving = True
            try:
                message = await self._socket.receive()
            finally:
                self._receiving = False
            self._heard = True
            match message.type:
                case WSMsgType.TEXT | WSMsgType.BINARY:
                    return Frame(bytes(message.data), message.type is WSMsgType.BINARY)
                case WSMsgType.PING:
                    await self._send(bytes(message.data), WSMsgType.PONG)
                case WSMsgType.PONG:
                    pass
                case WSMsgType.CLOSE:
                    self.closed = True
                    return Closed(message.data or NORMAL, message.extra or "")
                case _:
                    self.closed = True
                    error = message.data
                    return Closed(error.code if isinstance(error, WebSocketError) else FAILED, lost=True)

    async def send(self, frame: Frame) -> bool:
        """Send a message and wait until the other side keeps up; False when it is gone."""
        return await self._send(frame.data, WSMsgType.BINARY if frame.binary else WSMsgType.TEXT)

    async def check(self) -> bool:
        """Ask for a sign of life; return whether there was one since the last time.

        A side that is not read at the moment, or does not take what it is sent, is not judged: that is backpressure.
        """
        if self._pinged and not self._heard and self._receiving and not self._sending:
            return False
        self._heard = False
        self._pinged = not self._sending and await self._send(b"", WSMsgType.PING)
        return True

    async def close(self, code: int, reason: str = "") -> None:
        """Close in peace, in bounded time; a side that is gone already is only let go of."""
        code = FAILED if code in _NOT_TO_BE_SENT else code
        self.closed = True
        at_peace = False
        try:
            async with asyncio.timeout(_CLOSE_SECONDS):
                await self._socket.close(code=code, message=reason.encode()[:123])
            at_peace = self._transport.get_write_buffer_size() == 0
        except (TimeoutError, ConnectionError, ClientError):
            pass
        finally:
            if not at_peace:
                self.abort()

    def abort(self) -> None:
        """Close the connection at once, whatever waits to be sent."""
        self.closed = True
        self._transport.abort()

    async def _send(self, data: bytes, kind: WSMsgType) -> bool:
        self._sending += 1
        try:
            await self._socket.send_frame(data, kind)
        except (ConnectionError, ClientError):
            self.closed = True
            return False
        finally:
            self._sending -= 1
        return True
