"""Gateway tokens: ``/api/v2/users/{user}/keys``."""

from datetime import UTC, datetime, timedelta
from typing import Any, Final

from aiohttp import web

from coderai.access.tokens import EVERYTHING
from coderai.api import documents
from coderai.api.answers import answer, moment, no_content
from coderai.api.bodies import CreateToken, read
from coderai.api.parameters import flag, part
from coderai.api.routes import About, Ask, Parameter, Route, Signed
from coderai.control.tokens import NewToken
from coderai.errors import Invalid
from coderai.store.tokens import Token

NEVER: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


def token_shape(token: Token) -> dict[str, Any]:
    """Return a token as the API shows it: never its secret or hash."""
    return {
        "id": token.id,
        "user_id": token.user_id,
        "last_used": moment(token.last_used or NEVER),
        "expires_at": moment(token.expires_at),
        "created_at": moment(token.created_at),
        "updated_at": moment(token.updated_at),
        "login_type": token.login_type,
        "scope": "all" if EVERYTHING in token.scopes else "",
        "scopes": list(token.scopes),
        "token_name": token.token_name,
        "lifetime_seconds": token.lifetime_seconds,
        "allow_list": [{"type": "*", "id": "*"}],
        "delegate": token.delegate,
        "username": token.username,
    }


async def _create(ask: Ask) -> web.Response:
    body = await read(ask.request, CreateToken)
    if any((each.type, each.id) != ("*", "*") for each in body.allow_list or ()):
        rule = 'can hold {"type": "*", "id": "*"} only; what a token is good for is limited by its scopes'
        raise Invalid("this token cannot be created", [("allow_list", rule)])
    wanted = NewToken(
        name=body.token_name or "",
        lifetime=timedelta(microseconds=_microseconds(body.lifetime)) if body.lifetime else None,
        scopes=tuple(body.scopes or ([body.scope] if body.scope else [])),
        delegate=bool(body.delegate),
    )
    text = await ask.services.tokens.create(ask.caller, part(ask.request, "user"), wanted)
    return answer({"key": text.whole}, 201)


async def _list(ask: Ask) -> web.Response:
    query = ask.request.query
    tokens = await ask.services.tokens.list(
        ask.caller,
        part(ask.request, "user"),
        everybody=flag(query, "include_all"),
        expired=flag(query, "include_expired"),
    )
    return answer([token_shape(token) for token in tokens])


async def _named(ask: Ask) -> web.Response:
    user, name = part(ask.request, "user"), part(ask.request, "name")
    return answer(token_shape(await ask.services.tokens.named(ask.caller, user, name)))


async def _get(ask: Ask) -> web.Response:
    user, token_id = part(ask.request, "user"), part(ask.request, "id")
    return answer(token_shape(await ask.services.tokens.get(ask.caller, user, token_id)))


async def _expire(ask: Ask) -> web.Response:
    await ask.services.tokens.expire(ask.caller, part(ask.request, "user"), part(ask.request, "id"))
    return no_content()


async def _remove(ask: Ask) -> web.Response:
    await ask.services.tokens.remove(ask.caller, part(ask.request, "user"), part(ask.request, "id"))
    return no_content()


async def _config(ask: Ask) -> web.Response:
    longest = await ask.services.tokens.longest(ask.caller, part(ask.request, "user"))
    return answer({"max_token_lifetime": longest // _MICROSECOND * 1000})


def _microseconds(nanoseconds: int) -> int:
    """Away from zero: a lifetime of one nanosecond is not the same as none."""
    return -(-nanoseconds // 1000) if nanoseconds > 0 else nanoseconds // 1000


_KEYS: Final = "/api/v2/users/{user}/keys"
ROUTES: Final = (
    Route(
        "POST",
        _KEYS + "/tokens",
        Signed(_create),
        About("Create a token; its secret is shown this once", documents.Key, 201, CreateToken, refusals=(409,)),
    ),
    Route(
        "GET",
        _KEYS + "/tokens",
        Signed(_list),
        About(
            "List tokens",
            list[documents.Token],
            query=(
                Parameter("include_all", "Those of everybody whose tokens the caller may see.", "boolean"),
                Parameter("include_expired", "Expired ones as well.", "boolean"),
            ),
        ),
    ),
    Route(
        "GET",
        _KEYS + "/tokens/tokenconfig",
        Signed(_config),
        About("The longest lifetime, in nanoseconds, of a token of this user", documents.TokenConfig),
    ),
    Route("GET", _KEYS + "/tokens/{name}", Signed(_named), About("Show a token by its name", documents.Token)),
    Route("GET", _KEYS + "/{id}", Signed(_get), About("Show a token or a session by its id", documents.Token)),
    Route("DELETE", _KEYS + "/{id}", Signed(_remove), About("Remove a token or a session", None, 204)),
    Route(
        "PUT",
        _KEYS + "/{id}/expire",
        Signed(_expire),
        About("Stop a token from working, and keep it in the lists", None, 204),
    ),
)
