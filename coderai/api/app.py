"""The table of routes, and what is done around every handler."""

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import replace
from functools import partial
from typing import Final

from aiohttp import web

from coderai.access.credentials import management_token, session_cookie
from coderai.api import (
    audit,
    deployment,
    gateway,
    health,
    health_of_providers,
    live,
    models,
    openapi,
    overrides,
    personal_keys,
    providers,
    proxy,
    records,
    signing_in,
    tokens,
    upkeep,
    usage,
    users,
)
from coderai.api.errors import fault, http_refusal, refusal
from coderai.api.origins import origin_of, refuse_other_sites
from coderai.api.routes import Ask, Open, Route, Signed, Visit
from coderai.api.services import Services
from coderai.control.authority import TokenAuthority, local_owner
from coderai.errors import CoderaiError, NotSignedIn

__all__ = ["PREFIXES", "Services", "add_routes", "routes"]

PREFIXES: Final = ("/api/v2/aibridge", "/api/v2/ai-gateway")
"""The records are found under both; what else lies below them is the data plane."""

Handler = Callable[[web.Request], Awaitable[web.Response]]
Visited = Callable[[Visit], Awaitable[web.Response]]
Around = Callable[[Route], Visited]
"""Puts what a listener checks before a route's handler."""


def routes(*, private: bool = False) -> list[Route]:
    """Return the whole table, in the order in which it is looked through."""
    table = [*health.ROUTES, *users.ROUTES, *signing_in.ROUTES, *tokens.ROUTES, *providers.ROUTES, *audit.ROUTES]
    table += [*models.ROUTES, *overrides.ROUTES, *personal_keys.ROUTES, *usage.ROUTES, *upkeep.ROUTES]
    table += [*records.LABELS, *live.ROUTES, *health_of_providers.ROUTES]
    table += deployment.ROUTES
    table += [route.below(prefix) for prefix in PREFIXES for route in (*records.ROUTES, *gateway.ROUTES, *proxy.ROUTES)]
    table += users.PRIVATE_ROUTES if private else ()
    return [*table, *openapi.routes_about(table)]


def add_routes(
    app: web.Application, services: Services, *, authority: TokenAuthority | None = None, private: bool = False
) -> None:
    """Add the management API to *app*, before anything that matches more.

    On a *private* socket everybody is the local owner; elsewhere the *authority* knows the tokens.
    """
    around = _at_home(services) if private or authority is None else _in_public(services, authority)
    by_path: dict[str, list[Route]] = {}
    for route in routes(private=private):
        by_path.setdefault(route.pattern, []).append(route)
    for path, same_path in by_path.items():
        resource = app.router.add_resource(path)
        for route in same_path:
            handler = _guarded(around(route), services)
            resource.add_route(route.method, handler)
            if route.method == "GET":
                resource.add_route("HEAD", handler)
        resource.add_route("*", _other_methods(route.method for route in same_path))
    app.middlewares.append(_unmatched)
    app.on_shutdown.append(_dismissing(services))


def _dismissing(services: Services) -> Callable[[web.Application], Awaitable[None]]:
    async def dismiss(_app: web.Application) -> None:
        services.audience.dismiss()

    return dismiss


def _in_public(services: Services, authority: TokenAuthority) -> Around:
    """Anybody may knock: who comes in has a token, does not come too often, and was not sent by another site."""
    doors = services.doors

    def around(route: Route) -> Visited:
        name, handler = f"{route.method} {route.path}", route.handler

        async def opened(visit: Visit) -> web.Response:
            assert isinstance(handler, Open)
            if handler.counted:
                doors.count(visit.origin.ip, name)
            refuse_other_sites(visit.request, services.access_url)
            return await handler.call(visit)

        async def signed(visit: Visit) -> web.Response:
            request = visit.request
            if session_cookie(request.cookies):
                refuse_other_sites(request, services.access_url)
            token = management_token(request.headers, request.cookies, request.query)
            try:
                if not token:
                    raise NotSignedIn("no token was sent; send one as Coder-Session-Token or as bearer token")
                caller = await authority.sign_in(token)
            except NotSignedIn:
                doors.count(visit.origin.ip, name)
                raise
            doors.count_of(caller, request, name)
            assert isinstance(handler, Signed)
            still = partial(authority.known, token)
            return await handler.call(Ask(request, services, replace(caller, origin=visit.origin), still))

        return opened if isinstance(handler, Open) else signed

    return around


def _at_home(services: Services) -> Around:
    """Who can open the socket is the local owner."""

    def around(route: Route) -> Visited:
        handler = route.handler

        async def answered(visit: Visit) -> web.Response:
            if isinstance(handler, Open):
                return await handler.call(visit)
            caller = await local_owner(services.store)
            still = partial(local_owner, services.store)
            return await handler.call(Ask(visit.request, services, replace(caller, origin=visit.origin), still))

        return answered

    return around


def _guarded(visited: Visited, services: Services) -> Handler:
    async def guarded(request: web.Request) -> web.Response:
        origin = origin_of(request, services.doors.proxies)
        try:
            response = await visited(Visit(request, services, origin))
        except CoderaiError as error:
            response = refusal(error)
        except web.HTTPException as error:
            response = http_refusal(error)
        except Exception:  # noqa: BLE001 - the top of a request: logged with its traceback, told as a 500
            response = fault(request, origin.request_id)
        response.headers["X-Request-Id"] = origin.request_id
        return response

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
