"""What `coderai doctor` looks at of the intercepting proxy, where it runs."""

import socket
import ssl
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Final
from urllib.parse import urlsplit

from coderai.errors import BadSettings, Invalid
from coderai.proxy.ca import SOON, Authority
from coderai.proxy.constraints import may_speak_for
from coderai.proxy.describing import described
from coderai.proxy.files import authority_files, listener_files, read_certificate
from coderai.server.examining import Verdict
from coderai.settings import Settings
from coderai.settings.forms import split_address

_WHAT: Final = "proxy"
_SECONDS: Final = 5.0


def examine_authority(settings: Settings, made: Sequence[tuple[str, str]], now: datetime) -> Iterator[Verdict]:
    """Look at the certificates of the proxy, and whether they fit the providers."""
    try:
        files = authority_files(settings)
        authority = Authority.load(files.cert, files.key, now=now)
        listener = listener_files(settings)
    except BadSettings as error:
        yield Verdict("fail", _WHAT, str(error))
        return
    yield _ending("the interception CA", authority.not_after, now)
    for name, url in (*((each.name, each.base_url) for each in settings.providers), *made):
        host = urlsplit(url).hostname
        if host and not may_speak_for(authority.certificate, host):
            text = f"the CA is limited to other hosts: clients will not believe it about {host} of provider {name}"
            yield Verdict("fail", _WHAT, text)
    if listener is None:
        yield Verdict("warn", _WHAT, "it listens without TLS: whoever is between can read the tokens")
        return
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(listener.cert, listener.key)
        yield _ending("the certificate of its listener", described(read_certificate(listener.cert)).not_after, now)
    except (OSError, Invalid) as error:
        yield Verdict("fail", _WHAT, f"{listener.cert} and {listener.key} are no certificate and its key: {error}")


def examine_proxy_listener(settings: Settings) -> Iterator[Verdict]:
    """See whether somebody listens where the proxy should."""
    host, port = split_address(settings.aibridge_proxy_listen_addr)
    place = f"{host or '127.0.0.1'}:{port}"
    try:
        socket.create_connection((host or "127.0.0.1", port), _SECONDS).close()
    except OSError as error:
        yield Verdict("fail", _WHAT, f"nobody listens at {place}: {error.strerror or error}")
        return
    yield Verdict("ok", _WHAT, f"somebody listens at {place}; as a client: coderai doctor --client")


def _ending(what: str, end: datetime, now: datetime) -> Verdict:
    if end <= now:
        return Verdict("fail", _WHAT, f"{what} expired on {end:%Y-%m-%d}")
    if end - now < SOON:
        return Verdict("warn", _WHAT, f"{what} ends on {end:%Y-%m-%d}")
    return Verdict("ok", _WHAT, f"{what} is valid until {end:%Y-%m-%d}")
