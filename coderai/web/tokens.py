"""Gateway tokens: one's own, and for owners those of everybody."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final
from urllib.parse import urlencode

from aiohttp import web
from multidict import MultiMapping

from coderai import durations
from coderai.access.roles import Right
from coderai.access.tokens import SCOPES
from coderai.errors import Invalid
from coderai.web.calls import Refused
from coderai.web.routes import Page
from coderai.web.visiting import Visit, quoted

_PAGE: Final = 50
_MICROSECOND: Final = timedelta(microseconds=1)
_FIELDS: Final = ("user", "token_name", "lifetime", "scopes", "delegate")
MEANINGS: Final = dict(
    zip(
        SCOPES,
        (
            "everything that its owner may do",
            "call models, and nothing else",
            "read sessions and the audit log",
            "manage providers and models",
        ),
        strict=True,
    )
)


async def _list(visit: Visit) -> web.StreamResponse:
    everybody = visit.query.get("all") == "true" and visit.reader.may(Right.KEEP_ALL_TOKENS)
    expired, q = visit.query.get("expired") == "true", visit.query.get("q", "").strip()
    asked = {"include_all": "true"} if everybody else {}
    asked |= {"include_expired": "true"} if expired else {}
    tokens = await visit.get("/api/v2/users/me/keys/tokens", asked)
    found = [token for token in tokens if _holds(token, q.casefold())]
    found.sort(key=lambda token: token["created_at"], reverse=True)
    asked = {"all": "true" if everybody else "", "expired": "true" if expired else "", "q": q}
    start = min(_start(visit.query.get("start", "")), max(0, len(found) - 1) // _PAGE * _PAGE)
    return visit.page(
        "tokens.html",
        tokens=found[start : start + _PAGE],
        count=len(found),
        some=bool(tokens),
        start=start,
        size=_PAGE,
        q=q,
        everybody=everybody,
        expired=expired,
        address=lambda **changes: _address({**asked, **changes}),
    )


def _holds(token: Mapping[str, Any], text: str) -> bool:
    return not text or any(text in token[name].casefold() for name in ("id", "token_name", "username"))


def _start(text: str) -> int:
    return int(text) // _PAGE * _PAGE if text.isascii() and text.isdigit() and len(text) < 8 else 0


def _address(asked: Mapping[str, str | int]) -> str:
    text = urlencode({name: value for name, value in asked.items() if value})
    return f"/tokens?{text}" if text else "/tokens"


async def _add(visit: Visit) -> web.StreamResponse:
    return await _form(visit, visit.query)


async def _create(visit: Visit) -> web.StreamResponse:
    fields = await visit.form()
    owner = fields.get("user", "").strip() or "me"
    try:
        made = await visit.send("POST", f"/api/v2/users/{quoted(owner)}/keys/tokens", _document(fields))
    except Refused as error:
        if error.status == 404:
            error = Refused(400, error.message, validations=[("user", f"there is no user {owner}")])
        return await _form(visit, fields, error)
    # Shown this once, and so neither in an address nor in a cookie: this page is the answer to the form.
    return visit.page("tokens_made.html", 201, key=made["key"], owner=owner, name=fields.get("token_name", ""))


async def _expire(visit: Visit) -> web.StreamResponse:
    await visit.form()
    await visit.send("PUT", f"/api/v2/users/{visit.part('user')}/keys/{visit.part('id')}/expire")
    return visit.go(_back(visit), "The token does not work any more. It stays in the list of expired ones.")


async def _remove(visit: Visit) -> web.StreamResponse:
    await visit.form()
    await visit.send("DELETE", f"/api/v2/users/{visit.part('user')}/keys/{visit.part('id')}")
    return visit.go(_back(visit), "The token is removed.")


def _back(visit: Visit) -> str:
    return "/tokens" if visit.request.match_info["user"] == visit.reader.id else "/tokens?all=true"


async def _form(visit: Visit, fields: MultiMapping[str], error: Refused | None = None) -> web.Response:
    longest = await visit.get("/api/v2/users/me/keys/tokens/tokenconfig")
    return visit.page(
        "tokens_add.html",
        200 if error is None else error.status,
        fields=fields,
        chosen=fields.getall("scopes", []),
        error=error,
        names=_FIELDS,
        meanings=MEANINGS,
        for_others=visit.reader.may(Right.KEEP_ALL_TOKENS),
        longest=durations.shortest(timedelta(microseconds=longest["max_token_lifetime"] // 1000)),
    )


def _document(fields: MultiMapping[str]) -> dict[str, Any]:
    document: dict[str, Any] = {}
    if name := fields.get("token_name", "").strip():
        document["token_name"] = name
    if scopes := fields.getall("scopes", []):
        document["scopes"] = scopes
    if fields.get("delegate"):
        document["delegate"] = True
    if text := fields.get("lifetime", "").strip():
        try:
            document["lifetime"] = durations.parse(text) // _MICROSECOND * 1000
        except Invalid as error:
            raise Refused(400, "This token cannot be created", validations=[("lifetime", error.message)]) from None
    return document


PAGES: Final = (
    Page("GET", "/tokens", _list),
    Page("GET", "/tokens/add", _add),
    Page("POST", "/tokens/add", _create),
    Page("POST", "/tokens/{user}/{id}/expire", _expire),
    Page("POST", "/tokens/{user}/{id}/remove", _remove),
)
