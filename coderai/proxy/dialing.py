"""Connections to the targets of tunnels: the name resolved once, the addresses judged, one of those dialled."""

import asyncio
import base64
import os
import re
import socket
import ssl
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import Final, cast
from urllib.parse import unquote, urlsplit

import aiohappyeyeballs

from coderai.errors import BadSettings
from coderai.proxy.head import Connect
from coderai.proxy.lookups import Address, Lookups
from coderai.proxy.refusals import Refusal
from coderai.proxy.targets import Rules, private_address
from coderai.proxy.tunnel import Side

SECONDS: Final = 10.0
"""For all of it: the name, the connection, the word of the next proxy."""
_STAGGER: Final = 0.25
_REPLY_BYTES: Final = 1 << 14
_STATUS: Final = re.compile(rb"HTTP/1\.[01] ([1-5][0-9]{2})(?: [^\r\n]*)?\r\n")

Resolve = Callable[[str, int], Awaitable[Sequence[Address]]]
"""Takes a name and a port. Raises OSError."""


@dataclass(frozen=True, slots=True)
class Onward:
    """The proxy through which all tunnels lead."""

    host: str
    port: int
    tls: ssl.SSLContext | None
    authorization: bytes = field(repr=False, default=b"")
    """The value of ``Proxy-Authorization``."""

    @property
    def shown(self) -> str:
        """Where it is, without its credentials."""
        return f"{'https' if self.tls else 'http'}://{self.host}:{self.port}"


def onward(url: str, ca_file: str) -> Onward:
    """Read the options about the next proxy. Raises BadSettings, without repeating credentials."""
    flag = "--aibridge-proxy-upstream"
    right = 'right would be "http://user:password@proxy.example.com:3128"'
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise BadSettings(f"{flag} is no URL; {right}") from error
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.path.strip("/") or parts.query:
        raise BadSettings(f"{flag} must be http:// or https://, a host and a port, nothing behind; {right}")
    user, colon, password = parts.netloc.rpartition("@")[0].partition(":")
    if "@" in parts.netloc and not user and not password:
        raise BadSettings(f"{flag} has an @ without a user or a password before it; {right}")
    credentials = f"{unquote(user)}:{unquote(password)}" if user or colon else ""
    tls = parts.scheme == "https"
    return Onward(
        parts.hostname,
        port or (443 if tls else 80),
        _trust(ca_file) if tls else None,
        b"Basic " + base64.b64encode(credentials.encode()) if credentials else b"",
    )


def _trust(ca_file: str) -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if ca_file:
        flag = f"--aibridge-proxy-upstream-ca {ca_file}"
        try:
            context.load_verify_locations(cadata=Path(ca_file).read_text())
        except OSError as error:
            # an SSLError is one, too
            reason = "holds no certificate" if isinstance(error, ssl.SSLError) else f"cannot be read: {error.strerror}"
            raise BadSettings(f"{flag} {reason}") from error
        except ValueError as error:
            raise BadSettings(f"{flag} holds no certificate") from error
    return context


class Dialer:
    """Opens connections to targets, directly or through the next proxy."""

    def __init__(
        self,
        rules: Rules,
        through: Onward | None = None,
        *,
        seconds: float = SECONDS,
        resolve: Resolve | None = None,
    ) -> None:
        self._rules = rules
        self._through = through
        self._seconds = seconds
        self._resolve = resolve or Lookups()

    async def dial(self, wanted: Connect) -> Side | Refusal:
        """Return the far side of a tunnel, or why there is none."""
        if refusal := self._rules.refuses(wanted.host, wanted.port):
            return refusal
        try:
            async with asyncio.timeout(self._seconds):
                found = await self._addresses(wanted)
                if isinstance(found, Refusal):
                    return found
                if self._through is not None:
                    return await self._asked(self._through, wanted)
                return await _connected(found)
        except TimeoutError:
            text = f"no connection to {wanted.target} within {self._seconds:g} s"
            return Refusal(HTTPStatus.GATEWAY_TIMEOUT, "timeout", text)
        except OSError as error:
            return _unreachable(f"{wanted.target} cannot be reached: {_words(error)}")

    async def _addresses(self, wanted: Connect) -> Sequence[Address] | Refusal:
        """Resolve the name, here and only once. Raises OSError."""
        try:
            found = await self._resolve(wanted.host, wanted.port)
        except (socket.gaierror, UnicodeError):
            return _unreachable(f"the name {wanted.host} cannot be resolved")
        addresses = [str(each[4][0]) for each in found]
        good = set(self._rules.reachable(wanted.host, wanted.port, addresses))
        if not good or (self._through is not None and len(good) < len(set(addresses))):
            return private_address(wanted.host, wanted.port)  # the next proxy will choose for itself
        return [each for each in found if each[4][0] in good]

    async def _asked(self, proxy: Onward, wanted: Connect) -> Side | Refusal:
        """Ask the next proxy for the target. Raises OSError."""
        loop = asyncio.get_running_loop()
        name = proxy.host if proxy.tls is not None else None
        try:
            transport, reply = await loop.create_connection(
                _Reply, proxy.host, proxy.port, ssl=proxy.tls, server_hostname=name
            )
        except OSError as error:
            return _unreachable(f"the next proxy, {proxy.shown}, cannot be reached: {_words(error)}")
        kept = False
        try:
            headers = b"Proxy-Authorization: %b\r\n" % proxy.authorization if proxy.authorization else b""
            target = wanted.target.encode()
            transport.write(b"CONNECT %b HTTP/1.1\r\nHost: %b\r\n%b\r\n" % (target, target, headers))
            status, early = await reply.said
            if status is None or not 200 <= status < 300:
                said = "gave no answer of HTTP" if status is None else f"answered {status} for {wanted.target}"
                return _unreachable(f"the next proxy, {proxy.shown}, {said}")
            side = Side()
            side.connection_made(transport)
            transport.set_protocol(side)
            if early:
                side.data_received(early)
            kept = True
            return side
        finally:
            if not kept:
                transport.abort()


async def _connected(found: Sequence[Address]) -> Side:
    """Dial one of the addresses, a second one beside the first when that is slow. Raises OSError."""
    connection = await aiohappyeyeballs.start_connection(found, happy_eyeballs_delay=_STAGGER, interleave=1)
    try:
        _, side = await asyncio.get_running_loop().create_connection(Side, sock=connection)
    except BaseException:
        connection.close()
        raise
    return side


class _Reply(asyncio.Protocol):
    """Waits for the next proxy's answer; reading stops there until the tunnel stands."""

    def __init__(self) -> None:
        self.said: asyncio.Future[tuple[int | None, bytes]] = asyncio.get_running_loop().create_future()
        """The status, None for what is no HTTP, and what came behind the answer."""
        self._transport: asyncio.Transport | None = None
        self._pieces = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self._pieces += data
        head, end, early = self._pieces.partition(b"\r\n\r\n")
        if end or len(self._pieces) > _REPLY_BYTES:
            status = _STATUS.match(head + b"\r\n")
            self._say(int(status[1]) if end and status else None, early)
            if self._transport is not None:
                self._transport.pause_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        self._say(None, b"")

    def _say(self, status: int | None, early: bytes) -> None:
        if not self.said.done():
            self.said.set_result((status, early))


def _unreachable(text: str) -> Refusal:
    return Refusal(HTTPStatus.BAD_GATEWAY, "unreachable", text)


def _words(error: OSError) -> str:
    """Say what happened without the addresses that the system's text names."""
    if isinstance(error, ssl.SSLError):
        return f"TLS failed ({getattr(error, 'verify_message', '') or error.reason})"
    if isinstance(error, socket.gaierror):
        return "its name cannot be resolved"
    number = error.errno or 0
    return os.strerror(number) if number > 0 else "none of its addresses answers"
