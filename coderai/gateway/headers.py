"""Which headers travel, in both directions."""

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Final

from multidict import CIMultiDict, CIMultiDictProxy

from coderai.access.redaction import Redaction

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
    "x-goog-api-key",
    "ocp-apim-subscription-key",  # Azure takes it, too
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
    # would lead the client, and its gateway token, past us
    "location",
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


Headers = list[tuple[bytes, bytes]]
"""Names and values as on the wire."""


@lru_cache(maxsize=512)
def _travels(name: bytes) -> bool:
    """Whether a header of that name goes upstream. Names repeat, so the answer is remembered."""
    lowered = name.lower().decode("ascii", "replace")
    return lowered not in _NOT_UPSTREAM and not lowered.startswith(_NOT_UPSTREAM_PREFIXES)


def to_upstream(
    client: Iterable[tuple[bytes, bytes]],
    defaults: Mapping[str, str],
    ours: Sequence[tuple[bytes, bytes]] = (),
    token: str = "",
) -> Headers:
    """Return the client's headers as a provider may see them, without any credential.

    Everything is forwarded but a list of exceptions, because providers keep adding headers that matter (betas, session
    and turn ids, account ids). *defaults* are set where the client sent nothing of that name; *ours* are set in place
    of whatever the client sent under their names. No header travels that holds the gateway *token*, whatever its name.
    """
    headers = [header for header in client if _travels(header[0])]
    if token:
        raw = token.encode("utf-8", "surrogateescape")
        if raw in b"\n".join([value for _, value in headers]):  # quicker than a look at each
            headers = [header for header in headers if raw not in header[1]]
    named = _named_by_connection(client)
    if named:
        headers = [(name, value) for name, value in headers if name.lower() not in named]
    if ours:
        replaced = {name.lower() for name, _ in ours}
        headers = [*(header for header in headers if header[0].lower() not in replaced), *ours]
    sent = {name.lower() for name, _ in headers}
    headers += [
        (name.encode(), value.encode()) for name, value in defaults.items() if name.lower().encode() not in sent
    ]
    # Answers must be readable for the record; asking for plain bytes beats undoing a compression.
    headers.append((b"Accept-Encoding", b"identity"))
    return headers


def _named_by_connection(client: Iterable[tuple[bytes, bytes]]) -> set[bytes]:
    """Headers that the client declares to be for us alone."""
    values = [value for name, value in client if name.lower() == b"connection"]
    return {each.strip().lower() for value in values for each in value.split(b",")}


def to_client(upstream: CIMultiDictProxy[str], redaction: Redaction) -> CIMultiDict[str]:
    """Return the provider's headers as a client may see them: request ids, rate limits and retry hints included.

    Secrets of the call are masked, whatever the status: proxies on the way there repeat headers, too.
    """
    headers: CIMultiDict[str] = CIMultiDict()
    for name, value in upstream.items():
        if name.lower() not in _NOT_TO_CLIENT:
            headers.add(name, value)
    for named in upstream.getall("Connection", ()):
        for name in named.split(","):
            headers.popall(name.strip(), None)
    if redaction.concerns("\n".join(headers.values())):
        return CIMultiDict((redaction.text(name), redaction.text(value)) for name, value in headers.items())
    return headers
