"""The head of a CONNECT request, read strictly: what two programs read differently is a way around one of them."""

import base64
import binascii
import re
import socket
from dataclasses import dataclass, field
from http import HTTPStatus
from ipaddress import IPv6Address
from typing import Final

from coderai.proxy.refusals import Refusal

MOST_BYTES: Final = 1 << 16
MOST_HEADERS: Final = 100
_LINE_BYTES: Final = 1 << 13
"""Of the request line."""
_TLS_HANDSHAKE: Final = 0x16
_VERSION: Final = re.compile(r"HTTP/1\.[01]")
_METHOD: Final = re.compile(rb"[A-Za-z]{1,32} ")
_HEADER: Final = re.compile(rb"([A-Za-z0-9!#$%&'*+.^_`|~-]+):[ \t]*([^\x00-\x08\x0a-\x1f\x7f]*)")
_HOST: Final = re.compile(
    r"(?=.{1,253}$)([a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?\.)*[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?"
)
_NUMBER: Final = re.compile(r"[0-9]+|0x[0-9a-f]*")


@dataclass(frozen=True, slots=True)
class Connect:
    """Somebody wants to talk to a host."""

    host: str
    """As compared: a name in lower case without a dot at its end, or an address in its usual form without brackets."""
    port: int
    token: str | None = field(repr=False)
    """From the credentials; None when there are none, empty when they cannot be used."""
    persistent: bool
    """The connection may be used again after a refusal."""

    @property
    def target(self) -> str:
        """Host and port as they are written."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class HeadReader:
    """Collects the pieces of one head."""

    def __init__(self) -> None:
        self._pieces = bytearray()

    @property
    def empty(self) -> bool:
        """Nothing has come so far."""
        return not self._pieces

    def feed(self, data: bytes) -> Connect | Refusal | None:
        """Return what is wanted, or why that cannot be; None while the head is not complete."""
        seen = max(len(self._pieces) - 3, 0)
        self._pieces += data
        if self._pieces and self._pieces[0] == _TLS_HANDSHAKE:
            return _bad('this port speaks plain HTTP: write "http://" before the proxy\'s address')
        end = self._pieces.find(b"\r\n\r\n", seen)
        if end < 0:
            return self._too_long() or self._surely_wrong(seen)
        if end > MOST_BYTES:
            return _TOO_LARGE
        if end + 4 < len(self._pieces):
            return _bad("bytes follow the head: nothing may be sent before the CONNECT is answered")
        return _read(bytes(self._pieces[:end]))

    def _too_long(self) -> Refusal | None:
        pieces = self._pieces
        line = pieces.find(b"\r\n", 0, _LINE_BYTES + 2)
        return _TOO_LARGE if len(pieces) > MOST_BYTES or (line < 0 and len(pieces) > _LINE_BYTES) else None

    def _surely_wrong(self, seen: int) -> Refusal | None:
        """Say at once what no further byte can mend, instead of letting the client wait for the time limit."""
        start = bytes(self._pieces[:33])
        if len(start) == 33 and not _METHOD.match(start):
            return _bad("this is no HTTP request")
        return _bad("lines of a head end in CR and LF") if self._pieces.find(b"\n\n", seen) >= 0 else None


_TOO_LARGE: Final = Refusal(
    HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
    "head_too_large",
    f"the head of a request may have {MOST_BYTES} bytes, {MOST_HEADERS} headers, and {_LINE_BYTES} bytes in its first"
    " line",
)


def _bad(text: str) -> Refusal:
    return Refusal(HTTPStatus.BAD_REQUEST, "bad_head", text)


def _read(head: bytes) -> Connect | Refusal:
    first, *lines = head.split(b"\r\n")
    if len(first) > _LINE_BYTES or len(lines) > MOST_HEADERS:
        return _TOO_LARGE
    words = first.decode("latin-1").split(" ")
    if len(words) != 3 or not _VERSION.fullmatch(words[2]):
        return _bad("the first line must be: CONNECT host:port HTTP/1.1")
    method, target, version = words
    if method != "CONNECT":
        return _not_connect(target)
    headers: dict[bytes, bytes] = {}
    for line in lines:
        found = _HEADER.fullmatch(line)
        if found is None:
            return _bad("a header of the head is malformed")
        name = found[1].lower()
        if name in headers and name in _ONCE:
            return _bad(f"the header {name.decode()} may be there only once")
        headers[name] = found[2].strip()
    if headers.get(b"content-length", b"0") != b"0" or b"transfer-encoding" in headers:
        return _bad("a CONNECT has no body")
    place = _target(target)
    if isinstance(place, Refusal):
        return place
    return Connect(*place, _token(headers), _persistent(version, headers))


_ONCE: Final = frozenset({b"proxy-authorization", b"host", b"content-length"})


def _not_connect(target: str) -> Refusal:
    if target.startswith("/"):
        return _bad("this is a proxy: set it as HTTPS_PROXY, do not open it as a web site")
    text = "only CONNECT is served here: plain http:// goes without this proxy (leave HTTP_PROXY empty)"
    return Refusal(HTTPStatus.METHOD_NOT_ALLOWED, "not_connect", text)


def _persistent(version: str, headers: dict[bytes, bytes]) -> bool:
    said = (headers.get(b"connection", b"") + b"," + headers.get(b"proxy-connection", b"")).lower()
    return b"close" not in said if version == "HTTP/1.1" else b"keep-alive" in said


def _token(headers: dict[bytes, bytes]) -> str | None:
    """Return the password of ``Proxy-Authorization: Basic``; the user's name does not matter."""
    value = headers.get(b"proxy-authorization")
    if value is None:
        return None
    words = value.split()
    if len(words) != 2 or words[0].lower() != b"basic":
        return ""
    try:
        return base64.b64decode(words[1], validate=True).decode().partition(":")[2]
    except (binascii.Error, UnicodeDecodeError):
        return ""


def _target(text: str) -> tuple[str, int] | Refusal:
    name, colon, port = text.rpartition(":")
    if not colon or not re.fullmatch(r"[0-9]{1,5}", port, re.ASCII) or not 0 < int(port) < 65536:
        return _bad("the target must be host:port, for example api.openai.com:443")
    host = canonical(name)
    return _bad("the target's host is no name and no address") if host is None else (host, int(port))


def canonical(text: str) -> str | None:
    """Return a host in the form in which it is compared; None for what is none.

    Whatever resolvers take for an IPv4 address (one number, hexadecimal, octal) becomes its usual form, and so do
    IPv4 addresses inside IPv6. A zone is no part of a host. Names of other alphabets have to come in their ASCII form.
    """
    if text.startswith("[") and text.endswith("]"):
        try:
            address = IPv6Address(text[1:-1])
        except ValueError:
            return None
        return None if address.scope_id is not None else str(address.ipv4_mapped or address)
    host = text.lower().removesuffix(".")
    if not host.isascii() or not _HOST.fullmatch(host):
        return None
    if not _NUMBER.fullmatch(host.rpartition(".")[2]):
        return host
    try:
        return socket.inet_ntoa(socket.inet_aton(host))
    except OSError:
        return None
