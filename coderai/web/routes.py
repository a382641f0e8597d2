"""How a page is written down: method, path, function."""

import re
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

    @property
    def pattern(self) -> str:
        """The path for aiohttp, whose own parts take no braces; clients may have them in the id of a session."""
        return re.sub(r"\{(\w+)\}", r"{\1:[^/]+}", self.path)
