"""One's own keys at providers. They go in here and never come out."""

from typing import Final

from aiohttp import web

from coderai.web.calls import Refused
from coderai.web.routes import Page
from coderai.web.visiting import Visit

_KEYS: Final = "/api/v2/users/me/ai-provider-keys"


async def _list(visit: Visit) -> web.StreamResponse:
    return await _page(visit)


async def _save(visit: Visit) -> web.StreamResponse:
    fields = await visit.form()
    try:
        saved = await visit.send("PUT", f"{_KEYS}/{visit.part('provider')}", {"api_key": fields.get("api_key", "")})
    except Refused as error:
        if error.status not in (400, 403, 409):
            raise
        return await _page(visit, visit.request.match_info["provider"], error)
    return visit.go("/account/keys", f"Your key for {saved['provider']['name']} is saved; your calls go with it.")


async def _remove(visit: Visit) -> web.StreamResponse:
    await visit.form()
    await visit.send("DELETE", f"{_KEYS}/{visit.part('provider')}")
    return visit.go("/account/keys", "Your key is removed.")


async def _page(visit: Visit, at: str = "", error: Refused | None = None) -> web.Response:
    """*at* is the provider whose form was refused."""
    standings = [each for each in await visit.get(_KEYS) if not each["provider"]["deleted"]]
    return visit.page("keys.html", 200 if error is None else error.status, standings=standings, at=at, error=error)


PAGES: Final = (
    Page("GET", "/account/keys", _list),
    Page("POST", "/account/keys/{provider}", _save),
    Page("POST", "/account/keys/{provider}/remove", _remove),
)
