"""Name constraints: the hosts that an authority may speak for. Whatever it signs for others, clients refuse."""

import ipaddress
import re
from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import Final

from cryptography import x509

from coderai.errors import Invalid

_NAME: Final = re.compile(r"(?=.{1,253}$)[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)*")
_EVERY_ADDRESS: Final = (ipaddress.IPv4Network("0.0.0.0/0"), ipaddress.IPv6Network("::/0"))


def constraints(hosts: Sequence[str]) -> x509.NameConstraints:
    """Return what limits an authority to *hosts* and the names below them. Raises Invalid: not a host.

    A kind of name that is not mentioned would be free: names and addresses are both limited, or ruled out.
    """
    names = [general_name(host) for host in hosts]
    allowed: list[x509.GeneralName] = [name for name in names if isinstance(name, x509.DNSName)]
    addresses = [name for name in names if isinstance(name, x509.IPAddress)]
    allowed += [x509.IPAddress(ipaddress.ip_network(name.value)) for name in addresses]
    refused: list[x509.GeneralName] = []
    if not addresses:
        refused += [x509.IPAddress(network) for network in _EVERY_ADDRESS]
    if len(addresses) == len(names):
        refused.append(x509.DNSName(""))
    return x509.NameConstraints(allowed, refused or None)


def constrained_to(certificate: x509.Certificate) -> list[str]:
    """Return the hosts that *certificate* may speak for; empty when none are named."""
    found = _found(certificate)
    allowed = found.permitted_subtrees if found else None
    return [str(name.value) for name in allowed or () if isinstance(name, x509.DNSName | x509.IPAddress)]


def may_speak_for(certificate: x509.Certificate, host: str) -> bool:
    """Say whether clients believe what *certificate* signs for *host*. Raises Invalid: not a host."""
    found, name = _found(certificate), general_name(host)
    if found is None:
        return True
    allowed = [each for each in found.permitted_subtrees or () if isinstance(each, type(name))]
    return not _covered(name, found.excluded_subtrees or ()) and (not allowed or _covered(name, allowed))


def _found(certificate: x509.Certificate) -> x509.NameConstraints | None:
    try:
        return certificate.extensions.get_extension_for_class(x509.NameConstraints).value
    except x509.ExtensionNotFound:
        return None


def _covered(name: x509.GeneralName, subtrees: Iterable[x509.GeneralName]) -> bool:
    return any(_covers(tree, name) for tree in subtrees)


def _covers(tree: x509.GeneralName, name: x509.GeneralName) -> bool:
    if isinstance(tree, x509.DNSName) and isinstance(name, x509.DNSName):
        return not tree.value or f".{name.value}".endswith("." + tree.value.lower().lstrip("."))
    if isinstance(tree, x509.IPAddress) and isinstance(name, x509.IPAddress):
        return ipaddress.ip_address(str(name.value)) in ipaddress.ip_network(str(tree.value))
    return False


def general_name(host: str) -> x509.GeneralName:
    """Return *host* as certificates write it: an address, or a name in its ASCII form. Raises Invalid."""
    with suppress(ValueError):
        return x509.IPAddress(ipaddress.ip_address(host.strip("[]")))
    try:
        name = host.lower().rstrip(".").encode("ascii" if host.isascii() else "idna").decode()
    except UnicodeError as error:
        raise Invalid(f"{host!r} is no name of a host: {error}") from error
    if not _NAME.fullmatch(name):
        raise Invalid(f'{host!r} is no name of a host and no address; right would be "proxy.example.com"')
    return x509.DNSName(name)
