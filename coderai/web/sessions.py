"""The list of sessions."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import quote, urlencode

from aiohttp import web

from coderai.access.roles import Right
from coderai.errors import Invalid
from coderai.web.asked_sessions import PRESETS, USUAL, Asked
from coderai.web.calls import Refused
from coderai.web.routes import Page
from coderai.web.visiting import Visit

API: Final = "/api/v2/aibridge/sessions"
PATHS: Final = ("/aibridge/sessions", "/ai-gateway/sessions")
_PAGE: Final = 25
_LABELS: Final = ("/api/v2/ai/labels", {"limit": "200"})
_POLLS: Final = 120
"""How often a list with running sessions looks again by itself, every five seconds."""
_NOWHERE: Final = (".", "..")
"""Browsers take these out of a path."""


@dataclass(frozen=True, slots=True)
class Outside:
    """Sessions that match, but not in the time that is shown."""

    count: int
    more: bool
    """There are more than that."""


def session_address(base: str, session: Mapping[str, Any], **query: str) -> str:
    """Return the page of a session, whatever its client called it."""
    name = session["first_interception_id"] if session["id"] in _NOWHERE else quote(session["id"], safe="")
    return f"{base}/{name}?{urlencode({'initiator': session['initiator']['id'], **query})}"


async def _list(visit: Visit) -> web.StreamResponse:
    asked = Asked.of(visit.query)
    base = visit.request.path
    if (picked := asked.picked(visit.query)) is not None:
        return visit.go(picked.address(base))
    again = _again(visit)
    part = again is not None and bool(visit.request.headers.get("HX-Request"))
    try:
        question = _question(asked, asked.window(datetime.now(UTC)))
        found, *labels = await visit.all((API, question), *(() if part else (_LABELS,)))
    except (Refused, Invalid) as error:
        return await _told(visit, asked, _judged(error))
    if again is not None and part:
        return visit.page("sessions_rows.html", **_rows(visit, asked, found, again - 1))
    outside = await _outside(visit, asked, question, found)
    return _page(visit, asked, 200, labels[0], error=None, found=found, outside=outside)


async def _told(visit: Visit, asked: Asked, error: Refused) -> web.Response:
    """Return the page with what is wrong with what was asked."""
    return _page(visit, asked, 400, await visit.get(*_LABELS), error=error, found=None, outside=None)


def _page(
    visit: Visit, asked: Asked, status: int, labels: Any, *, error: Refused | None, found: Any, outside: Outside | None
) -> web.Response:
    nothing = {"count": 0, "count_capped": False, "sessions": []}
    return visit.page(
        "sessions.html",
        status,
        **_rows(visit, asked, found or nothing, _POLLS),
        found=found,
        error=error,
        outside=outside,
        pickers=_pickers(asked, labels),
        presets=PRESETS,
        usual=USUAL,
        all_seen=visit.reader.may(Right.READ_ALL_RECORDS),
        first=(asked.page - 1) * _PAGE + 1,
    )


def _rows(visit: Visit, asked: Asked, found: Any, polls: int) -> dict[str, Any]:
    base = visit.request.path
    here = asked.address(base, cursor=asked.cursor, page=asked.page)
    alive = any(session.get("running") for session in found["sessions"])
    return {
        "asked": asked,
        "base": base,
        "rows": [(session, session_address(base, session)) for session in found["sessions"]],
        "again": f"{here}{'&' if '?' in here else '?'}polls={polls}" if alive and polls else "",
        "given_up": alive and not polls,
        "here": here,
        "next_page": asked.address(base, cursor=found["next_cursor"], page=asked.page + 1)
        if found.get("next_cursor")
        else "",
    }


def _again(visit: Visit) -> int | None:
    """Return how often a list that looks again by itself may still do so."""
    text = visit.query.get("polls", "")
    return min(int(text), _POLLS) if text.isascii() and text.isdigit() and 0 < len(text) < 4 and int(text) else None


def _question(asked: Asked, window: Mapping[str, str], limit: int = _PAGE) -> dict[str, str]:
    cursor = {"cursor": asked.cursor} if asked.cursor else {}
    q = {"q": asked.filter} if asked.filter else {}
    return {"limit": str(limit), "include_running": "true", **q, **cursor, **window}


async def _outside(visit: Visit, asked: Asked, question: Mapping[str, str], found: Any) -> Outside | None:
    if found["count_capped"] or asked.cursor or question.keys().isdisjoint(_WINDOW):
        return None
    everything = await visit.get(API, _question(asked, {}, limit=1))
    count = everything["count"] - found["count"]
    return Outside(count, everything["count_capped"]) if count > 0 else None


def _judged(error: Refused | Invalid) -> Refused:
    if isinstance(error, Refused):
        if error.status != 400:
            raise error
        return error
    return Refused(400, error.message, "", error.validations)


def _pickers(asked: Asked, labels: Any) -> list[dict[str, Any]]:
    """Return the choices, each with what is chosen: that as well when nothing is recorded of it."""
    people = [(each["username"], each) for each in labels["initiators"]]
    plain = {name: [(each["name"], each) for each in labels[kind]] for name, kind in _KINDS.items()}
    pickers = []
    for key, label, everything, options in (
        ("initiator", "User", "Every user", [("me", None), *people] if people else []),
        ("provider_name", "Provider", "Every provider", plain["provider_name"]),
        ("client", "Client", "Every client", plain["client"]),
        ("model", "Model", "Every model", plain["model"]),
    ):
        chosen = asked.says(key)
        usable = [(value, each) for value, each in options if '"' not in value]
        if chosen and chosen not in (value for value, _ in usable):
            usable.insert(0, (chosen, None))
        if usable:
            shown = [(value, _counted(value, each)) for value, each in usable]
            pickers.append({"key": key, "label": label, "all": everything, "chosen": chosen, "options": shown})
    return pickers


_WINDOW: Final = ("started_after", "started_before")
_KINDS: Final = {"provider_name": "providers", "client": "clients", "model": "models"}


def _counted(value: str, label: Any) -> str:
    if label is None:
        return "Me" if value == "me" else value
    return f"{label.get('name') or value} ({label['sessions']}{'+' if label['sessions_capped'] else ''})"


PAGES: Final = tuple(Page("GET", path, _list) for path in PATHS)
