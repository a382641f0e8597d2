"""TLS servers that show what an authority signs, whether or not anybody may believe it."""

import ssl
import tempfile
from datetime import UTC, datetime, timedelta

from coderai.proxy.ca import Authority


def showing(authority: Authority, host: str) -> ssl.SSLContext:
    """Return what a server needs to be *host*."""
    leaf = authority.issue([host], datetime.now(UTC), timedelta(days=1))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with tempfile.NamedTemporaryFile() as file:
        file.write(leaf.key_pem + leaf.chain_pem)
        file.flush()
        context.load_cert_chain(file.name)
    return context
