"""The table of routes, and what is done around every handler."""

from collections.abc import Awaitable, Callable, Iterable
from typing import Final

from aiohttp import web

from coderai.access.callers import Caller
from coderai.access.credentials import management_token
from coderai.api import gateway, health, records, tokens, users
from coderai.api.errors import fault, http_refusal, refusal
from coderai.api.routes import Ask, Open, Route, Signed
from coderai.api.services import Services
from coderai.control.authority import TokenAuthority, local_owner
from coderai.errors import CoderaiError, NotSignedIn

__all__ = ["PREFIXES", "Identify", "Services", "add_routes"]

PREFIXES: Final = ("/api/v2/aibridge", "/api/v2/ai-gateway")
"""The records are found under both; what else lies below them is the data plane."""

Handler = Callable[[web.Request], Awaitable[web.Response]]
Identify = Callable[[web.Request], Awaitable[Caller]]
"""Says who asks. Raises NotSignedIn."""


def add_routes(
    app: web.Application, services: Services, *, authority: TokenAuthority | None = None, private: bool = False
) -> None:
    """Add the management API to *app*, before anything that matches more.

    On a *private* socket everybody is the local owner; elsewhere the *authority* knows the tokens.
    """
    identify = _by_socket(services) if private or authority is None else _by_token(authority)
    table = [*health.ROUTES, *users.ROUTES, *tokens.ROUTES]
    table += [route.below(prefix) for prefix in PREFIXES for route in (*records.ROUTES, *gateway.ROUTES)]
    if private:
        table += users.PRIVATE_ROUTES
    by_path: dict[str, list[Route]] = {}
    for route in table:
        by_path.setdefault(route.path, []).append(route)
    for path, routes in by_path.items():
        resource = app.router.add_resource(path)
        for route in routes:
            handler = _guarded(route.handler, services, identify)
            resource.add_route(route.method, handler)
            if route.method == "GET":
                resource.add_route("HEAD", handler)
        resource.add_route("*", _other_methods(route.method for route in routes))
    app.middlewares.append(_unmatched)


def _by_token(authority: TokenAuthority) -> Identify:
    async def identify(request: web.Request) -> Caller:
        token = management_token(request.headers, request.cookies, request.query)
        if not token:
            raise NotSignedIn("no token was sent; send one as Coder-Session-Token or as bearer token")
        return await authority.sign_in(token)

    return identify


def _by_socket(services: Services) -> Identify:
    async def identify(_request: web.Request) -> Caller:
        return await local_owner(services.store)

    return identify


def _guarded(
    handler: Open | Signed, services: Services, identify: Identify
) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def guarded(request: web.Request) -> web.Response:
        try:
            if isinstance(handler, Open):
                return await handler.call(request, services)
            return await handler.call(Ask(request, services, await identify(request)))
        except CoderaiError as error:
            return refusal(error)
        except web.HTTPException as error:
            return http_refusal(error)
        except Exception:  # noqa: BLE001 - the top of a request: logged with its traceback, told as a 500
            return fault(request)

    return guarded


def _other_methods(known: Iterable[str]) -> Handler:
    allowed = set(known)
    if "GET" in allowed:
        allowed.add("HEAD")

    async def refuse(request: web.Request) -> web.Response:
        return http_refusal(
            web.HTTPMethodNotAllowed(request.method, allowed | ({"HEAD"} if "GET" in allowed else set()))
        )

    return refuse


@web.middleware
async def _unmatched(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """Say in JSON that there is no such route; everything that has one passes untouched."""
    if request.match_info.http_exception is not None:
        return http_refusal(request.match_info.http_exception)
    return await handler(request)
