"""Bytes from a provider to a client, with backpressure and nothing else: no formats, no records."""

from collections.abc import Callable

from aiohttp import web

from coderai.errors import BrokenOff
from coderai.gateway.upstream import Answer
from coderai.gateway.watch import Flight
from coderai.records import Ending
from coderai.wire.apis import StreamReader

CallSeen = Callable[[str], None]


async def relay(
    answer: Answer, client: web.StreamResponse, reader: StreamReader, flight: Flight, saw_call: CallSeen
) -> Ending | None:
    """Copy *answer* to *client* as far as *reader* lets it go; return why it stopped, None for the provider's own end.

    ``client.write`` is the backpressure: a slow client slows the provider down. When the client has left, the provider
    is read on without it, until the watch ends that. Tool calls are told as soon as they are seen.
    """
    calls = 0
    try:
        async with flight.limit():
            while chunk := await answer.read():
                flight.turns += 1
                out = reader.feed(chunk)
                if len(reader.calls) > calls:
                    for call_id in reader.calls[calls:]:
                        saw_call(call_id)
                    calls = len(reader.calls)
                if out and not flight.left:
                    flight.writing = True
                    try:
                        await client.write(out)
                    except ConnectionResetError:
                        flight.left = True
                    flight.writing = False
                if reader.ended:
                    return None
    except BrokenOff:
        return Ending.BROKEN_OFF
    except TimeoutError:
        return flight.ending
    return None


async def finish(answer: Answer, client: web.StreamResponse, reader: StreamReader, flight: Flight) -> None:
    """Release the end that was held back, and what the provider still sends within two seconds; then end cleanly."""
    try:
        await client.write(reader.held)
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
