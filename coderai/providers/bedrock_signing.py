"""SigV4: the signature by which Amazon knows who asks. Put on last, when nothing of the request changes any more."""

from hashlib import sha256
from typing import Final

from coderai.providers.bedrock_credentials import AccessKey
from coderai.providers.dialect import Outgoing

_SIGNED_PREFIX: Final = b"x-amzn-bedrock-"
"""What a client says to the service itself. Its other headers are not signed: proxies on the way change them."""
_RESERVED_PREFIX: Final = b"x-amz-"
"""Amazon wants these signed, so they are ours alone."""


def signed(outgoing: Outgoing, key: AccessKey, service: str, region: str) -> Outgoing:
    """Return *outgoing* with the headers of the signature."""
    from botocore.auth import SigV4Auth  # type: ignore[import-untyped]
    from botocore.awsrequest import AWSRequest  # type: ignore[import-untyped]
    from botocore.credentials import ReadOnlyCredentials  # type: ignore[import-untyped]

    headers = [header for header in outgoing.headers if not header[0].lower().startswith(_RESERVED_PREFIX)]
    signing = {name.decode(): value.decode("latin-1") for name, value in headers if _is_signed(name)}
    signing["X-Amz-Content-SHA256"] = sha256(outgoing.body).hexdigest()
    request = AWSRequest(outgoing.method, outgoing.url, headers=signing)
    SigV4Auth(ReadOnlyCredentials(key.id, key.secret, key.token), service, region).add_auth(request)
    added = [(name.encode(), value.encode()) for name, value in request.headers.items() if _is_ours(name)]
    return Outgoing(outgoing.method, outgoing.url, [*headers, *added], outgoing.body)


def _is_signed(name: bytes) -> bool:
    return name.lower().startswith(_SIGNED_PREFIX)


def _is_ours(name: str) -> bool:
    return name.lower() == "authorization" or name.lower().encode().startswith(_RESERVED_PREFIX)
