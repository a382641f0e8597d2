"""Which hosts, ports and addresses a tunnel may lead to."""

from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final, Literal

from coderai.proxy.refusals import Refusal

Network = IPv4Network | IPv6Network
Policy = Literal["allow", "deny", "allowlist"]

_BLOCKED: Final[tuple[Network, ...]] = tuple(
    map(
        ip_network,
        (
            *("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12"),
            *("192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15"),
            *("198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4"),
            # the host itself, IPv4 in disguise, translators, tunnels, documentation, local and multicast
            *("::/96", "::ffff:0:0/96", "::ffff:0:0:0/96", "64:ff9b::/96", "64:ff9b:1::/48", "100::/64"),
            *("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20", "5f00::/16"),
            *("fc00::/7", "fe80::/10", "fec0::/10", "ff00::/8"),
        ),
    )
)


@dataclass(frozen=True, slots=True)
class Rules:
    """What an administrator allows."""

    ports: frozenset[int] = frozenset({80, 443})
    private: tuple[Network, ...] = ()
    """Networks that may be reached although they are private."""
    own: frozenset[tuple[str, int]] = frozenset()
    """Host and port of this gateway: always reachable, wherever its name leads."""
    policy: Policy = "allow"
    allowlist: tuple[str, ...] = ()
    """Names; ``*.example.com`` stands for everything below."""

    def refuses(self, host: str, port: int) -> Refusal | None:
        """Judge a target by its name."""
        if (host, port) in self.own:
            return None
        if port not in self.ports:
            ports = ", ".join(map(str, sorted(self.ports)))
            return _forbidden("port", f"tunnels to port {port} are not allowed; allowed are {ports}")
        if self.policy == "deny":
            return _forbidden("policy", f"{host} belongs to no provider, and other hosts are not reached from here")
        if self.policy == "allowlist" and not self._listed(host):
            return _forbidden("policy", f"{host} is not on this proxy's list of allowed hosts")
        return None

    def _listed(self, host: str) -> bool:
        return any(host == each or (each.startswith("*.") and host.endswith(each[1:])) for each in self.allowlist)

    def reachable(self, host: str, port: int, addresses: Sequence[str]) -> list[str]:
        """Return those of the *addresses* of a target that may be dialled."""
        if (host, port) in self.own:
            return list(addresses)
        return [each for each in addresses if self._public(each)]

    def _public(self, text: str) -> bool:
        try:
            address = ip_address(text)
        except ValueError:  # a zone that is no address here
            return False
        if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
            address = address.ipv4_mapped
        if any(address in network for network in self.private):
            return True
        return not _blocked(address)


def private_address(host: str, port: int) -> Refusal:
    """Return the refusal for a target none of whose addresses may be dialled. They are not named: some are secrets."""
    text = f"{host}:{port} is a private or reserved address; --aibridge-proxy-allowed-private-cidrs makes exceptions"
    return _forbidden("address", text)


def _blocked(address: IPv4Address | IPv6Address) -> bool:
    if isinstance(address, IPv6Address) and address.scope_id is not None:
        return True
    return not address.is_global or address.is_multicast or any(address in network for network in _BLOCKED)


def _forbidden(reason: str, text: str) -> Refusal:
    return Refusal(HTTPStatus.FORBIDDEN, reason, text)
