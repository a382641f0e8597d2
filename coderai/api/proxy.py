"""The certificate that clients of the intercepting proxy have to trust. It is no secret: anybody may have it."""

import ssl
from typing import Final

from aiohttp import web

from coderai.api.answers import SAFE, answer
from coderai.api.routes import About, Open, Route, Visit

_PEM: Final = "application/x-pem-file"
_DER: Final = "application/pkix-cert"


async def _pem(visit: Visit) -> web.Response:
    certificate = visit.services.gateway.proxy.certificate_pem
    return _file(certificate(), _PEM, "ca-cert.pem") if certificate else _nothing()


async def _der(visit: Visit) -> web.Response:
    certificate = visit.services.gateway.proxy.certificate_pem
    if certificate is None:
        return _nothing()
    return _file(ssl.PEM_cert_to_DER_cert(certificate().decode()), _DER, "ca-cert.der")


def _file(content: bytes, kind: str, name: str) -> web.Response:
    headers = {**SAFE, "Content-Disposition": f"attachment; filename={name}"}
    return web.Response(body=content, content_type=kind, headers=headers)


def _nothing() -> web.Response:
    detail = "The intercepting proxy does not run on this server: --aibridge-proxy-enabled starts it."
    return answer({"message": "MITM CA certificate not configured", "detail": detail}, 404)


ROUTES: Final = (
    Route(
        "GET",
        "/proxy/ca-cert.pem",
        Open(_pem),
        About("The CA that clients of the proxy trust", str, refusals=(404,), content=_PEM),
    ),
    Route(
        "GET",
        "/proxy/ca-cert.der",
        Open(_der),
        About("The same in binary form", str, refusals=(404,), content=_DER),
    ),
)
"""Below ``proxy``, which is no name of a provider."""
