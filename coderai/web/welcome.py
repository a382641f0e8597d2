"""From nothing to the first recorded session: what is done, what is next. It looks again by itself, for a while."""

from typing import Any, Final

from aiohttp import web

from coderai.access.roles import Right
from coderai.web.routes import Page
from coderai.web.sessions import session_address
from coderai.web.visiting import Visit

PATH: Final = "/welcome"
_POLLS: Final = 300
"""Every three seconds."""
_SESSIONS: Final = "/api/v2/aibridge/sessions"
_NEWEST: Final = {"limit": "1", "include_running": "true"}


async def newest(visit: Visit) -> Any:
    """Return the session that was active last; None while nothing is recorded."""
    found = (await visit.get(_SESSIONS, _NEWEST))["sessions"]
    return found[0] if found else None


async def _welcome(visit: Visit) -> web.StreamResponse:
    door, tokens = await visit.all(("/api/v2/aibridge/clients/setup", {}), ("/api/v2/users/me/keys/tokens", {}))
    session = await newest(visit)
    polls = _left(visit.query.get("polls", ""))
    usable = [each for each in door["providers"] if each["state"] == "enabled"]
    return visit.page(
        "welcome.html",
        door=door,
        providers=usable,
        tokens=tokens,
        session=session,
        session_page=session_address("/aibridge/sessions", session) if session else "",
        again=f"{PATH}?polls={polls - 1}" if polls and not session else "",
        given_up=not polls and not session,
        keeps_providers=visit.reader.may(Right.KEEP_PROVIDERS),
        sees_all=visit.reader.may(Right.READ_ALL_RECORDS),
    )


def _left(text: str) -> int:
    return min(int(text), _POLLS) if text.isascii() and text.isdigit() and len(text) < 4 else _POLLS


PAGES: Final = (Page("GET", PATH, _welcome),)
