"""How a handler is written down: method, path, function."""

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Any, Literal

from aiohttp import web
from pydantic import BaseModel

from coderai.access.callers import Caller, Origin
from coderai.api.services import Services


@dataclass(frozen=True, slots=True)
class Visit:
    """A request of anybody."""

    request: web.Request
    services: Services
    origin: Origin


@dataclass(frozen=True, slots=True)
class Ask:
    """A request whose sender is known."""

    request: web.Request
    services: Services
    caller: Caller
    known_still: Callable[[], Awaitable[Caller]]
    """Returns who that is by now, for answers that last. Raises NotSignedIn, StoreUnavailable."""


@dataclass(frozen=True, slots=True)
class Open:
    """A handler that answers anybody."""

    call: Callable[[Visit], Awaitable[web.Response]]
    counted: bool = True
    """False for probes, which machines send as often as they like."""


@dataclass(frozen=True, slots=True)
class Signed:
    """A handler that wants to know who asks."""

    call: Callable[[Ask], Awaitable[web.Response]]


@dataclass(frozen=True, slots=True)
class Parameter:
    """What may stand behind the question mark."""

    name: str
    text: str = ""
    kind: Literal["string", "integer", "boolean"] = "string"


PAGE = (
    Parameter("limit", "How many at most: 1 to 1000; 100 when it is missing or 0.", "integer"),
    Parameter("offset", "How many to skip.", "integer"),
)


@dataclass(frozen=True, slots=True)
class About:
    """What the OpenAPI document says of a route and the rest of the table does not know."""

    summary: str
    answer: Any = None
    """The type of the answer's document: a pydantic model, or a type made of such; None for an answer without one."""
    status: int = 200
    body: type[BaseModel] | None = None
    query: tuple[Parameter, ...] = ()
    refusals: tuple[int, ...] = ()
    """Statuses beside those that follow from the rest: 400, 401, 403, 404, 413, 429, 503."""
    content: str = "application/json"


@dataclass(frozen=True, slots=True)
class Route:
    """One row of a table."""

    method: str
    path: str
    handler: Open | Signed
    about: About | None = None

    @property
    def pattern(self) -> str:
        """The path for aiohttp, whose own parts take no braces; clients may have them in the id of a session."""
        return re.sub(r"\{(\w+)\}", r"{\1:[^/]+}", self.path)

    def below(self, prefix: str) -> "Route":
        """Return the same with another beginning."""
        return replace(self, path=prefix + self.path)
