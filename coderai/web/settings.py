"""Every setting of this server with its source. Nothing is changed here: settings are the operator's."""

from typing import Any, Final

from aiohttp import web

from coderai.web.routes import Page
from coderai.web.visiting import Visit


async def _show(visit: Visit) -> web.StreamResponse:
    everything = visit.query.get("all") == "true"
    options = (await visit.get("/api/v2/deployment/config"))["options"]
    groups: dict[str, list[Any]] = {}
    for option in options:
        if everything or option["source"] != "default":
            groups.setdefault(option["group"], []).append(option)
    return visit.page("settings.html", groups=groups, everything=everything, total=len(options))


PAGES: Final = (Page("GET", "/settings", _show),)
