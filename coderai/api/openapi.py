"""The OpenAPI 3.1 document, made from the table of routes and the types of bodies and answers."""

import re
from collections.abc import Iterable, Sequence
from functools import cache
from typing import Any, Final

from aiohttp import web
from pydantic import TypeAdapter

from coderai import __version__
from coderai.api.answers import answer
from coderai.api.documents import Refusal
from coderai.api.openapi_page import HEADERS, page
from coderai.api.routes import About, Open, Parameter, Route, Visit

PATH: Final = "/api/v2/openapi.json"
PAGE_PATH: Final = "/api/v2/docs"

_REFUSALS: Final = {
    400: "Something in the request is wrong; `validations` names the fields.",
    401: "No token, or one that does not work (any more).",
    403: "Signed in, but not allowed.",
    404: "There is no such thing, or the caller may not see it.",
    409: "The name is taken, or the thing is not in the right state.",
    413: "The request body is too large.",
    429: "Too many requests; `Retry-After` says when to come back.",
    502: "The provider did not answer.",
    503: "The database is not available.",
}
_PARTS: Final = re.compile(r"\{(\w+)(?::[^}]*)?\}")
_REFS: Final = "#/components/schemas/{model}"


def routes_about(table: Sequence[Route]) -> Sequence[Route]:
    """Return the routes that describe *table*, and themselves."""

    @cache
    def made() -> dict[str, Any]:
        return document([*table, *ours])

    async def as_json(_visit: Visit) -> web.Response:
        return answer(made())

    async def as_page(_visit: Visit) -> web.Response:
        return web.Response(text=page(made()), content_type="text/html", charset="utf-8", headers=HEADERS)

    ours = (
        Route("GET", PATH, Open(as_json), About("This description of the API, as OpenAPI 3.1", dict[str, Any])),
        Route("GET", PAGE_PATH, Open(as_page), About("The same for people", str, content="text/html")),
    )
    return ours


def document(table: Iterable[Route]) -> dict[str, Any]:
    """Return the description of *table*."""
    rows = [(route, route.about or About(_undescribed(route), dict[str, Any])) for route in table]
    types: list[tuple[str, Any, Any]] = [("refusal", "serialization", TypeAdapter(Refusal))]
    for position, (_, about) in enumerate(rows):
        if about.body is not None:
            types.append((f"body {position}", "validation", TypeAdapter(about.body)))
        if about.answer is not None:
            types.append((f"answer {position}", "serialization", TypeAdapter(about.answer)))
    schemas, definitions = TypeAdapter.json_schemas(types, ref_template=_REFS)
    shapes = {key: schema for (key, _), schema in schemas.items()}
    paths: dict[str, dict[str, Any]] = {}
    for position, (route, about) in enumerate(rows):
        operation = _operation(route, about, shapes.get(f"body {position}"), shapes.get(f"answer {position}"), shapes)
        paths.setdefault(_PARTS.sub(r"{\1}", route.path), {})[route.method.lower()] = operation
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "coderai",
            "version": __version__,
            "summary": "The management API of an open AI gateway.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "paths": paths,
        "components": {"schemas": definitions.get("$defs", {}), "securitySchemes": _SECURITY},
    }


_SECURITY: Final = {
    "token": {"type": "apiKey", "in": "header", "name": "Coder-Session-Token"},
    "bearer": {"type": "http", "scheme": "bearer"},
    "cookie": {"type": "apiKey", "in": "cookie", "name": "coder_session_token"},
}


def _operation(route: Route, about: About, body: Any, answered: Any, shapes: dict[str, Any]) -> dict[str, Any]:
    parts = _PARTS.findall(route.path)
    operation: dict[str, Any] = {
        "summary": about.summary,
        "operationId": _id(route),
        "tags": [_tag(route.path)],
        "parameters": [*map(_path_part, parts), *map(_query_part, about.query)],
        "responses": _responses(route, about, answered, shapes["refusal"]),
    }
    if body is not None:
        operation["requestBody"] = {"required": True, "content": {"application/json": {"schema": body}}}
    if not isinstance(route.handler, Open):
        operation["security"] = [{name: []} for name in _SECURITY]
    return operation


def _responses(route: Route, about: About, answered: Any, refusal: Any) -> dict[str, Any]:
    told = {"application/json": {"schema": refusal}}
    well: dict[str, Any] = {"description": "Done."}
    if answered is not None:
        well["content"] = {about.content: {"schema": answered}}
    responses = {str(about.status): well}
    for status in sorted(_statuses(route, about)):
        responses[str(status)] = {"description": _REFUSALS[status], "content": told}
    if route.about is None:
        responses["default"] = {"description": "Not described yet."}
    return responses


def _statuses(route: Route, about: About) -> set[int]:
    statuses = {403, 429, 503, *about.refusals}  # 403: also for what a page of another site sends
    if not isinstance(route.handler, Open):
        statuses |= {401}
    if "{" in route.path:
        statuses |= {404}
    if about.body is not None:
        statuses |= {400, 413}
    if about.query:
        statuses |= {400}
    return statuses


def _path_part(name: str) -> dict[str, Any]:
    texts = {"user": "An id, a username, or `me`."}
    schema = {"type": "string", "minLength": 1}
    return {"name": name, "in": "path", "required": True, "schema": schema, "description": texts.get(name, "")}


def _query_part(parameter: Parameter) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": parameter.kind}
    if parameter.kind == "integer":
        schema["minimum"] = 0
    return {"name": parameter.name, "in": "query", "description": parameter.text, "schema": schema}


def _id(route: Route) -> str:
    words = re.findall(r"\w+", route.path.removeprefix("/api/v2"))
    return "-".join([route.method.lower(), *words]) + ("-" if route.path.endswith("/") else "")


def _tag(path: str) -> str:
    """Group by noun: the last word that names a collection."""
    words = [word for word in path.split("/") if word and "{" not in word and word not in ("api", "v2", "experimental")]
    if "keys" in words and "users" in words:
        return "tokens"
    if words[:1] in (["aibridge"], ["ai-gateway"]):
        return "records"
    if words[:2] == ["ai", "providers"]:
        return "providers"
    return words[0] if len(words) > 1 or words[:1] in (["users"], ["audit"]) else "server"


def _undescribed(route: Route) -> str:
    return f"{route.method} {route.path}"
