"""How a dumped request and answer look: names of files, heads, bodies, and what is masked in them. No I/O."""

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import quote, urlsplit

import msgspec

from coderai.access.credentials import mask
from coderai.errors import Invalid, TooLarge
from coderai.gateway.headers import Headers
from coderai.gateway.upstream import Call
from coderai.wire.body import decoded

SUFFIXES: Final = (".req.txt", ".resp.txt", ".req_error.txt")

_PRETTY_BYTES: Final = 1 << 20
"""Longer documents stay as they are: laying them out would hold up everybody."""
_DECODED_BYTES: Final = 64 << 20
_SHORTEST_SECRET: Final = 8
"""Anything shorter is no secret, and would turn up in ordinary words."""

_SECRET_HEADERS: Final = frozenset(
    {
        *(b"authorization", b"proxy-authorization", b"x-api-key", b"api-key", b"x-goog-api-key", b"x-auth-token"),
        *(b"x-amz-security-token", b"cookie", b"set-cookie", b"www-authenticate", b"proxy-authenticate"),
    }
)
_SECRET_PREFIXES: Final = (b"x-coder-", b"coder-", b"x-coderai-")
_SECRET_PARAMETER: Final = re.compile(
    rb"(?i)([?&](?:key|api[-_]?key|access_token|token|secret|signature|sig|x-amz-(?:signature|credential|security-token))=)"
    rb"([^&#\s]*)"
)


def folder(name: str) -> str:
    """Return *name*, for example of a model, as the name of one folder that cannot lead anywhere else."""
    safe = re.sub(r"[^A-Za-z0-9._:@+-]", "-", name)[:120]
    return re.sub(r"^[.-]+", lambda found: "_" * len(found.group()), safe) or "unknown"


def passed_stem(path: str) -> str:
    """Return the part of a file's name that says which path was passed through."""
    return folder(path.lstrip("/"))[:80]


def secrets_of(headers: Headers) -> Iterator[str]:
    """Yield the credentials that travel in *headers*, with their scheme and without."""
    for name, value in headers:
        if _is_secret(name):
            text = value.decode("utf-8", "surrogateescape").strip()
            yield text
            yield text.rpartition(" ")[2]


def pieces_of(secret: str) -> Iterator[str]:
    """Yield the ways in which *secret* may be written: as it is, in a URL, in JSON."""
    if len(secret) >= _SHORTEST_SECRET:
        yield secret
        yield quote(secret, safe="", errors="replace")
        yield json.dumps(secret)[1:-1]


class Masks:
    """Puts a mask in the place of known secrets, also where one comes in several chunks."""

    def __init__(self, secrets: Iterable[str]) -> None:
        known = {piece.encode("utf-8", "surrogateescape") for secret in secrets for piece in pieces_of(secret)}
        ordered = sorted(known, key=len, reverse=True)  # the longest first, where one is part of another
        self._known = ordered
        self._pattern = re.compile(b"|".join(map(re.escape, ordered)) or rb"(?!)")
        self.overlap = len(ordered[0]) - 1 if ordered else 0
        """A secret that has begun in a chunk may need so many bytes more, less one."""

    def found_in(self, data: bytes) -> Iterator[re.Match[bytes]]:
        """Yield the secrets in *data*, in order. The pattern is slow, and looking for one after the other is not."""
        return self._pattern.finditer(data) if any(known in data for known in self._known) else iter(())

    def whole(self, data: bytes) -> bytes:
        """Return *data* without the secrets."""
        return self._pattern.sub(_masked, data) if any(known in data for known in self._known) else data

    def stream(self) -> "MaskedStream":
        """Return what does the same with a stream."""
        return MaskedStream(self)


class MaskedStream:
    """Keeps back as many bytes as a secret that has only begun may need."""

    def __init__(self, masks: Masks) -> None:
        self._masks = masks
        self._kept = b""

    def feed(self, chunk: bytes) -> bytes:
        """Return what is certain by now."""
        data = self._kept + chunk
        out, done = [], 0
        for found in self._masks.found_in(data):
            out += [data[done : found.start()], _masked(found)]
            done = found.end()
        certain = max(done, len(data) - self._masks.overlap)
        self._kept = data[certain:]
        return b"".join([*out, data[done:certain]])

    def close(self) -> bytes:
        """Return the rest."""
        kept, self._kept = self._kept, b""
        return kept


def _masked(found: re.Match[bytes]) -> bytes:
    return mask(found.group().decode("utf-8", "surrogateescape")).encode("utf-8", "surrogateescape")


@dataclass(frozen=True, slots=True)
class Request:
    """A request as it goes upstream. A copy of a ``Call``, whose body does not stay."""

    method: str
    url: str
    headers: Headers = field(repr=False)
    body: bytes = field(repr=False)

    @classmethod
    def of(cls, call: Call) -> "Request":
        """Return what *call* says now."""
        return cls(call.method, call.url, call.headers, call.body)

    def text(self, masks: Masks) -> bytes:
        """Return the file."""
        parts = urlsplit(self.url)
        target = parts.path + (f"?{parts.query}" if parts.query else "")
        first = f"{self.method} {target} HTTP/1.1".encode("utf-8", "surrogateescape")
        body = masks.whole(_readable(self.body, self._header(b"content-encoding")))
        ours = [(b"Host", parts.netloc.rpartition("@")[2].encode("utf-8", "surrogateescape"))]
        if body or self.method not in ("GET", "HEAD", "DELETE"):
            ours.append((b"Content-Length", b"%d" % len(body)))
        first = _SECRET_PARAMETER.sub(rb"\1...", first)
        return _head(first, [*self.headers, *ours], masks) + body + b"\n"

    def _header(self, name: bytes) -> str:
        return next((value.decode("ascii", "replace") for each, value in self.headers if each.lower() == name), "")


def answer_head(status: int, headers: Headers, masks: Masks) -> bytes:
    """Return the beginning of the file for an answer."""
    return _head(b"HTTP/1.1 %d" % status, headers, masks)


def _head(first: bytes, headers: Headers, masks: Masks) -> bytes:
    lines = [masks.whole(first)]
    for name, value in sorted(headers, key=lambda header: header[0].lower()):
        if _is_secret(name):
            value = mask(value.decode("utf-8", "surrogateescape")).encode("utf-8", "surrogateescape")
        lines.append(name + b": " + masks.whole(value))
    return b"".join(line.replace(b"\r", b"\\r").replace(b"\n", b"\\n") + b"\r\n" for line in lines) + b"\r\n"


def _is_secret(name: bytes) -> bool:
    lowered = name.lower()
    return lowered in _SECRET_HEADERS or lowered.startswith(_SECRET_PREFIXES)


def _readable(body: bytes, encoding: str) -> bytes:
    """Return *body* decoded, and JSON laid out with its own order, numbers and escapes."""
    if encoding and encoding.strip().lower() != "identity":
        try:
            body = decoded(body, encoding, _DECODED_BYTES)
        except (Invalid, TooLarge):
            return b"[%d bytes in an encoding that cannot be read]" % len(body)
    if not body or len(body) > _PRETTY_BYTES or body[:1] not in b"{[":
        return body
    try:
        return msgspec.json.format(body, indent=2)
    except (ValueError, RecursionError):
        return body
