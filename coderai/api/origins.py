"""Where a request comes from: its address, for the log; and whose page made the browser send it."""

from aiohttp import web

from coderai.access import sites
from coderai.access.addresses import TrustedProxies
from coderai.access.callers import Origin
from coderai.ids import new_id


def origin_of(request: web.Request, proxies: TrustedProxies) -> Origin:
    """Return what is kept of a request's origin; its id is new."""
    return Origin(
        ip=proxies.client(request.remote or "", request.headers),
        user_agent=request.headers.get("User-Agent", ""),
        request_id=new_id(),
    )


def refuse_other_sites(request: web.Request, access_url: str) -> None:
    """Raises Forbidden. See ``access.sites``."""
    sites.refuse_other_sites(request.method, request.headers, request.host, access_url)
