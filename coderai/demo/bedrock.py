"""A scripted Amazon Bedrock: checks the signature of every request, and speaks the binary event stream.

It verifies signatures on its own, from Amazon's description of SigV4, and not with the code that makes them.
"""

import base64
import hashlib
import hmac
import json
import struct
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Final
from urllib.parse import parse_qsl, quote, unquote

from coderai.demo.script import Answering, Reply, Seen, Step

EVENT_STREAM: Final = "application/vnd.amazon.eventstream"
STREAMED: Final = "/invoke-with-response-stream"
_SKEW: Final = timedelta(minutes=5)


# ---- the binary event stream -----------------------------------------------------------------------------------------


def message(headers: Mapping[str, str], payload: bytes) -> bytes:
    """Return one message of the event stream."""
    written = b"".join(
        struct.pack(f">B{len(name)}sBH", len(name), name.encode(), 7, len(value.encode())) + value.encode()
        for name, value in headers.items()
    )
    prelude = struct.pack(">II", 16 + len(written) + len(payload), len(written))
    body = prelude + struct.pack(">I", zlib.crc32(prelude)) + written + payload
    return body + struct.pack(">I", zlib.crc32(body))


def chunk(event: bytes) -> bytes:
    """Return the message that carries one event of the Messages API."""
    headers = {":event-type": "chunk", ":content-type": "application/json", ":message-type": "event"}
    payload = {"bytes": base64.b64encode(event).decode(), "p": "abcdefghijk"}
    return message(headers, json.dumps(payload, separators=(",", ":")).encode())


def exception(name: str, text: str) -> bytes:
    """Return the message by which a stream fails."""
    headers = {":exception-type": name, ":content-type": "application/json", ":message-type": "exception"}
    return message(headers, json.dumps({"message": text}).encode())


def framed(reply: Reply) -> Reply:
    """Return a streamed Messages answer as Bedrock sends it."""
    steps = [_framed(step) for step in reply.chunks]
    return replace(reply, chunks=steps, content_type=EVENT_STREAM, whole=None)


def _framed(step: Step) -> Step:
    return chunk(step.partition(b"data: ")[2].strip()) if isinstance(step, bytes) else step


def refusal(status: int, name: str, text: str) -> Reply:
    """Return an error answer in Amazon's form."""
    headers = {"x-amzn-ErrorType": f"{name}:http://internal.amazon.com/coral/", "x-amzn-RequestId": "6d0b3c5e-aws"}
    return Reply(status=status, headers=headers, chunks=[json.dumps({"message": text}).encode()])


# ---- who asks --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Account:
    """What the scripted Amazon knows: access keys with their secrets, and the session tokens that belong to them."""

    secrets: Mapping[str, str] = field(repr=False)
    tokens: Mapping[str, str] = field(repr=False, default_factory=dict)
    region: str = "us-east-1"
    service: str = "bedrock"
    now: Callable[[], datetime] = lambda: datetime.now(UTC)

    def trouble(self, seen: Seen) -> str:
        """Return what is wrong with the signature of a request, '' when it is good."""
        scheme, _, rest = seen.headers.get("Authorization", "").partition(" ")
        parts = dict(part.strip().partition("=")[::2] for part in rest.split(","))
        access_key, *scope = parts.get("Credential", "").split("/")
        names = parts.get("SignedHeaders", "").split(";")
        stamp = seen.headers.get("X-Amz-Date", "")
        if scheme != "AWS4-HMAC-SHA256" or scope != [stamp[:8], self.region, self.service, "aws4_request"]:
            return f"no signature, or one for something else: {scheme} {scope}"
        if access_key not in self.secrets:
            return f"the access key {access_key} is not known"
        if seen.headers.get("X-Amz-Security-Token", "") != self.tokens.get(access_key, ""):
            return "the session token is not the one of the access key"
        asked = datetime.strptime(stamp, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
        if abs(self.now() - asked) > _SKEW:
            return f"signed at {stamp}, which is not now"
        unsigned = {name.lower() for name in seen.headers if name.lower().startswith("x-amz-")} - set(names)
        if unsigned or "host" not in names:
            return f"not signed: {unsigned or 'host'}"
        good = _signature(seen, self.secrets[access_key], names, stamp, scope)
        return "" if hmac.compare_digest(good, parts.get("Signature", "")) else "the signature does not match"


def _signature(seen: Seen, secret: str, names: list[str], stamp: str, scope: list[str]) -> str:
    path, _, query = seen.path.partition("?")
    headers = [f"{name}:{' '.join(','.join(seen.headers.getall(name)).split())}\n" for name in names]
    lines = (
        seen.method,
        quote(path, safe="/-_.~"),  # once more: what is "%3A" on the wire is "%253A" here
        "&".join(sorted(pair if "=" in pair else pair + "=" for pair in query.split("&") if pair)),
        "".join(headers),
        ";".join(names),
        hashlib.sha256(seen.body).hexdigest(),
    )
    text = ("AWS4-HMAC-SHA256", stamp, "/".join(scope), hashlib.sha256("\n".join(lines).encode()).hexdigest())
    key = ("AWS4" + secret).encode()
    for part in scope:
        key = hmac.digest(key, part.encode(), "sha256")
    return hmac.digest(key, "\n".join(text).encode(), "sha256").hex()


@dataclass(frozen=True, slots=True)
class Issued:
    """Credentials of a session."""

    access_key: str
    secret: str = field(repr=False)
    token: str = field(repr=False)
    until: datetime

    def document(self) -> bytes:
        """Return the answer of AssumeRole."""
        return (
            '<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult><Credentials>'
            f"<AccessKeyId>{self.access_key}</AccessKeyId><SecretAccessKey>{self.secret}</SecretAccessKey>"
            f"<SessionToken>{self.token}</SessionToken><Expiration>{self.until:%Y-%m-%dT%H:%M:%SZ}</Expiration>"
            "</Credentials></AssumeRoleResult></AssumeRoleResponse>"
        ).encode()


# ---- the endpoint ----------------------------------------------------------------------------------------------------


def bedrock(answering: Answering, account: Account) -> Answering:
    """Return what answers InvokeModel as *answering* answers the Messages API, if the signature is good."""

    def answer(seen: Seen) -> Reply:
        if trouble := account.trouble(seen):
            return refusal(403, "InvalidSignatureException", trouble)
        if model_of(seen) is None:
            return refusal(404, "UnknownOperationException", f"no such operation: {seen.method} {seen.path}")
        reply = answering(seen)
        if reply.status >= 300:
            return reply
        if seen.path.endswith(STREAMED):
            return framed(reply)
        return (
            reply
            if reply.whole is None
            else replace(reply, chunks=[reply.whole], content_type="application/json", whole=None)
        )

    return answer


def mantle(answering: Answering, account: Account) -> Answering:
    """Return what answers the Messages API itself, if the signature is good."""

    def answer(seen: Seen) -> Reply:
        trouble = account.trouble(seen)
        return refusal(403, "InvalidSignatureException", trouble) if trouble else answering(seen)

    return answer


def security_tokens(account: Account, keys: Mapping[str, str], issue: Callable[[], Issued]) -> Answering:
    """Return what answers AssumeRole with what *issue* gives.

    *account* is who may ask, with ``sts`` as its service; *keys* are the parameters that are demanded.
    """

    def answer(seen: Seen) -> Reply:
        asked = dict(parse_qsl(seen.body.decode()))
        if trouble := account.trouble(seen):
            return _denied("SignatureDoesNotMatch", trouble)
        if asked.get("Action") != "AssumeRole" or any(asked.get(name) != wanted for name, wanted in keys.items()):
            return _denied("AccessDenied", f"not allowed: sts:AssumeRole on {asked.get('RoleArn')}")
        return Reply(chunks=[issue().document()], content_type="text/xml")

    return answer


def _denied(code: str, text: str) -> Reply:
    body = f"<ErrorResponse><Error><Code>{code}</Code><Message>{text}</Message></Error></ErrorResponse>"
    return Reply(status=403, chunks=[body.encode()], content_type="text/xml")


def model_of(seen: Seen) -> str | None:
    """Return the model that a call of InvokeModel names; None for anything else."""
    match seen.path.split("/"):
        case ["", "model", model, "invoke" | "invoke-with-response-stream"] if seen.method == "POST":
            return unquote(model)
        case _:
            return None
