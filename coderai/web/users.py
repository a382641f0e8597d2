"""Users: who there is, what they may do, and letting them in or not."""

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import quote

from aiohttp import web
from multidict import MultiMapping

from coderai.access.roles import ROLES, Right
from coderai.web.calls import Refused
from coderai.web.routes import Page
from coderai.web.visiting import Visit

_PAGE: Final = 50
_ERASE_CALLS: Final = 6
"""Each takes some seconds at most."""
_STATUSES: Final = ("", "active", "dormant", "suspended")
_NEW: Final = ("username", "email", "name", "password", "roles", "service_account")


async def _list(visit: Visit) -> web.StreamResponse:
    q, status, offset = visit.query.get("q", ""), visit.query.get("status", ""), visit.query.get("offset", "0")
    asked = {
        "limit": str(_PAGE),
        "offset": offset,
        "q": f"{q} status:{status}".strip() if status in _STATUSES[1:] else q,
    }
    values: dict[str, Any] = {"q": q, "chosen": status, "statuses": _STATUSES}
    try:
        found = await visit.get("/api/v2/users", asked)
    except Refused as error:
        if error.status != 400:
            raise
        return visit.page("users.html", 400, users=[], count=0, start=0, error=error, size=_PAGE, **values)
    start = int(offset) if offset.isdecimal() else 0
    return visit.page(
        "users.html", users=found["users"], count=found["count"], start=start, error=None, size=_PAGE, **values
    )


async def _add(visit: Visit) -> web.StreamResponse:
    return _form(visit, visit.query)


async def _create(visit: Visit) -> web.StreamResponse:
    fields = await visit.form()
    document: dict[str, Any] = {name: fields.get(name, "").strip() for name in ("username", "email", "name")}
    document |= {"roles": fields.getall("roles", []), "service_account": bool(fields.get("service_account"))}
    if password := fields.get("password", ""):
        document["password"] = password
    try:
        user = await visit.send("POST", "/api/v2/users", {key: value for key, value in document.items() if value})
    except Refused as error:
        return _form(visit, fields, error)
    return visit.go(f"/users/{user['id']}", f"{user['username']} is added.")


async def _show(visit: Visit) -> web.StreamResponse:
    return await _user(visit)


async def _save_profile(visit: Visit) -> web.StreamResponse:
    fields = await visit.form()
    document = {name: fields.get(name, "").strip() for name in ("username", "name", "email") if name in fields}
    return await _change(visit, "PUT", "/profile", document, "profile", "The profile is saved.")


async def _save_roles(visit: Visit) -> web.StreamResponse:
    fields = await visit.form()
    return await _change(visit, "PUT", "/roles", {"roles": fields.getall("roles", [])}, "roles", "The roles are saved.")


async def _save_password(visit: Visit) -> web.StreamResponse:
    fields = await visit.form()
    document = {"password": fields.get("password", "")}
    return await _change(visit, "PUT", "/password", document, "password", "The password is set.")


async def _suspend(visit: Visit) -> web.StreamResponse:
    await visit.form()
    told = "Suspended: every token and session is refused from now on."
    return await _change(visit, "PUT", "/status/suspend", None, "status", told)


async def _activate(visit: Visit) -> web.StreamResponse:
    await visit.form()
    return await _change(visit, "PUT", "/status/activate", None, "status", "Active again.")


async def _delete(visit: Visit) -> web.StreamResponse:
    await visit.form()
    told = "The user is deleted; what was recorded stays."
    return await _change(visit, "DELETE", "", None, "status", told, then="/users")


async def _erase(visit: Visit) -> web.StreamResponse:
    await visit.form()
    path = f"/api/v2/users/{visit.part('user')}/erase"
    try:
        for _ in range(_ERASE_CALLS):
            erasure = await visit.send("POST", path, {})
            if erasure["done"] and not erasure["running"]:
                return visit.go("/users", "Erased: account, name and contents are gone; the counts stay.")
    except Refused as error:
        if error.status not in (400, 403, 409):
            raise
        return await _user(visit, "status", error)
    told = f"The account is gone; contents are still being erased. Go on with: coderai users erase {erasure['user_id']}"
    return visit.go("/users", told)


async def _change(
    visit: Visit, method: str, what: str, document: Mapping[str, Any] | None, form: str, told: str, then: str = ""
) -> web.Response:
    """Ask the API; a refusal is shown at the *form* that asked."""
    try:
        await visit.send(method, f"/api/v2/users/{visit.part('user')}{what}", document)
    except Refused as error:
        if error.status not in (400, 403, 409):
            raise
        return await _user(visit, form, error, document or {})
    return visit.go(then or f"/users/{quote(visit.request.match_info['user'], safe='')}", told)


async def _user(
    visit: Visit, form: str = "", error: Refused | None = None, given: Mapping[str, Any] | None = None
) -> web.Response:
    user = await visit.get(f"/api/v2/users/{visit.part('user')}")
    return visit.page(
        "users_one.html",
        200 if error is None else error.status,
        user=user,
        wrong={form: error} if error else {},
        given=given if form == "profile" and given else user,
        roles=ROLES,
        own=[role["name"] for role in user["roles"]],
    )


def _form(visit: Visit, fields: MultiMapping[str], error: Refused | None = None) -> web.Response:
    return visit.page(
        "users_add.html",
        200 if error is None else error.status,
        fields=fields,
        error=error,
        names=_NEW,
        chosen=fields.getall("roles", []),
        roles=ROLES if visit.reader.may(Right.GIVE_ROLES_OF_POWER) else {"user-admin": ROLES["user-admin"]},
    )


PAGES: Final = (
    Page("GET", "/users", _list),
    Page("GET", "/users/add", _add),
    Page("POST", "/users/add", _create),
    Page("GET", "/users/{user}", _show),
    Page("POST", "/users/{user}/profile", _save_profile),
    Page("POST", "/users/{user}/roles", _save_roles),
    Page("POST", "/users/{user}/password", _save_password),
    Page("POST", "/users/{user}/suspend", _suspend),
    Page("POST", "/users/{user}/activate", _activate),
    Page("POST", "/users/{user}/delete", _delete),
    Page("POST", "/users/{user}/erase", _erase),
)
