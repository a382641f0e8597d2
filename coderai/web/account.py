"""One's own account: name, e-mail, password."""

from typing import Final

from aiohttp import web

from coderai.web.calls import Refused
from coderai.web.routes import Page
from coderai.web.visiting import Visit


async def _show(visit: Visit) -> web.StreamResponse:
    return await _form(visit)


async def _save_profile(visit: Visit) -> web.StreamResponse:
    fields = await visit.form()
    document = {name: fields.get(name, "").strip() for name in ("username", "name", "email") if name in fields}
    try:
        await visit.send("PUT", "/api/v2/users/me/profile", document)
    except Refused as error:
        return await _form(visit, profile=error, given=document)
    return visit.go("/account", "Your account is saved.")


async def _save_password(visit: Visit) -> web.StreamResponse:
    fields = await visit.form()
    document = {"password": fields.get("password", ""), "old_password": fields.get("old_password", "")}
    try:
        await visit.send("PUT", "/api/v2/users/me/password", document)
    except Refused as error:
        return await _form(visit, password=error)
    return visit.go("/account", "Your password is changed; your other sessions have ended.")


async def _form(
    visit: Visit,
    *,
    profile: Refused | None = None,
    password: Refused | None = None,
    given: dict[str, str] | None = None,
) -> web.Response:
    wrong = profile or password
    user = await visit.get("/api/v2/users/me")
    return visit.page(
        "account.html",
        200 if wrong is None else wrong.status,
        user=user,
        given=given or user,
        profile=profile,
        password=password,
    )


PAGES: Final = (
    Page("GET", "/account", _show),
    Page("POST", "/account/profile", _save_profile),
    Page("POST", "/account/password", _save_password),
)
