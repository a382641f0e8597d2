"""One visit to one page: what was asked, by whom, what the API says to it, and the answer."""

import asyncio
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from hashlib import sha256
from typing import Any, Final, Protocol
from urllib.parse import parse_qsl, quote, unquote, urlsplit

from aiohttp import web
from aiohttp.web_protocol import RequestPayloadError
from multidict import MultiDict, MultiMapping

from coderai.errors import Forbidden, Invalid, NotSignedIn
from coderai.web.calls import NO_QUERY, Calls, Query, Refused, Reply, Sender
from coderai.web.navigation import Reader
from coderai.web.rendering import render

_NOTICE: Final = "coderai_notice"
"""What a form has done, told by the page that comes next."""
_NOTICE_SECONDS: Final = 30
THEME_COOKIE: Final = "coderai_theme"
THEMES: Final = ("light", "dark")
_FORM_BYTES: Final = 1 << 20
_FORM_FIELDS: Final = 1000
_FORM_TYPE: Final = "application/x-www-form-urlencoded"


class Cookies(Protocol):
    """How the cookie of a session is set. See ``api.doors.CookieRules``."""

    @property
    def secure(self) -> bool: ...

    def give(self, response: web.Response, token: str) -> None: ...

    def take(self, response: web.Response) -> None: ...


def quoted(name: str) -> str:
    """Return *name* for use as one part of a path of the API. Raises Refused: no path can have such a part."""
    if name in ("", ".", ".."):
        raise Refused(404, "There is no such thing")
    return quote(name, safe="")


@dataclass(slots=True)
class Visit:
    """What a page's function gets."""

    request: web.Request
    sender: Sender
    calls: Calls
    cookies: Cookies
    known: Reader | None = field(default=None)

    @property
    def reader(self) -> Reader:
        """Raises NotSignedIn on an open page that nobody is signed in to."""
        if self.known is None:
            raise NotSignedIn("nobody is signed in")
        return self.known

    @property
    def query(self) -> MultiMapping[str]:
        return self.request.query

    @property
    def here(self) -> str:
        """The address of the page that is seen: of a form that was sent, the page on which it stands."""
        if self.request.method in ("GET", "HEAD"):
            return self.request.path_qs
        page = urlsplit(self.request.headers.get("Referer", ""))
        return (page.path + f"?{page.query}" * bool(page.query)) if page.netloc == self.request.host else "/"

    def part(self, name: str) -> str:
        """Return a part of the address, quoted for use in a path of the API. Raises Refused."""
        return quoted(self.request.match_info[name])

    async def get(self, path: str, query: Query = NO_QUERY) -> Any:
        """Return the API's document. Raises Refused."""
        return (await self.ask("GET", path, query)).document()

    async def send(self, method: str, path: str, document: Any = None) -> Any:
        """Change something by the API, and return its document. Raises Refused."""
        return (await self.ask(method, path, document=document)).document()

    async def ask(self, method: str, path: str, query: Query = NO_QUERY, document: Any = None) -> Reply:
        """Return the API's answer. Raises Refused."""
        reply = await self.calls.call(self.sender, method, path, query, document)
        if reply.status >= 300:
            raise Refused.of(reply)
        return reply

    async def form(self, *, marked: bool = True) -> MultiMapping[str]:
        """Return the fields of a form of ours. Raises Invalid, and Forbidden for a form of somebody else.

        Forms of open pages are not *marked*: that other sites cannot send them either is seen by their origin.
        """
        if self.request.content_length is None:
            raise Invalid("the form does not say its length; browsers do")
        if self.request.content_length > _FORM_BYTES:
            raise Invalid("the form is too large; it may have 1 MiB")
        if self.request.content_length and self.request.content_type != _FORM_TYPE:
            raise Invalid(f"the form must be {_FORM_TYPE}")
        try:
            text = (await self.request.read()).decode("utf-8", "replace")
            fields = MultiDict(parse_qsl(text, keep_blank_values=True, max_num_fields=_FORM_FIELDS))
        except (RequestPayloadError, ConnectionError) as error:
            raise Invalid("the form did not come whole") from error
        except ValueError as error:
            raise Invalid(f"the form has too many fields; it may have {_FORM_FIELDS}") from error
        if not marked or self.known is None:
            return fields
        if not hmac.compare_digest(fields.get("csrf", "").encode(), self.csrf.encode()):
            raise Forbidden("this form is too old, or was made by another site; load the page again, and repeat")
        return fields

    @property
    def csrf(self) -> str:
        """What our forms carry and no other site can know: made of the session's token."""
        return hmac.new(self.sender.token.encode(), b"forms of our pages", sha256).hexdigest()[:32]

    def page(self, template: str, status: int = 200, /, **values: Any) -> web.Response:
        """Return a page; the template sees *values*, and what ``base.html`` needs."""
        response = web.Response(
            text=render(template, {**self._frame(), **values}), status=status, content_type="text/html", charset="utf-8"
        )
        if _NOTICE in self.request.cookies and not self.request.headers.get("HX-Request"):  # a part tells no notices
            response.del_cookie(_NOTICE, path="/")
        return response

    async def large_page(self, template: str, status: int = 200, **values: Any) -> web.Response:
        """Return a page that takes a while to make: beside the loop, so that calls of models are not held up."""
        return await asyncio.to_thread(partial(self.page, template, status, **values))

    async def all(self, *questions: tuple[str, Query]) -> list[Any]:
        """Return the API's documents for several paths, asked at the same time. Raises Refused."""
        try:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(self.get(*question), name=question[0]) for question in questions]
        except ExceptionGroup as errors:
            raise errors.exceptions[0] from None
        return [task.result() for task in tasks]

    def go(self, path: str, notice: str = "") -> web.Response:
        """Send the browser to another page of ours, which tells what was done."""
        response = web.Response(status=303, headers={"Location": path})
        if notice:
            response.set_cookie(
                _NOTICE,
                quote(notice[:500]),
                path="/",
                httponly=True,
                samesite="Lax",
                max_age=_NOTICE_SECONDS,
                secure=self.cookies.secure,
            )
        return response

    def _frame(self) -> Mapping[str, Any]:
        theme = self.request.cookies.get(THEME_COOKIE, "")
        return {
            "reader": self.known,
            "path": self.request.path,
            "query": self.request.query,
            "here_again": self.here,
            "csrf": self.csrf if self.known else "",
            "notice": unquote(self.request.cookies.get(_NOTICE, "")),
            "theme": theme if theme in THEMES else "",
        }
