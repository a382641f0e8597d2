"""Signing in with a password or a token, and out again; the choice between light and dark."""

from typing import Final
from urllib.parse import quote

from aiohttp import web

from coderai.errors import CoderaiError
from coderai.web.calls import Refused, Reply, Sender
from coderai.web.routes import Page
from coderai.web.visiting import THEME_COOKIE, THEMES, Visit

_YEAR: Final = 365 * 86_400
_KEPT: Final = "!#$%&'()*+,/:;=?@[]~"
"""What stands for itself in an address."""


async def _show(visit: Visit) -> web.StreamResponse:
    if visit.known is not None:
        return visit.go(_target(visit.query.get("next", "")))
    return await _form(visit, visit.query.get("next", ""))


async def _sign_in(visit: Visit) -> web.StreamResponse:
    fields = await visit.form(marked=False)  # whoever signs in may have done so in another tab meanwhile
    target, named, token = fields.get("next", ""), fields.get("email", "").strip(), fields.get("token", "").strip()
    try:
        if token:
            return await _by_token(visit, token, target)
        return await _by_password(visit, named, fields.get("password", ""), target)
    except Refused as error:
        # "Signed out" is what the API says to an unknown token; here somebody is just coming in.
        reason = error.detail or error.message if error.status == 401 else error.message
        return await _form(visit, target, named, reason=reason, error=error, by_token=bool(token))


async def _by_password(visit: Visit, named: str, password: str, target: str) -> web.StreamResponse:
    reply = await visit.ask("POST", "/api/v2/users/login", document={"email": named, "password": password})
    return _with_cookies(visit.go(_target(target)), reply)


async def _by_token(visit: Visit, token: str, target: str) -> web.StreamResponse:
    sender = Sender.by(token, visit.sender.origin, visit.sender.host)
    if not sender.token:
        raise Refused(401, "this is no token of a gateway")
    reply = await visit.calls.call(sender, "GET", "/api/v2/users/me", {}, None)
    if reply.status == 403:
        raise Refused(403, "This token is for tools: pages open to one with the scope coder:all only.")
    if reply.status != 200:
        raise Refused.of(reply)
    response = visit.go(_target(target))
    visit.cookies.give(response, token)
    return response


async def _sign_out(visit: Visit) -> web.StreamResponse:
    await visit.form()
    response = visit.go("/login", "You are signed out.")
    try:
        await visit.send("POST", "/api/v2/users/logout")
    except CoderaiError:
        # Whatever the API says of the session, the browser shall forget it.
        response = visit.go("/login", "This browser is signed out; the server could not be told.")
    visit.cookies.take(response)
    return response


async def _theme(visit: Visit) -> web.StreamResponse:
    fields = await visit.form()
    response = visit.go(_target(fields.get("next", "")))
    chosen = fields.get("theme", "")
    if chosen in THEMES:
        response.set_cookie(THEME_COOKIE, chosen, path="/", samesite="Lax", max_age=_YEAR, secure=visit.cookies.secure)
    else:
        response.del_cookie(THEME_COOKIE, path="/")
    return response


async def _form(
    visit: Visit,
    target: str,
    named: str = "",
    *,
    reason: str = "",
    error: Refused | None = None,
    by_token: bool = False,
) -> web.Response:
    methods = await visit.get("/api/v2/users/authmethods")
    status = 200 if error is None else error.status
    return visit.page(
        "login.html",
        status,
        next=target,
        named=named,
        reason=reason,
        error=error,
        by_token=by_token,
        passwords=methods["password"]["enabled"],
    )


def _with_cookies(response: web.Response, reply: Reply) -> web.Response:
    for cookie in reply.cookies:
        response.headers.add("Set-Cookie", cookie)
    return response


def _target(path: str) -> str:
    """Return a page of ours, whatever somebody wrote into a link."""
    ours = path.startswith("/") and not path.startswith("//") and "\\" not in path and path.isprintable()
    return quote(path, safe=_KEPT) if ours and not path.startswith(("/login", "/logout")) else "/"


PAGES: Final = (
    Page("GET", "/login", _show, open=True),
    Page("POST", "/login", _sign_in, open=True),
    Page("POST", "/logout", _sign_out),
    Page("POST", "/theme", _theme, open=True),
)
