"""How a page is written down: method, path, function."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from aiohttp import web

from coderai.web.visiting import Visit

Handler = Callable[[Visit], Awaitable[web.StreamResponse]]


@dataclass(frozen=True, slots=True)
class Page:
    """One row of a table of pages."""

    method: str
    path: str
    handler: Handler
    open: bool = False
    """Shown to people who are not signed in."""
