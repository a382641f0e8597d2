"""Probes and build information; open to anybody."""

from typing import Final

from aiohttp import web

from coderai import __version__
from coderai.api.answers import answer, plain
from coderai.api.routes import Open, Route
from coderai.api.services import Services


async def _healthz(_request: web.Request, _services: Services) -> web.Response:
    return plain("OK")


async def _readyz(_request: web.Request, services: Services) -> web.Response:
    await services.store.ping()  # StoreUnavailable is a 503; the providers were built before anybody could ask
    return plain("OK")


async def _greeting(_request: web.Request, _services: Services) -> web.Response:
    return answer({"message": "👋"})


async def _buildinfo(request: web.Request, services: Services) -> web.Response:
    return answer(
        {
            "external_url": "",
            "version": __version__,
            "dashboard_url": services.access_url or str(request.url.origin()),
            "telemetry": False,
            "workspace_proxy": False,
            "agent_api_version": "",
            "provisioner_api_version": "",
            "upgrade_message": "",
            "deployment_id": services.store.deployment_id,
        }
    )


ROUTES: Final = (
    Route("GET", "/healthz", Open(_healthz)),
    Route("GET", "/readyz", Open(_readyz)),
    Route("GET", "/api/v2/", Open(_greeting)),
    Route("GET", "/api/v2", Open(_greeting)),
    Route("GET", "/api/v2/buildinfo", Open(_buildinfo)),
)
