"""Whose page made a browser send a request."""

from collections.abc import Mapping
from typing import Final
from urllib.parse import urlsplit

from coderai.errors import Forbidden

_HARMLESS: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_NO_SITE: Final = ("", "", 0)


def refuse_other_sites(method: str, headers: Mapping[str, str], host: str, access_url: str) -> None:
    """Raises Forbidden when a page of another site made a browser send a request that changes something.

    *headers* must look names up ignoring case; *host* is the name that the request called us by. Browsers name the
    page's site in ``Origin`` (and ``Sec-Fetch-Site``) and no page can alter that. Programs send neither. To be asked
    before a cookie is believed, and before a browser is signed in.
    """
    if method in _HARMLESS:
        return
    page = headers.get("Origin")
    if page is None:
        ours = headers.get("Sec-Fetch-Site", "none") in ("same-origin", "none")
    else:
        # A proxy in front of us may have taken the TLS off: both schemes of our name are ours.
        sites = {_site(f"{scheme}://{host}") for scheme in ("http", "https")} | {_site(access_url)}
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
