"""The scripted provider's WebSockets: requests of the Responses API as messages, each answered from the script."""

import asyncio
import json
import socket
import struct
from collections.abc import Awaitable, Callable

from aiohttp import WSMsgType, web
from multidict import CIMultiDict

from coderai.demo.answers_responses import responses_answer
from coderai.demo.script import BreakOff, Close, Message, Pause, Reply, Seen, Stall, Step

_LINGER_ZERO = struct.pack("ii", 1, 0)


class ScriptedSocket:
    """One open WebSocket."""

    def __init__(self, request: web.BaseRequest, *, deflate: bool) -> None:
        self.request = request
        self.messages: list[Message] = []
        """Everything that came, in order."""
        self.closed = asyncio.Event()
        self.code = 0
        """With which the other side closed it; 0 when it was just gone."""
        self._socket = web.WebSocketResponse(compress=deflate, max_msg_size=0, autoclose=False, timeout=1.0)
        self._arrived = asyncio.Condition()

    @property
    def deflated(self) -> bool:
        """Whether messages are compressed."""
        return bool(self._socket.compress)

    async def open(self) -> None:
        """Accept it."""
        self._socket.headers["x-request-id"] = "req_of_the_handshake"
        await self._socket.prepare(self.request)

    async def message(self, number: int = 0) -> Message:
        """Wait until the message with that number (the first is 0) has arrived, and return it."""
        async with self._arrived:
            await self._arrived.wait_for(lambda: len(self.messages) > number)
        return self.messages[number]

    async def send(self, data: bytes) -> None:
        """Send a text message that belongs to no answer."""
        await self._socket.send_frame(data, WSMsgType.TEXT)

    async def ping(self) -> None:
        """Ask for a sign of life."""
        await self._socket.ping(b"scripted")

    async def serve(
        self, arrive: Callable[[Seen], Awaitable[None]], decide: Callable[[Seen], Reply]
    ) -> web.StreamResponse:
        """Answer requests until the socket is closed; several may be under way."""
        try:
            async with asyncio.TaskGroup() as tasks:
                answers = []
                async for came in self._socket:
                    if came.type not in (WSMsgType.TEXT, WSMsgType.BINARY):
                        break
                    binary = came.type is WSMsgType.BINARY
                    data = came.data if binary else came.data.encode()
                    async with self._arrived:
                        self.messages.append(Message(data, binary))
                        self._arrived.notify_all()
                    if (seen := self._request(data)) is not None:
                        answers.append(tasks.create_task(self._answer(seen, arrive, decide)))
                for answer in answers:
                    answer.cancel()
        finally:
            self.code = 0 if self._socket.close_code in (None, 1006) else self._socket.close_code
            self.closed.set()
        return self._socket

    def _request(self, data: bytes) -> Seen | None:
        """Return the request as it would have come over HTTP."""
        try:
            asked = json.loads(data)
        except ValueError:
            return None
        if not isinstance(asked, dict) or asked.get("type") != "response.create":
            return None
        return Seen("POST", self.request.raw_path, CIMultiDict(self.request.headers), data)

    async def _answer(
        self, seen: Seen, arrive: Callable[[Seen], Awaitable[None]], decide: Callable[[Seen], Reply]
    ) -> None:
        if seen.json.get("generate") is False:
            first, *_, last = responses_answer().events
            reply = Reply(chunks=[first, last])
        else:
            await arrive(seen)
            reply = decide(seen)
        try:
            if reply.status >= 400:
                await self.send(_refusal(reply, seen.json.get("stream_id")))
                return
            for step in reply.chunks:
                if not await self._play(step, seen.json.get("stream_id")):
                    return
        except (ConnectionError, asyncio.CancelledError):
            seen.left.set()
        finally:
            seen.closed.set()

    async def _play(self, step: Step, lane: object) -> bool:
        match step:
            case bytes():
                if step:
                    await self.send(event_data(step, lane))
            case Message(data, binary):
                await self._socket.send_frame(data, WSMsgType.BINARY if binary else WSMsgType.TEXT)
            case Pause() | Stall():
                step.reached.set()
                await wait(step)
            case Close(code, reason):
                await self._socket.close(code=code, message=reason.encode())
                return False
            case BreakOff():
                break_off(self.request, step)
                return False
        return True


def event_data(event: bytes, lane: object = None) -> bytes:
    """Return the JSON of a server-sent event, which is what a message holds; with its lane, if it has one."""
    data = event.partition(b"data: ")[2].rstrip(b"\r\n")
    return data if lane is None else data[:-1] + b',"stream_id":' + json.dumps(lane).encode() + b"}"


def _refusal(reply: Reply, lane: object) -> bytes:
    event = {"type": "error", "status": reply.status, "error": json.loads(reply.body)["error"]}
    return json.dumps(event if lane is None else event | {"stream_id": lane}).encode()


async def wait(step: Pause | Stall) -> None:
    """Wait as long as the step says."""
    match step:
        case Stall(released):
            await released.wait()
        case Pause(asyncio.Event() as event):
            await event.wait()
        case Pause(float() | int() as seconds):
            await asyncio.sleep(seconds)


def break_off(request: web.BaseRequest, how: BreakOff) -> None:
    """End the connection of *request* here."""
    transport = request.transport
    if transport is None:
        return
    connection = transport.get_extra_info("socket")
    if how.reset and connection is not None:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_ZERO)
    transport.abort()
