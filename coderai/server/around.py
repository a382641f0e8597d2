"""What is done around everything but calls of models: requests that could be read in two ways, redirects, HSTS."""

import asyncio
import re
from collections.abc import Awaitable, Callable
from typing import Final
from urllib.parse import urlsplit

from aiohttp import HttpVersion10, HttpVersion11, hdrs, web

from coderai.server.connections import refusal
from coderai.settings import Settings

Handler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]

SPOKEN: Final = (HttpVersion11, HttpVersion10)
_HOST: Final = re.compile(r"([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{0,5})?")
_FOR_PROGRAMS: Final = ("/api/", "/healthz", "/readyz")
_LOOKING: Final = ("GET", "HEAD")


def around(handler: Handler, settings: Settings, body_seconds: float = 60.0) -> Handler:
    """Return *handler* with everything before and behind it that the settings want."""
    hsts = _hsts(settings)
    secure = settings.access_url.startswith("https:")
    access_url = settings.access_url if settings.redirect_to_access_url else ""

    async def handled(request: web.BaseRequest) -> web.StreamResponse:
        over_tls = request.secure
        response = _ambiguous(request) or _elsewhere(request, access_url)
        if response is None:
            response = await (
                handler(request) if request.content.is_eof() else _in_time(handler, request, body_seconds)
            )
        if over_tls:
            _secure_cookies(response)
        if hsts and (over_tls or secure) and not response.prepared:
            response.headers.setdefault(hdrs.STRICT_TRANSPORT_SECURITY, hsts)
        return response

    return handled


def _ambiguous(request: web.BaseRequest) -> web.StreamResponse | None:
    """Refuse what the parser lets through, but servers and proxies do not read alike."""
    target = request.raw_path
    if request.version not in SPOKEN:
        return refusal(505)
    if not target.startswith("/") and (target != "*" or request.method != "OPTIONS"):
        return refusal(400, "the target of a request must be a path here")
    if "#" in target:
        return refusal(400, "the target of a request cannot hold a #")
    host = request.headers.get("Host")
    if host is not None and not _HOST.fullmatch(host):
        return refusal(400, "the header Host is no name or address with a port")
    return None


async def _in_time(handler: Handler, request: web.BaseRequest, seconds: float) -> web.StreamResponse:
    """Give up a body that trickles in: here they are small, and anybody may send one. The handler then has its time."""
    loop, content = asyncio.get_running_loop(), request.content

    def give_up() -> None:
        if not content.is_eof():
            limit.reschedule(loop.time())

    try:
        async with asyncio.timeout(None) as limit:
            timer = loop.call_later(seconds, give_up)
            try:
                return await handler(request)
            finally:
                timer.cancel()
    except TimeoutError:
        if not limit.expired():
            raise
        return refusal(408, f"the request body did not come within {seconds:g} s")


def _elsewhere(request: web.BaseRequest, access_url: str) -> web.StreamResponse | None:
    """Send a browser that came to another name, or without TLS, to the *access_url*; programs stay where they are.

    A proxy in front that takes the TLS off says so in ``X-Forwarded-Proto``, and the name that was asked for in
    ``X-Forwarded-Host``. Anybody may say that: all there is to win is not to be sent on.
    """
    if not access_url or request.method not in _LOOKING or request.raw_path.startswith(_FOR_PROGRAMS):
        return None
    there = urlsplit(access_url)
    names = (request.headers.get("X-Forwarded-Host", ""), request.headers.get("Host", ""))
    scheme = request.headers.get("X-Forwarded-Proto", request.scheme).lower()
    if there.netloc.lower() in (name.lower() for name in names) and (there.scheme, scheme) != ("https", "http"):
        return None
    path = request.raw_path.lstrip("/\\")  # "//elsewhere.example.com" would be a host
    headers = {"Location": f"{access_url.rstrip('/')}/{path}", "Cache-Control": "no-store"}
    return web.Response(status=307, headers=headers)


def _secure_cookies(response: web.StreamResponse) -> None:
    """Let no cookie that was given over TLS go without it."""
    for morsel in response.cookies.values():
        morsel["secure"] = True
    given = response.headers.getall(hdrs.SET_COOKIE, ())
    if given and not response.prepared:
        del response.headers[hdrs.SET_COOKIE]
        for cookie in given:
            secured = any(part.strip().lower() == "secure" for part in cookie.split(";"))
            response.headers.add(hdrs.SET_COOKIE, cookie if secured else f"{cookie}; Secure")


def _hsts(settings: Settings) -> str:
    if not settings.strict_transport_security:
        return ""
    options = [f"max-age={settings.strict_transport_security}", *settings.strict_transport_security_options]
    return "; ".join(options)
