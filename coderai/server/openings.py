"""Addresses that the server listens on, taken before anything else is touched: a taken port must change nothing."""

import errno
import os
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self, TypeVar

from coderai.errors import BadSettings, CoderaiError, StoreError
from coderai.settings import Settings
from coderai.settings.forms import split_address
from coderai.store.engine import revision_of

if TYPE_CHECKING:
    from coderai.server.certificates import Certificates
    from coderai.server.intercepting import Prepared

_T = TypeVar("_T")

_EVERYWHERE: Final = (None, "", "0.0.0.0", "::")  # noqa: S104 - compared, not bound


_NOT_HERE: Final = (errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL)
"""Of one address of several: a name may stand for IPv6 on a machine without it."""


@dataclass(frozen=True, slots=True)
class Opening:
    """Bound sockets of one address; nobody can connect yet."""

    flag: str
    """The option that holds the address."""
    address: str
    sockets: Sequence[socket.socket] = field(default_factory=list)

    def url(self, scheme: str, name: str = "") -> str:
        """Return where it is reached: by *name*, or from this machine."""
        host = split_address(self.address)[0]
        first = self.sockets[0]  # of "[::]", which is IPv6 only
        here = "::1" if host == "::" and first.family == socket.AF_INET6 else "127.0.0.1"
        shown = name or (here if host is None or host in _EVERYWHERE else host)
        bound = first.getsockname()[1]
        return f"{scheme}://[{shown}]:{bound}" if ":" in shown else f"{scheme}://{shown}:{bound}"

    def close(self) -> None:
        """Give the address back."""
        for each in self.sockets:
            each.close()


@dataclass(frozen=True, slots=True)
class Openings:
    """All that strangers can connect to; a context that gives the addresses back."""

    http: Opening | None = None
    tls: Opening | None = None
    metrics: Opening | None = None
    certificates: "Certificates | None" = None
    proxy: Opening | None = None
    interception: "Prepared | None" = None
    """What the proxy needs."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for each in (self.http, self.tls, self.metrics, self.proxy):
            if each is not None:
                each.close()


async def openings(settings: Settings) -> Openings:
    """Take the addresses and read the certificates. Raises an ExceptionGroup with everything that is in the way.

    The database is only looked at, and only when something else is wrong already: a server that cannot start must not
    migrate it under another one's feet.
    """
    problems: list[CoderaiError] = []
    before: list[Opening] = []

    def taken(wanted: bool, flag: str, address: str) -> Opening | None:
        opening = _tried(lambda: bind(flag, address), problems) if wanted else None
        if opening is not None:
            problems.extend(BadSettings(_both(opening, other)) for other in before if _overlap(opening, other))
            before.append(opening)
        return opening

    found = Openings(
        taken(bool(settings.http_address), "--http-address", settings.http_address),
        taken(settings.tls_enable, "--tls-address", settings.tls_address),
        taken(settings.prometheus_enable, "--prometheus-address", settings.prometheus_address),
        _tried(lambda: _certificates(settings), problems) if settings.tls_enable else None,
        taken(settings.aibridge_proxy_enabled, "--aibridge-proxy-listen-addr", settings.aibridge_proxy_listen_addr),
        _tried(lambda: _interception(settings), problems) if settings.aibridge_proxy_enabled else None,
    )
    if not problems:
        return found
    with found:
        try:
            await revision_of(settings.database)
        except StoreError as error:
            problems.append(error)
    raise ExceptionGroup("the server cannot start", problems)


def _tried(what: Callable[[], _T], problems: list[CoderaiError]) -> _T | None:
    try:
        return what()
    except BadSettings as error:
        problems.append(error)
    except ExceptionGroup as group:
        found, other = group.split(BadSettings)
        if other is not None or found is None:
            raise
        problems += [each for each in found.exceptions if isinstance(each, BadSettings)]
    return None


def _overlap(one: Opening, other: Opening) -> bool:
    """Whether only one of them could listen; binding alone succeeds for both."""
    for mine in one.sockets:
        for theirs in other.sockets:
            hosts = {mine.getsockname()[0], theirs.getsockname()[0]}
            same_host = len(hosts) == 1 or not hosts.isdisjoint(_EVERYWHERE)
            if mine.family == theirs.family and mine.getsockname()[1] == theirs.getsockname()[1] and same_host:
                return True
    return False


def _both(one: Opening, other: Opening) -> str:
    return f"cannot listen on {one.flag} {one.address}: {other.flag} {other.address} is the same; choose another port"


def _certificates(settings: Settings) -> "Certificates":
    from coderai.server.certificates import Certificates  # X.509 takes a while to import

    return Certificates(settings)


def _interception(settings: Settings) -> "Prepared":
    from coderai.server.intercepting import prepared  # only where it is wanted

    return prepared(settings)


def bind(flag: str, address: str) -> Opening:
    """Take *address*, the value of *flag*. Raises BadSettings."""
    host, port = split_address(address)
    sockets: list[socket.socket] = []
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        for family, kind, protocol, _, where in dict.fromkeys(found):
            try:
                sockets.append(_bound(family, kind, protocol, where))
            except OSError as error:
                if len(found) == 1 or error.errno not in _NOT_HERE:
                    raise
    except OSError as error:
        for each in sockets:
            each.close()
        raise BadSettings(f"cannot listen on {flag} {address}: {reason_of(error)}") from error
    if not sockets:
        raise BadSettings(f"cannot listen on {flag} {address}: this machine has no such address")
    return Opening(flag, address, sockets)


def _bound(family: int, kind: int, protocol: int, where: object) -> socket.socket:
    one = socket.socket(family, kind, protocol)
    try:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        one.bind(where)  # type: ignore[arg-type] # what getaddrinfo gave for this family
        one.setblocking(False)
    except OSError:
        one.close()
        raise
    return one


def reason_of(error: OSError) -> str:
    """Say in words why an address cannot be had."""
    if isinstance(error, socket.gaierror):  # its numbers are not those of the system
        return "its name cannot be resolved"
    return os.strerror(error.errno) if error.errno else str(error)
