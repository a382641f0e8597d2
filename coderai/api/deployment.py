"""What this server runs with: every setting in force and where its value came from, without secrets."""

from typing import Final

from aiohttp import web

from coderai.access.roles import Right, require
from coderai.api import documents
from coderai.api.answers import answer
from coderai.api.routes import About, Ask, Route, Signed


async def _config(ask: Ask) -> web.Response:
    require(ask.caller, Right.READ_DEPLOYMENT)
    shown = ask.services.deployment()
    return answer(
        {
            "config": {each.name: each.value for each in shown},
            "options": [
                {
                    "name": each.name,
                    "flag": each.flag,
                    "value": each.value,
                    "source": each.source,
                    "secret": each.secret,
                    "group": each.group,
                    "help": each.help,
                }
                for each in shown
            ],
        }
    )


ROUTES: Final = (
    Route(
        "GET",
        "/api/v2/deployment/config",
        Signed(_config),
        About("Show the settings in force and where each value came from", documents.Deployment),
    ),
)
