"""What is checked around every handler of the management API."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from aiohttp import web

from coderai.access.addresses import NOBODY, TrustedProxies
from coderai.access.callers import Caller
from coderai.access.credentials import SESSION_COOKIE
from coderai.access.rates import Rate
from coderai.access.roles import OWNER
from coderai.errors import Busy, Forbidden

_BYPASS: Final = "X-Coder-Bypass-Ratelimit"
PER_MINUTE: Final = 512


@dataclass(frozen=True, slots=True)
class Doors:
    """Limits and beliefs of one listener."""

    proxies: TrustedProxies = NOBODY
    rate: Rate = field(default_factory=lambda: Rate(PER_MINUTE))
    """Requests per minute, by user (or address where nobody is signed in) and route."""
    clock: Callable[[], float] = time.monotonic

    def count(self, who: str, route: str) -> None:
        """Count one request. Raises Busy."""
        wait = self.rate.take((who, route), self.clock())
        if wait:
            text = f"more requests than allowed; the next one can be made in {wait} s (see --api-rate-limit)"
            raise Busy(text, 429, wait)

    def count_of(self, caller: Caller, request: web.Request, route: str) -> None:
        """Count one of *caller*; an owner may ask not to be counted. Raises Busy, Forbidden."""
        if request.headers.get(_BYPASS, "").lower() == "true":
            if OWNER not in caller.roles:
                raise Forbidden(f"only owners may send {_BYPASS}")
            return
        self.count(caller.user_id, route)


@dataclass(frozen=True, slots=True)
class CookieRules:
    """How the cookie of a session is set, by settings; scripts never see it."""

    secure: bool = False
    same_site: str = "lax"
    """``lax`` or ``none``; browsers take the latter only together with *secure*."""

    def give(self, response: web.Response, token: str) -> None:
        """The browser forgets it when it is closed; how long it is good for is the server's to say."""
        response.set_cookie(
            SESSION_COOKIE, token, path="/", httponly=True, secure=self.secure, samesite=self.same_site.capitalize()
        )

    def take(self, response: web.Response) -> None:
        """Let the browser forget it."""
        response.del_cookie(
            SESSION_COOKIE, path="/", httponly=True, secure=self.secure, samesite=self.same_site.capitalize()
        )
