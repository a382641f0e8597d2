"""Where a request comes from: its address, for the log; and whose page made the browser send it."""

from typing import Final
from urllib.parse import urlsplit

from aiohttp import web

from coderai.access.addresses import TrustedProxies
from coderai.access.callers import Origin
from coderai.errors import Forbidden
from coderai.ids import new_id

_HARMLESS: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_NO_SITE: Final = ("", "", 0)


def origin_of(request: web.Request, proxies: TrustedProxies) -> Origin:
    """Return what is kept of a request's origin; its id is new."""
    return Origin(
        ip=proxies.client(request.remote or "", request.headers),
        user_agent=request.headers.get("User-Agent", ""),
        request_id=new_id(),
    )


def refuse_other_sites(request: web.Request, access_url: str) -> None:
    """Raises Forbidden when a page of another site made a browser send a request that changes something.

    Browsers name the page's site in ``Origin`` (and ``Sec-Fetch-Site``) and no page can alter that. Programs send
    neither. To be asked before a cookie is believed, and before a browser is signed in.
    """
    if request.method in _HARMLESS:
        return
    page = request.headers.get("Origin")
    if page is None:
        ours = request.headers.get("Sec-Fetch-Site", "none") in ("same-origin", "none")
    else:
        # A proxy in front of us may have taken the TLS off: both schemes of our name are ours.
        sites = {_site(f"{scheme}://{request.host}") for scheme in ("http", "https")} | {_site(access_url)}
        ours = _site(page) in sites - {_NO_SITE}
    if not ours:
        raise Forbidden("this request was made by a page of another site; a browser may change things from ours only")


def _site(url: str) -> tuple[str, str, int]:
    try:
        parts = urlsplit(url)
        port = parts.port or {"http": 80, "https": 443}.get(parts.scheme, 0)
        return (parts.scheme, parts.hostname.lower(), port) if parts.hostname else _NO_SITE
    except ValueError:
        return _NO_SITE
