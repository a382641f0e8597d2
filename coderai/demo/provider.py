"""A provider that says what it is told: real HTTP on loopback, every byte and every mishap scripted."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from aiohttp import web
from multidict import CIMultiDict

from coderai.demo.script import (
    Answering,
    BreakOff,
    Close,
    IfUsageWanted,
    Message,
    Pause,
    Reply,
    Seen,
    Stall,
    Step,
)
from coderai.demo.sockets import ScriptedSocket, break_off, wait
from coderai.demo.usual import usual_answer

__all__ = [
    "Answering",
    "BreakOff",
    "Close",
    "IfUsageWanted",
    "Message",
    "Pause",
    "Reply",
    "ScriptedProvider",
    "Seen",
    "Stall",
    "Step",
]


class ScriptedProvider:
    """Answers the wire APIs from a script: one item per request in order, or a function of the request.

    After a list is used up *otherwise* answers: model lists and token counts as usual, anything else with a 500 that
    says so. Requests on a WebSocket are answered from the same script; *upgrades* has the statuses for attempts to open
    one, of which 101 opens it, as do all that follow.
    """

    def __init__(
        self,
        script: Sequence[Reply | Answering] | Answering = (),
        *,
        otherwise: Answering = usual_answer,
        upgrades: Sequence[int] = (),
    ) -> None:
        self._decide = script if callable(script) else None
        self._rest = [] if callable(script) else list(script)
        self._otherwise = otherwise
        self._arrived = asyncio.Condition()
        self.seen: list[Seen] = []
        self.upgrades = list(upgrades)
        self.deflate = True
        """Whether a WebSocket may be compressed."""
        self.attempts: list[Seen] = []
        """To open a WebSocket."""
        self.sockets: list[ScriptedSocket] = []

    def add(self, *replies: Reply | Answering) -> None:
        """Append to the script."""
        self._rest.extend(replies)

    async def request(self, number: int = 0) -> Seen:
        """Wait until the request with that number (the first is 0) has arrived, and return it."""
        async with self._arrived:
            await self._arrived.wait_for(lambda: len(self.seen) > number)
        return self.seen[number]

    @asynccontextmanager
    async def serving(self, port: int = 0) -> AsyncIterator[str]:
        """Listen on 127.0.0.1 and give the base URL; connections still open at the end are dropped."""
        server = web.Server(self._handle, handler_cancellation=True, auto_decompress=False, access_log=None)
        runner = web.ServerRunner(server, shutdown_timeout=0.1)
        await runner.setup()
        try:
            site = web.TCPSite(runner, "127.0.0.1", port)
            await site.start()
            yield f"http://127.0.0.1:{runner.addresses[0][1]}"
        finally:
            await runner.cleanup()

    async def socket(self, number: int = 0) -> ScriptedSocket:
        """Wait until the WebSocket with that number (the first is 0) is open, and return it."""
        async with self._arrived:
            await self._arrived.wait_for(lambda: len(self.sockets) > number)
        return self.sockets[number]

    async def _arrive(self, seen: Seen) -> None:
        async with self._arrived:
            self.seen.append(seen)
            self._arrived.notify_all()

    async def _open(self, request: web.BaseRequest) -> web.StreamResponse:
        self.attempts.append(Seen(request.method, request.raw_path, CIMultiDict(request.headers), b""))
        status = self.upgrades.pop(0) if self.upgrades else 101
        if status != 101:
            return web.json_response(
                {"error": {"message": "no WebSocket here", "type": "x", "code": None}}, status=status
            )
        socket = ScriptedSocket(request, deflate=self.deflate)
        await socket.open()
        async with self._arrived:
            self.sockets.append(socket)
            self._arrived.notify_all()
        return await socket.serve(self._arrive, self._next)

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        if request.headers.get("Upgrade", "").lower() == "websocket":
            return await self._open(request)
        body = await request.content.read()
        seen = Seen(request.method, request.raw_path, CIMultiDict(request.headers), body)
        await self._arrive(seen)
        try:
            return await _play(self._next(seen).for_request(seen), request)
        except (ConnectionError, asyncio.CancelledError):
            seen.left.set()
            raise
        finally:
            seen.closed.set()

    def _next(self, seen: Seen) -> Reply:
        step = self._decide or (self._rest.pop(0) if self._rest else self._otherwise)
        return step(seen) if callable(step) else step


async def _play(reply: Reply, request: web.BaseRequest) -> web.StreamResponse:
    response = web.StreamResponse(status=reply.status, headers=CIMultiDict(reply.headers))
    response.headers.setdefault("Content-Type", reply.content_type)
    _frame(response, reply)
    for step in reply.chunks:
        match step:
            case Pause() | Stall():
                step.reached.set()
                await wait(step)
            case BreakOff():
                break_off(request, step)
                return response
            case bytes() | IfUsageWanted():
                if not response.prepared:
                    await response.prepare(request)
                await response.write(step if isinstance(step, bytes) else step.data)
    if not response.prepared:
        await response.prepare(request)
    await response.write_eof()
    return response


def _frame(response: web.StreamResponse, reply: Reply) -> None:
    """A body of known length gets a Content-Length, everything else is chunked, as with the real providers."""
    if "Content-Length" in response.headers or reply.status in (204, 304):
        return
    if reply.content_type == "text/event-stream" or not all(isinstance(step, bytes) for step in reply.chunks):
        response.enable_chunked_encoding()
    else:
        response.content_length = len(reply.body)
