"""What is in flight now: ``/api/v2/ai/live``, once or as a stream of server-sent events.

Which exchanges run is read from the database, so those of every replica are there. How far they are is known only to
the process that carries them.
"""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any, Final

import msgspec
from aiohttp import web

from coderai.api import live_documents as documents
from coderai.api.answers import SAFE, answer, moment
from coderai.api.record_shapes import person_shape
from coderai.api.routes import About, Ask, Route, Signed
from coderai.api.services import Services
from coderai.errors import CoderaiError
from coderai.gateway.watch import Flight
from coderai.store.running import COUNTED, Exchange

SHOWN: Final = 200
_EVENTS: Final = "text/event-stream"
_EVERY: Final = 1.0
_MANY: Final = 50
_EVERY_OF_MANY: Final = 3.0
"""So many rows take milliseconds to read and to write, for every listener."""
_SILENT_FOR: Final = 15
"""Looks without news before a comment shows that somebody is there."""
_LOOKS: Final = 600
"""Of one stream; browsers come again by themselves."""


async def _live(ask: Ask) -> web.Response:
    if _EVENTS not in ask.request.headers.get("Accept", ""):
        return answer(await _look(ask))
    ask.services.audience.admit()
    first = await _look(ask)  # so that a refusal is one
    return web.Response(body=_events(ask, first), content_type=_EVENTS, charset="utf-8", headers=SAFE)


async def _events(ask: Ask, first: dict[str, Any]) -> AsyncIterator[bytes]:
    """Yield an event at once, then one for every change; while something runs at every look, for its time goes on."""
    with ask.services.audience.listening() as over:
        yield _event(first)
        last, quiet = first, 0
        for _ in range(_LOOKS):
            if await _passed(over, _EVERY if len(last["running"]) <= _MANY else _EVERY_OF_MANY):
                return
            try:
                now = await _look(replace(ask, caller=await ask.known_still()))
            except CoderaiError:  # signed out, or no database: whoever comes again is told
                return
            if now != last or now["running"]:
                yield _event(now)
                last, quiet = now, 0
            elif (quiet := quiet + 1) % _SILENT_FOR == 0:
                yield b":\n\n"


async def _passed(over: asyncio.Event, seconds: float) -> bool:
    """Wait until the next look; return whether there is to be none."""
    try:
        async with asyncio.timeout(seconds):
            return await over.wait()
    except TimeoutError:
        return False


def _event(body: dict[str, Any]) -> bytes:
    return b"event: live\ndata: " + msgspec.json.encode(body) + b"\n\n"


async def _look(ask: Ask) -> dict[str, Any]:
    services = ask.services
    found = await services.lookup.running(ask.caller, SHOWN)
    mine = {interception.id: flight for interception, flight in services.gateway.flights()}
    return {
        "count": found.count,
        "count_capped": found.count >= COUNTED,
        "running": [_shape(services, each, mine.get(each.id)) for each in found.exchanges],
    }


def _shape(services: Services, one: Exchange, flight: Flight | None) -> dict[str, Any]:
    return {
        "id": one.id,
        "session_id": one.session_id,
        "initiator": person_shape(one.initiator),
        **({"on_behalf_of": person_shape(one.on_behalf_of)} if one.on_behalf_of else {}),
        "provider": one.provider,
        "provider_name": one.provider_name or one.provider,
        "model": one.model,
        "client": one.client,
        "api": one.api,
        "stream": one.stream,
        "started_at": moment(one.started_at),
        "state": _state(flight, here=one.process_id == services.store.process_id),
        "bytes": flight.received if flight is not None else None,
    }


def _state(flight: Flight | None, *, here: bool) -> str:
    if flight is None:
        return "ending" if here else "elsewhere"
    if flight.client_gone:
        return "client_left"
    return "answering" if flight.received else "waiting"


ROUTES: Final = (
    Route(
        "GET",
        "/api/v2/ai/live",
        Signed(_live),
        About("What is in flight now; with `Accept: text/event-stream` an event for every change", documents.Live),
    ),
)
