"""Probes and build information; open to anybody."""

from typing import Final

from aiohttp import web

from coderai import __version__
from coderai.api import documents
from coderai.api.answers import answer, plain
from coderai.api.routes import About, Open, Route, Visit


async def _healthz(_visit: Visit) -> web.Response:
    return plain("OK")


async def _readyz(visit: Visit) -> web.Response:
    await visit.services.store.ping()  # StoreUnavailable is a 503; the providers were built before anybody could ask
    return plain("OK")


async def _greeting(_visit: Visit) -> web.Response:
    return answer({"message": "👋"})


async def _buildinfo(visit: Visit) -> web.Response:
    return answer(
        {
            "external_url": "",
            "version": __version__,
            "dashboard_url": visit.services.access_url or str(visit.request.url.origin()),
            "telemetry": False,
            "workspace_proxy": False,
            "agent_api_version": "",
            "provisioner_api_version": "",
            "upgrade_message": "",
            "deployment_id": visit.services.store.deployment_id,
        }
    )


_TEXT: Final = "text/plain"
ROUTES: Final = (
    Route("GET", "/healthz", Open(_healthz, counted=False), About("Is the process there?", str, content=_TEXT)),
    Route("GET", "/readyz", Open(_readyz, counted=False), About("Does the database answer?", str, content=_TEXT)),
    Route("GET", "/api/v2/", Open(_greeting), About("A greeting", documents.Message)),
    Route("GET", "/api/v2", Open(_greeting), About("A greeting", documents.Message)),
    Route("GET", "/api/v2/buildinfo", Open(_buildinfo), About("Version and addresses", documents.Build)),
)
