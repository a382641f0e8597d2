"""Bytes from a provider to a client, with backpressure and nothing else: no formats, no records."""

import socket
import struct
from collections.abc import Callable
from typing import Final

from aiohttp import HttpVersion11, web
from multidict import CIMultiDict

from coderai.errors import BrokenOff
from coderai.gateway.upstream import Answer
from coderai.gateway.watch import Flight
from coderai.records import Ending
from coderai.wire.apis import StreamReader

CallSeen = Callable[[str], None]

_RESET: Final = struct.pack("ii", 1, 0)
"""Linger for no time: the connection is closed with a reset."""

FULL_BYTES: Final = 1 << 16
"""Waiting for the client; more than this pauses the transport (its own default), and we wait with it."""


def streamed(request: web.BaseRequest, status: int, headers: CIMultiDict[str]) -> web.StreamResponse:
    """Return an answer of unknown length for *request*; for HTTP/1.0 only the close of the connection is its end."""
    client = web.StreamResponse(status=status, headers=headers)
    if request.version < HttpVersion11:
        client.force_close()
    return client


async def says_nothing(answer: Answer, flight: Flight) -> bool:
    """Tell whether the body of *answer* ends without a byte; one that is only slow is not waited for."""
    try:
        async with flight.opening():
            return not await answer.begun()
    except TimeoutError:
        return False  # from now on keep-alives may be needed, which need the headers
    except BrokenOff:
        return True


async def relay(
    answer: Answer,
    client: web.StreamResponse,
    request: web.BaseRequest,
    reader: StreamReader,
    flight: Flight,
    saw_call: CallSeen,
) -> Ending | None:
    """Copy *answer* to *client* as far as *reader* lets it go; return why it stopped, None for the provider's own end.

    Pieces go from the callback that read them to the client's transport: waking a task for each costs as much again.
    A slow client slows the provider down. When the client has left, the provider is read on without it, until the
    watch ends that. Tool calls are told as soon as they are seen.
    """
    pass_on = _sink(client, request, reader, flight, saw_call)
    try:
        async with flight.limit():
            while not reader.ended and not answer.at_end():
                await answer.pour(pass_on)
                if not flight.left:
                    await _drained(request, flight)
    except BrokenOff:
        return Ending.BROKEN_OFF
    except TimeoutError:
        return flight.ending
    return None


def _sink(
    client: web.StreamResponse, request: web.BaseRequest, reader: StreamReader, flight: Flight, saw_call: CallSeen
) -> Callable[[bytes], bool]:
    """Return what takes the pieces of the answer; it wants no more at the end, and while the client is behind."""
    chunked = client.headers.get("Transfer-Encoding") == "chunked"  # not for HTTP/1.0
    calls = 0

    def pass_on(piece: bytes) -> bool:
        nonlocal calls
        flight.turns += 1
        flight.received += len(piece)
        out = reader.feed(piece)
        if len(reader.calls) > calls:
            for call_id in reader.calls[calls:]:
                saw_call(call_id)
            calls = len(reader.calls)
        transport = request.transport
        if transport is None or transport.is_closing():
            flight.left = True
            return not reader.ended
        if out:
            transport.write(b"%x\r\n%b\r\n" % (len(out), out) if chunked else out)
        return not reader.ended and transport.get_write_buffer_size() <= FULL_BYTES

    return pass_on


async def _drained(request: web.BaseRequest, flight: Flight) -> None:
    """Wait until the client has taken what it has."""
    flight.writing = True
    try:
        await request.writer.drain()
    except ConnectionResetError:
        flight.left = True
    finally:
        flight.writing = False


async def finish(answer: Answer, client: web.StreamResponse, held: bytes, flight: Flight) -> None:
    """Release the end that was *held* back, and what the provider still sends within two seconds; then end cleanly."""
    try:
        await client.write(held)
        if not answer.at_end():
            async with flight.trailing():
                while chunk := await answer.read():
                    await client.write(chunk)
    except (BrokenOff, TimeoutError):
        pass  # the answer was complete: what comes after its end is nobody's loss
    except ConnectionResetError:
        return
    await client.write_eof()


async def break_off(request: web.BaseRequest, client: web.StreamResponse, last_words: bytes) -> None:
    """Say that this is no end: the protocol's error event, then a connection closed without a final chunk."""
    try:
        await client.write(last_words)
    except ConnectionResetError:
        return
    if request.transport is not None:
        request.transport.close()


def cut_off(request: web.BaseRequest) -> None:
    """Close the connection so that nobody takes it for an end, whatever waits to be sent."""
    transport = request.transport
    if transport is None:
        return
    connection = transport.get_extra_info("socket")
    if request.version < HttpVersion11 and connection is not None:  # a plain close would be the end of the answer
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    transport.abort()
