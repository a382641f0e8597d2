"""What is in flight now, told by server-sent events."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from aiohttp import web

from coderai.access.roles import Right
from coderai.errors import CoderaiError
from coderai.web.rendering import render
from coderai.web.routes import Page
from coderai.web.sessions import session_address
from coderai.web.visiting import Visit

_API: Final = "/api/v2/ai/live"
_SESSIONS: Final = "/aibridge/sessions"
_FULL: Final = "The server does not send news now: too many people are watching, or it is stopping."
STATES: Final[Mapping[str, tuple[str, str]]] = {
    "waiting": ("", "waits for the provider"),
    "answering": ("live", "answering"),
    "client_left": ("warn", "client left"),
    "ending": ("good", "being recorded"),
    "elsewhere": ("", "on another server"),
}


async def _show(visit: Visit) -> web.StreamResponse:
    live = await visit.get(_API)
    return visit.page("live.html", **_values(live), all_seen=visit.reader.may(Right.READ_ALL_RECORDS))


async def _stream(visit: Visit) -> web.StreamResponse:
    if visit.request.method == "HEAD":
        return web.Response(content_type="text/event-stream")
    return web.Response(body=_events(visit), content_type="text/event-stream", charset="utf-8")


async def _events(visit: Visit) -> AsyncIterator[bytes]:
    """Yield the rows anew for every event of the API."""
    try:
        async with visit.calls.stream(visit.sender, _API, {}) as answer:
            if answer.status != 200:
                yield _event(render("live_sorry.html", {"text": _FULL}))
                return
            async for data in _pieces(answer.chunks()):
                yield await asyncio.to_thread(_rows, data) if data else b":\n\n"
    except CoderaiError:  # the server leaves; browsers come again by themselves
        return


def _rows(data: str) -> bytes:
    return _event(render("live_rows.html", _values(json.loads(data))))


async def _pieces(chunks: AsyncIterator[bytes]) -> AsyncIterator[str]:
    """Yield the data of each event; '' for a comment."""
    buffer = b""
    async for chunk in chunks:
        buffer += chunk
        while b"\n\n" in buffer:
            event, _, buffer = buffer.partition(b"\n\n")
            yield "".join(line[6:] for line in event.decode().splitlines() if line.startswith("data: "))


def _event(html: str) -> bytes:
    lines = "".join(f"data: {line}\n" for line in html.splitlines())
    return f"event: live\n{lines}\n".encode()


def _values(live: Any) -> dict[str, Any]:
    rows = [(each, STATES.get(each["state"], ("", each["state"])), _address(each)) for each in live["running"]]
    return {"live": live, "rows": rows, "at": datetime.now(UTC).isoformat()}


def _address(one: Mapping[str, Any]) -> str:
    session = {"id": one["session_id"], "initiator": one["initiator"], "first_interception_id": one["id"]}
    return session_address(_SESSIONS, session)


PAGES: Final = (Page("GET", "/live", _show), Page("GET", "/live/stream", _stream))
