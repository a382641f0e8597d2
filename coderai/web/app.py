"""The table of pages, and what is done around every one of them."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote

from aiohttp import web

from coderai.access.callers import Origin
from coderai.access.credentials import session_cookie
from coderai.access.sites import refuse_other_sites
from coderai.errors import CoderaiError, Forbidden, Invalid, NotSignedIn
from coderai.observe import logs
from coderai.web import (
    account,
    audit,
    choices,
    connect,
    exports,
    home,
    keys,
    live,
    models,
    overview,
    providers,
    session,
    sessions,
    settings,
    signing_in,
    statics,
    tokens,
    users,
    welcome,
)
from coderai.web.calls import Calls, Refused, Sender
from coderai.web.navigation import Reader
from coderai.web.routes import Page
from coderai.web.visiting import Cookies, Visit

log = logs.get("pages")

HEADERS: Final = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self';"
        " connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
    ),
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}
_LONGEST: Final = 4000
"""Of an address of ours: longer ones would not be read when the browser comes with them."""
_TITLES: Final = {
    400: "This cannot be done",
    403: "This is not allowed",
    404: "There is no such thing",
    409: "This cannot be done now",
    429: "Too many requests",
    503: "The server is not available",
}


@dataclass(frozen=True, slots=True)
class House:
    """What the pages need of the rest of the program."""

    calls: Calls
    cookies: Cookies
    origin: Callable[[web.Request], Origin]
    access_url: str = ""


def pages() -> list[Page]:
    """Return the whole table."""
    table = [*home.PAGES, *signing_in.PAGES, *tokens.PAGES, *account.PAGES, *connect.PAGES]
    return [
        *table,
        *users.PAGES,
        *audit.PAGES,
        *sessions.PAGES,
        *session.PAGES,
        *exports.PAGES,
        *settings.PAGES,
        *keys.PAGES,
        *choices.PAGES,
        *providers.PAGES,
        *models.PAGES,
        *overview.PAGES,
        *live.PAGES,
        *welcome.PAGES,
    ]


def add_pages(app: web.Application, house: House) -> None:
    """Add the pages to *app*. What else it serves is not touched, and neither are its middlewares."""
    for page in pages():
        app.router.add_route(page.method, page.pattern, _guarded(page, house))
        if page.method == "GET":
            app.router.add_route("HEAD", page.pattern, _guarded(page, house))
    nowhere = Page("GET", "/{nowhere:(?!api/).*}", _nowhere, open=True)
    for method in ("GET", "HEAD"):
        app.router.add_route(method, statics.PREFIX + "{version}/{name}", statics.serve)
        app.router.add_route(method, nowhere.path, _guarded(nowhere, house))


async def _nowhere(visit: Visit) -> web.StreamResponse:
    return _sorry(visit, 404, "There is no such page", "The address may be mistyped, or the page was moved.")


def _guarded(page: Page, house: House) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    async def guarded(request: web.Request) -> web.StreamResponse:
        sender = Sender.by(session_cookie(request.cookies), house.origin(request), request.host)
        visit = Visit(request, sender, house.calls, house.cookies)
        try:
            refuse_other_sites(request.method, request.headers, request.host, house.access_url)
            if sender.token:
                await _recognise(visit)
            response = await page.handler(visit) if page.open or visit.known else _to_sign_in(visit)
        except CoderaiError as error:
            response = _refused(visit, error)
        except web.HTTPException:
            raise
        except Exception as error:  # noqa: BLE001 - the top of a request: logged with its traceback, told as a 500
            log.error("page failed", exception=error, path=request.path, request_id=sender.origin.request_id)
            response = _sorry(visit, 500, "The server made a mistake", f"Request {sender.origin.request_id}.")
        if not response.prepared:
            for name, value in HEADERS.items():
                response.headers.setdefault(name, value)
        return response

    return guarded


async def _recognise(visit: Visit) -> None:
    """A token that does not work any more, or not for pages, is as good as none."""
    try:
        visit.known = Reader.of(await visit.get("/api/v2/users/me"))
    except Refused as error:
        if error.status not in (401, 403):
            raise


def _to_sign_in(visit: Visit) -> web.Response:
    target = f"/login?next={quote(visit.here, safe='')}" if visit.here != "/" else "/login"
    target = target if len(target) <= _LONGEST else "/login"
    if visit.request.headers.get("HX-Request"):  # a part of a page: the whole of it has to go
        return web.Response(status=204, headers={"HX-Redirect": "/login"})
    response = web.Response(status=303, headers={"Location": target})
    if visit.sender.token:
        visit.cookies.take(response)
    return response


def _refused(visit: Visit, error: CoderaiError) -> web.Response:
    match error:
        case NotSignedIn():
            return _to_sign_in(visit)
        case Refused() if error.status == 401:
            return _to_sign_in(visit)
        case Refused():
            wrong = "; ".join(f"{field}: {detail}" for field, detail in error.validations)
            text = ". ".join(part for part in (error.message.rstrip("."), error.detail, wrong) if part)
            return _sorry(visit, error.status, _TITLES.get(error.status, "This did not work"), text)
        case Forbidden():
            return _sorry(visit, 403, _TITLES[403], str(error))
        case Invalid():
            return _sorry(visit, 400, _TITLES[400], error.message)
        case _:
            return _sorry(visit, 503, _TITLES[503], str(error))


def _sorry(visit: Visit, status: int, title: str, text: str) -> web.Response:
    return visit.page("sorry.html", status, title=title, text=text)
