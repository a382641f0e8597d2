"""How a handler is written down: method, path, function."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

from aiohttp import web

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


@dataclass(frozen=True, slots=True)
class Open:
    """A handler that answers anybody."""

    call: Callable[[Visit], Awaitable[web.Response]]


@dataclass(frozen=True, slots=True)
class Signed:
    """A handler that wants to know who asks."""

    call: Callable[[Ask], Awaitable[web.Response]]


@dataclass(frozen=True, slots=True)
class Route:
    """One row of a table."""

    method: str
    path: str
    handler: Open | Signed

    def below(self, prefix: str) -> "Route":
        """Return the same with another beginning."""
        return replace(self, path=prefix + self.path)
