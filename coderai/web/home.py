"""``/``: the page that a reader most likely wants."""

from typing import Final

from aiohttp import web

from coderai.access.roles import Right
from coderai.web import welcome
from coderai.web.routes import Page
from coderai.web.visiting import Visit


async def _home(visit: Visit) -> web.StreamResponse:
    if visit.reader.may(Right.KEEP_PROVIDERS) and await welcome.newest(visit) is None:
        return visit.go(welcome.PATH)
    return visit.go("/overview" if visit.reader.may(Right.READ_ALL_RECORDS) else "/aibridge/sessions")


PAGES: Final = (Page("GET", "/", _home),)
