"""Accounts: ``/api/v2/users``."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from aiohttp import web

from coderai.access.roles import GIVEN_BY, ROLES, Right, may, require
from coderai.api import documents
from coderai.api.answers import answer, moment, no_content
from coderai.api.bodies import CreateFirstUser, CreateUser, EditProfile, SetPassword, SetRoles, read
from coderai.api.parameters import clean, part, whole
from coderai.api.routes import PAGE, About, Ask, Open, Parameter, Route, Signed, Visit
from coderai.control.accounts import Profile
from coderai.control.users import NewUser, as_uuid
from coderai.errors import Invalid, NotFound
from coderai.query import USERS, read_moment, read_values
from coderai.store.users import User, UserFilter

ORGANIZATION: Final = "00000000-0000-0000-0000-000000000001"
"""The one that everybody belongs to."""
NEVER: Final = datetime(1, 1, 1, tzinfo=UTC)


def user_shape(user: User) -> dict[str, Any]:
    """Return a user as the API shows it."""
    return {
        "id": user.id,
        "username": user.username,
        "name": user.name,
        "avatar_url": user.avatar_url,
        "email": user.email,
        "created_at": moment(user.created_at),
        "updated_at": moment(user.updated_at),
        "last_seen_at": moment(user.last_seen_at or NEVER),
        "status": user.status,
        "login_type": user.login_type,
        "organization_ids": [ORGANIZATION],
        "roles": [{"name": role, "display_name": ROLES.get(role, role)} for role in user.roles],
        "is_service_account": user.is_service_account,
    }


async def _list(ask: Ask) -> web.Response:
    query = ask.request.query
    values = read_values(USERS, clean(query, "q"), {})
    wanted = UserFilter(
        text=values.get("search", ""),
        name=values.get("name", ""),
        statuses=_listed(values.get("status", "")),
        role=values.get("role", ""),
        login_types=_listed(values.get("login_type", "")),
        service_account=_yes_or_no(values.get("service_account", "")),
        created_after=_time(values, "created_after"),
        created_before=_time(values, "created_before"),
        last_seen_after=_time(values, "last_seen_after"),
        last_seen_before=_time(values, "last_seen_before"),
    )
    limit, offset = whole(query, "limit", 100, 1000), whole(query, "offset")
    after_id = as_uuid(clean(query, "after_id")) or ""
    if (offset and after_id) or (query.get("after_id") and not after_id):
        raise Invalid("this page does not exist", [("after_id", "must be a user's id, and goes without offset")])
    control = ask.services.users
    users, count = await control.list(ask.caller, wanted, limit=limit, offset=offset, after_id=after_id)
    return answer({"users": [user_shape(user) for user in users], "count": count})


async def _create(ask: Ask) -> web.Response:
    body = await read(ask.request, CreateUser)
    service_account = bool(body.service_account or body.is_service_account)
    password = body.password or None
    wanted = NewUser(
        username=body.username,
        email=body.email or "",
        name=body.name or "",
        password=password,
        login_type=body.login_type or ("none" if service_account else "password"),
        status=body.user_status or "active",
        roles=tuple(body.roles or ()),
        service_account=service_account,
    )
    return answer(user_shape(await ask.services.users.create(ask.caller, wanted)), 201)


async def _get(ask: Ask) -> web.Response:
    return answer(user_shape(await ask.services.users.find(ask.caller, part(ask.request, "user"))))


async def _delete(ask: Ask) -> web.Response:
    await ask.services.accounts.delete(ask.caller, part(ask.request, "user"))
    return answer({"message": "The user is deleted."})


async def _edit(ask: Ask) -> web.Response:
    body = await read(ask.request, EditProfile)
    wanted = Profile(body.username, body.name, body.email)
    return answer(user_shape(await ask.services.accounts.edit(ask.caller, part(ask.request, "user"), wanted)))


async def _set_password(ask: Ask) -> web.Response:
    body = await read(ask.request, SetPassword)
    user = part(ask.request, "user")
    await ask.services.accounts.set_password(ask.caller, user, body.password, body.old_password)
    return no_content()


async def _activate(ask: Ask) -> web.Response:
    return answer(user_shape(await ask.services.accounts.set_status(ask.caller, part(ask.request, "user"), "active")))


async def _suspend(ask: Ask) -> web.Response:
    user = part(ask.request, "user")
    return answer(user_shape(await ask.services.accounts.set_status(ask.caller, user, "suspended")))


async def _roles(ask: Ask) -> web.Response:
    user = await ask.services.users.find(ask.caller, part(ask.request, "user"))
    return answer({"roles": list(user.roles), "organization_roles": {}})


async def _set_roles(ask: Ask) -> web.Response:
    body = await read(ask.request, SetRoles)
    user = await ask.services.accounts.set_roles(ask.caller, part(ask.request, "user"), body.roles)
    return answer(user_shape(user))


async def _all_roles(ask: Ask) -> web.Response:
    require(ask.caller, Right.READ_SELF)
    given = {role: may(ask.caller, right) for role, right in GIVEN_BY.items()}
    shown = [
        {"name": role, "display_name": display, "built_in": True, "assignable": given[role]}
        for role, display in ROLES.items()
    ]
    return answer(shown)


async def _first(visit: Visit) -> web.Response:
    if not await visit.services.users.any():
        raise NotFound("user", "first")
    return answer({"message": "There is a user."})


async def _create_first(visit: Visit) -> web.Response:
    body = await read(visit.request, CreateFirstUser)
    wanted = NewUser(body.username, email=body.email, name=body.name or "", password=body.password)
    user = await visit.services.users.create_first(wanted, visit.origin)
    return answer({"user_id": user.id, "organization_id": ORGANIZATION}, 201)


def _listed(text: str) -> tuple[str, ...]:
    return tuple(each for each in text.split(",") if each)


def _time(values: Mapping[str, str], name: str) -> datetime | None:
    if name not in values:
        return None
    try:
        return read_moment(values[name])
    except ValueError:
        rule = f'"{values[name]}" is no RFC 3339 time such as "2026-05-01T00:00:00Z" (quoted inside q)'
        raise Invalid("the search cannot be understood", [(name, rule)]) from None


def _yes_or_no(text: str) -> bool | None:
    if text not in ("", "true", "false"):
        raise Invalid("the search cannot be understood", [("service_account", 'must be "true" or "false"')])
    return None if not text else text == "true"


_USERS: Final = "/api/v2/users"
_USER: Final = _USERS + "/{user}"
_SEARCH: Final = (
    Parameter("q", "For example `status:active role:auditor`; a word alone is part of a username or an e-mail."),
    *PAGE,
    Parameter("after_id", "The last user of the page before."),
)
ROUTES: Final = (
    Route("GET", _USERS, Signed(_list), About("List users", documents.Users, query=_SEARCH, refusals=(404,))),
    Route(
        "POST",
        _USERS,
        Signed(_create),
        About("Create a user or a service account", documents.User, 201, CreateUser, refusals=(409,)),
    ),
    Route("GET", _USERS + "/first", Open(_first), About("Is there a user?", documents.Message, refusals=(404,))),
    Route("GET", _USERS + "/roles", Signed(_all_roles), About("List the roles", list[documents.Role])),
    Route("GET", _USER, Signed(_get), About("Show a user", documents.User)),
    Route("DELETE", _USER, Signed(_delete), About("Delete a user", documents.Message, refusals=(400, 409))),
    Route(
        "PUT",
        _USER + "/profile",
        Signed(_edit),
        About("Change name, username or e-mail", documents.User, body=EditProfile, refusals=(409,)),
    ),
    Route(
        "PUT",
        _USER + "/password",
        Signed(_set_password),
        About("Set a password", None, 204, SetPassword, refusals=(409,)),
    ),
    Route(
        "PUT",
        _USER + "/status/activate",
        Signed(_activate),
        About("Let a suspended user in again", documents.User, refusals=(400, 409)),
    ),
    Route(
        "PUT",
        _USER + "/status/suspend",
        Signed(_suspend),
        About("Refuse everything that a user has", documents.User, refusals=(400, 409)),
    ),
    Route("GET", _USER + "/roles", Signed(_roles), About("Show a user's roles", documents.UserRoles)),
    Route(
        "PUT",
        _USER + "/roles",
        Signed(_set_roles),
        About("Replace a user's roles", documents.User, body=SetRoles, refusals=(409,)),
    ),
)
PRIVATE_ROUTES: Final = (
    Route(
        "POST",
        _USERS + "/first",
        Open(_create_first),
        About("Create the first user", documents.FirstUser, 201, CreateFirstUser, refusals=(409,)),
    ),
)
"""Over the network anybody could be the first."""
