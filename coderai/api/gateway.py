"""What somebody who points a tool at the gateway has to know: its address, and which providers there are."""

from typing import Final

from aiohttp import web

from coderai.access.roles import Right, require
from coderai.api import documents
from coderai.api.answers import answer
from coderai.api.routes import About, Ask, Route, Signed
from coderai.api.services import ProxyDoor
from coderai.providers.registry import Instance


async def _setup(ask: Ask) -> web.Response:
    """For everybody who may call models; base URLs and keys of providers are not part of it."""
    require(ask.caller, Right.CALL_MODELS)
    services = ask.services
    return answer(
        {
            "access_url": services.access_url,
            "enabled": services.gateway.enabled,
            "byok": services.gateway.enabled and services.gateway.allow_byok,
            "proxy": _proxy(services.gateway.proxy),
            "providers": [_shape(each) for each in services.gateway.registry.all()],
        }
    )


def _proxy(door: ProxyDoor) -> dict[str, object] | None:
    return {"host": door.host, "port": door.port, "tls": door.tls} if door.certificate_pem is not None else None


def _shape(instance: Instance) -> dict[str, object]:
    return {
        "name": instance.name,
        "type": instance.type,
        "family": instance.family.name if instance.family else "",
        "state": instance.state,
        "central_key": instance.has_central,
    }


ROUTES: Final = (
    Route(
        "GET",
        "/clients/setup",
        Signed(_setup),
        About("What somebody who points a tool at the gateway has to know", documents.Setup),
    ),
)
"""Below ``clients``, which is no name of a provider."""
