"""The log of what was changed, by whom, from where."""

from typing import Final

from aiohttp import web

from coderai.web.calls import Refused
from coderai.web.routes import Page
from coderai.web.visiting import Visit

_PAGE: Final = 50
ACTIONS: Final = ("", "create", "write", "delete", "login", "logout", "read")


async def _list(visit: Visit) -> web.StreamResponse:
    q, action, after = (visit.query.get(name, "") for name in ("q", "action", "after_id"))
    asked = {"limit": str(_PAGE), "q": q, "action": action, "after_id": after}
    try:
        found = await visit.get("/api/v2/audit", {name: value for name, value in asked.items() if value})
    except Refused as error:
        if error.status != 400:
            raise
        return visit.page("audit.html", 400, entries=[], count=0, q=q, action=action, last="", error=error, later=after)
    entries = found["audit_logs"]
    last = entries[-1]["id"] if len(entries) == _PAGE else ""
    return visit.page(
        "audit.html", entries=entries, count=found["count"], q=q, action=action, last=last, error=None, later=after
    )


PAGES: Final = (Page("GET", "/audit", _list),)
