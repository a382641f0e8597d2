"""A connection of the listener, from its first byte to its tunnel."""

import asyncio
from enum import Enum, auto
from http import HTTPStatus
from typing import Final, Protocol, cast

from coderai.proxy.head import Connect, HeadReader
from coderai.proxy.refusals import Refusal

_LINGER_SECONDS: Final = 1.0
"""After a refusal what still comes is dropped for so long: a reset would take the answer away."""
_TRIES: Final = 5
"""CONNECTs without success on one connection: git needs two."""


class _Doing(Enum):
    HEAD = auto()
    ANSWERING = auto()
    LISTENING = auto()
    """The CONNECT is accepted, and the first bytes of the tunnel are waited for."""
    LEAVING = auto()


class Door(Protocol):
    """The part of ``server.Proxy`` that a connection asks."""

    head_seconds: float

    def arrived(self, connection: "Connection") -> Refusal | None: ...

    def left(self, connection: "Connection") -> None: ...

    def refused(self, connection: "Connection", refusal: Refusal, wanted: Connect | None) -> None: ...

    def wants(self, connection: "Connection", wanted: Connect) -> "asyncio.Task[None] | None": ...


class Connection(asyncio.Protocol):
    """Reads heads until one is accepted; then its transport belongs to somebody else."""

    def __init__(self, door: Door) -> None:
        self._door = door
        self._doing = _Doing.HEAD
        self._head = HeadReader()
        self._timer: asyncio.TimerHandle | None = None
        self._task: asyncio.Task[None] | None = None
        self._tries = 0
        self._first: asyncio.Future[bytes] | None = None
        self.transport: asyncio.Transport | None = None
        self.peer = ""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.peer = str((transport.get_extra_info("peername") or ("",))[0])
        if refusal := self._door.arrived(self):
            self.refuse(refusal)
        else:
            self._await_head()

    def data_received(self, data: bytes) -> None:
        if self._doing is _Doing.HEAD:
            self._read_head(data)
        elif self._doing is _Doing.LISTENING and self._first is not None and not self._first.done():
            self._first.set_result(data)
            self._pause()
        # while leaving it is dropped; while answering nothing is read

    def eof_received(self) -> bool:
        if self._doing is _Doing.HEAD and not self._head.empty:
            self.refuse(Refusal(HTTPStatus.BAD_REQUEST, "bad_head", "the head of the request broke off"))
            return bool(self.transport and self.transport.can_write_eof())
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self.transport = None
        self._stop_timer()
        if self._task is not None:
            self._task.cancel()
        if self._first is not None and not self._first.done():
            self._first.cancel()
        self._door.left(self)

    def refuse(self, refusal: Refusal, wanted: Connect | None = None) -> None:
        """Answer; after a 407 the client may try again on the same connection."""
        self._stop_timer()
        self._door.refused(self, refusal, wanted)
        self._tries += 1
        again = refusal.status == HTTPStatus.PROXY_AUTHENTICATION_REQUIRED and self._tries < _TRIES
        again = again and wanted is not None and wanted.persistent
        transport = self.transport
        if transport is None or transport.is_closing():
            return
        transport.write(refusal.answer(stays_open=again))
        if again:
            self._task = None
            self._await_head()
            transport.resume_reading()
        else:
            self._leave(transport)

    async def first_bytes(self, seconds: float) -> bytes:
        """Accept the CONNECT and return the first bytes of the tunnel; reading stops there. Raises TimeoutError."""
        assert self.transport is not None
        self._doing = _Doing.LISTENING
        self._first = asyncio.get_running_loop().create_future()
        self.accept("intercepted")
        self.transport.resume_reading()
        async with asyncio.timeout(seconds):
            return await self._first

    def accept(self, how: str) -> None:
        """Say that the tunnel stands, and for `coderai doctor`, *how*: from outside the two are hard to tell apart."""
        if self.transport is not None:
            self.transport.write(f"HTTP/1.1 200 Connection established\r\nX-AI-Gateway-Proxy: {how}\r\n\r\n".encode())

    @property
    def reads_head(self) -> bool:
        """Nothing whole has been asked so far."""
        return self._doing is _Doing.HEAD

    @property
    def speaks(self) -> bool:
        """The transport still belongs to this object."""
        return self.transport is not None and self.transport.get_protocol() is self

    def close(self) -> None:
        """End it now."""
        if self.transport is not None:
            self.transport.abort()

    def _read_head(self, data: bytes) -> None:
        said = self._head.feed(data)
        if isinstance(said, Refusal):
            self.refuse(said)
        elif said is not None:
            self._stop_timer()
            self._doing = _Doing.ANSWERING
            self._pause()
            self._task = self._door.wants(self, said)

    def _await_head(self) -> None:
        self._doing = _Doing.HEAD
        self._head = HeadReader()
        self._timer = asyncio.get_running_loop().call_later(self._door.head_seconds, self._too_slow)

    def _too_slow(self) -> None:
        text = f"the head of a request has to come within {self._door.head_seconds:g} s"
        self.refuse(Refusal(HTTPStatus.REQUEST_TIMEOUT, "too_slow", text))

    def _pause(self) -> None:
        if self.transport is not None and not self.transport.is_closing():
            self.transport.pause_reading()

    def _leave(self, transport: asyncio.Transport) -> None:
        self._doing = _Doing.LEAVING
        if not transport.can_write_eof():
            transport.close()
            return
        transport.write_eof()
        transport.resume_reading()
        self._timer = asyncio.get_running_loop().call_later(_LINGER_SECONDS, transport.abort)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
