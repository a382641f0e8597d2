"""Signing in with a password, and out again: ``/api/v2/users/login`` and ``logout``."""

from typing import Final

from aiohttp import web

from coderai.api import documents
from coderai.api.answers import answer
from coderai.api.bodies import Login, read
from coderai.api.parameters import part
from coderai.api.routes import About, Ask, Open, Route, Signed, Visit


async def _login(visit: Visit) -> web.Response:
    body = await read(visit.request, Login)
    token = await visit.services.sign_in.login(body.email, body.password, visit.origin)
    response = answer({"session_token": token.whole}, 201)
    visit.services.cookies.give(response, token.whole)
    return response


async def _logout(ask: Ask) -> web.Response:
    ended = await ask.services.sign_in.logout(ask.caller)
    text = "You are signed out." if ended else "The token that was used is no session; it goes on working."
    response = answer({"message": text})
    ask.services.cookies.take(response)
    return response


async def _methods(visit: Visit) -> web.Response:
    return answer(
        {
            "password": {"enabled": visit.services.sign_in.sessions.passwords},
            "github": {"enabled": False},
            "oidc": {"enabled": False},
        }
    )


async def _another(ask: Ask) -> web.Response:
    user = await ask.services.users.find(ask.caller, part(ask.request, "user"))
    return answer({"key": (await ask.services.sign_in.another(ask.caller, user)).whole}, 201)


ROUTES: Final = (
    Route(
        "POST",
        "/api/v2/users/login",
        Open(_login),
        About("Sign in with a password; also sets the cookie", documents.SessionToken, 201, Login, refusals=(401,)),
    ),
    Route(
        "POST",
        "/api/v2/users/logout",
        Signed(_logout),
        About("End the session that is used; a token goes on working", documents.Message),
    ),
    Route(
        "GET",
        "/api/v2/users/authmethods",
        Open(_methods),
        About("How people may sign in", documents.AuthMethods),
    ),
    Route("POST", "/api/v2/users/{user}/keys", Signed(_another), About("Begin a further session", documents.Key, 201)),
)
