"""How a tool is pointed at this gateway: what to paste, with this server's address, and with a token on request."""

import re
import secrets
from collections.abc import Sequence
from typing import Any, Final
from urllib.parse import quote, urlencode

from aiohttp import web
from multidict import MultiMapping

from coderai.access.tokens import USE
from coderai.setups import CANNOT, SETUPS, Place, Setup, find
from coderai.setups.snippets import OWN_KEY, TOKEN, Snippet
from coderai.web.calls import Refused
from coderai.web.routes import Page
from coderai.web.visiting import Visit

_DOOR: Final = "/api/v2/aibridge/clients/setup"
_ROUTE: Final = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")
_MODEL: Final = re.compile(r"[A-Za-z0-9._:/@+\[\]-]{0,200}")
"""What a link may put into the text that people paste."""


async def _list(visit: Visit) -> web.StreamResponse:
    return visit.page("connect.html", door=await visit.get(_DOOR), setups=SETUPS, cannot=CANNOT)


async def _show(visit: Visit) -> web.StreamResponse:
    return await _page(visit, visit.query)


async def _with_token(visit: Visit) -> web.StreamResponse:
    """Make a token that is good for calling models and for nothing else, and show it in its place, this once."""
    fields, setup = await visit.form(), _setup(visit)
    name = f"{setup.name}-{secrets.token_hex(3)}"
    made = await visit.send("POST", "/api/v2/users/me/keys/tokens", {"token_name": name, "scopes": [USE]})
    return await _page(visit, fields, made["key"], name)


async def _page(visit: Visit, fields: MultiMapping[str], token: str = "", name: str = "") -> web.Response:
    setup, door = _setup(visit), await visit.get(_DOOR)
    byok = not setup.central or bool(fields.get("byok") and setup.byok and door["byok"])
    fitting = _fitting(door["providers"], setup, byok)
    wanted = fields.get("provider", "")
    chosen = next((each for each in fitting if each["name"] == wanted), fitting[0] if fitting else None)
    model = fields.get("model", "").strip()
    odd = not _MODEL.fullmatch(model)
    values: dict[str, Any] = {"snippet": None, "text": "", "ready": False}
    if chosen is not None:
        place = Place(_root(visit, door), chosen["name"], chosen["family"], byok, "" if odd else model)
        snippet = setup.write(place)
        values = {"snippet": snippet, "text": _filled(snippet, token), "own_key": OWN_KEY in snippet.text}
    asked = urlencode([(key, fields[key]) for key in ("provider", "byok", "model") if fields.get(key)])
    return visit.page(
        "connect_one.html",
        201 if token else 400 if odd else 200,
        setup=setup,
        door=door,
        byok=byok,
        fitting=fitting,
        chosen=chosen,
        model=model,
        odd=odd,
        token=token,
        name=name,
        asked=f"?{asked}" if asked else "",
        address=f"/connect/{quote(setup.name)}",
        **values,
    )


def _setup(visit: Visit) -> Setup:
    setup = find(visit.request.match_info["tool"])
    if setup is None:
        raise Refused(404, "No tool of this name is known here.")
    return setup


def _fitting(providers: Sequence[Any], setup: Setup, byok: bool) -> list[Any]:
    """Return the providers that the tool can use, those of the family it usually speaks to first."""
    usable = [
        each
        for each in providers
        if each["state"] == "enabled" and _ROUTE.fullmatch(each["name"]) and (byok or each["central_key"])
    ]
    return sorted(
        (each for each in usable if each["family"] in setup.families),
        key=lambda each: (each["name"] != setup.provider, setup.families.index(each["family"])),
    )


def _root(visit: Visit, door: Any) -> str:
    """The server's own address; where it has none set, the one by which its reader came."""
    address = door["access_url"] or f"{visit.request.scheme}://{visit.request.host}"
    return f"{address.rstrip('/')}/api/v2/aibridge"


def _filled(snippet: Snippet, token: str) -> str:
    """Shells and tools that know variables read the token from one; elsewhere it has to stand in the text."""
    if not token or snippet.expanded or snippet.form == "sh":
        return snippet.text
    return snippet.text.replace(TOKEN, token)


PAGES: Final = (
    Page("GET", "/connect", _list),
    Page("GET", "/connect/{tool}", _show),
    Page("POST", "/connect/{tool}", _with_token),
)
