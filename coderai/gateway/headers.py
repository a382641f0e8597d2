"""Which headers travel, in both directions."""

from collections.abc import Mapping
from typing import Final

from multidict import CIMultiDict, CIMultiDictProxy

HOP_BY_HOP: Final = frozenset(
    {
        "connection",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)

_NOT_UPSTREAM: Final = HOP_BY_HOP | {
    # the transport's own
    "host",
    "accept-encoding",
    "content-length",
    "expect",
    # credentials: the right one is put in afterwards
    "authorization",
    "x-api-key",
    "api-key",
    "cookie",
    # where the request came from is nobody else's business
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-proto",
    "x-forwarded-port",
    "x-real-ip",
    "forwarded",
    # only ever set from a provider's configuration
    "anthropic-workspace-id",
}
_NOT_UPSTREAM_PREFIXES: Final = ("x-coder-", "coder-", "x-coderai-", "x-ai-bridge-actor")

_NOT_TO_CLIENT: Final = HOP_BY_HOP | {
    # ours to say
    "content-length",
    "content-encoding",
    "date",
    "server",
    # the provider's host speaks to its own visitors here, not to ours
    "set-cookie",
    "strict-transport-security",
    "alt-svc",
    "content-security-policy",
    "report-to",
    "nel",
    "access-control-allow-origin",
    "access-control-allow-credentials",
}


def to_upstream(client: Mapping[str, str], defaults: Mapping[str, str]) -> CIMultiDict[str]:
    """Return the client's headers as a provider may see them, without any credential.

    Everything is forwarded but a list of exceptions, because providers keep adding headers that matter (betas, session
    and turn ids, account ids). *defaults* are set where the client sent nothing of that name.
    """
    dropped = _NOT_UPSTREAM
    connection = client.get("Connection")
    if connection is not None and connection.lower() not in ("keep-alive", "close"):
        dropped = dropped | {name.strip().lower() for name in connection.split(",")}
    headers: CIMultiDict[str] = CIMultiDict()
    for name, value in client.items():
        lowered = name.lower()
        if lowered not in dropped and not lowered.startswith(_NOT_UPSTREAM_PREFIXES):
            headers.add(name, value)
    for name, value in defaults.items():
        headers.setdefault(name, value)
    # Answers must be readable for the record; asking for plain bytes beats undoing a compression.
    headers["Accept-Encoding"] = "identity"
    return headers


def to_client(upstream: CIMultiDictProxy[str]) -> CIMultiDict[str]:
    """Return the provider's headers as a client may see them: request ids, rate limits and retry hints included."""
    headers: CIMultiDict[str] = CIMultiDict()
    for name, value in upstream.items():
        if name.lower() not in _NOT_TO_CLIENT:
            headers.add(name, value)
    return headers
