"""Where a request comes from when it has passed through load balancers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from coderai.errors import BadSettings

Network = IPv4Network | IPv6Network
Address = IPv4Address | IPv6Address


@dataclass(frozen=True, slots=True)
class TrustedProxies:
    """Whose word is believed, and in which headers it stands."""

    networks: tuple[Network, ...] = ()
    headers: tuple[str, ...] = ()

    def client(self, remote: str, headers: Mapping[str, str]) -> str:
        """Return the client's address: the one nearest to us that none of the trusted proxies has.

        *headers* must look names up ignoring case. A header of somebody who is not trusted says nothing.
        """
        if not self._trusts(_address(remote)):
            return remote
        for name in self.headers:
            passed = [each.strip() for each in headers.get(name, "").split(",") if each.strip()]
            nearest = remote
            for text in reversed(passed):
                address = _address(text)
                if address is None:  # who wrote that knows no addresses: the one before it is the last that is known
                    break
                nearest = str(address)
                if not self._trusts(address):
                    break
            if nearest != remote:
                return nearest
        return remote

    def _trusts(self, address: Address | None) -> bool:
        return address is not None and any(address in network for network in self.networks)


NOBODY = TrustedProxies()


def trusted_proxies(origins: Sequence[str], headers: Sequence[str]) -> TrustedProxies:
    """Read the settings. Raises BadSettings for what is no address and no network."""
    networks = []
    for text in origins:
        try:
            networks.append(ip_network(text.strip(), strict=False))
        except ValueError as error:
            rule = "an address or a network such as 10.0.0.0/8"
            raise BadSettings(f"--proxy-trusted-origins {text!r} is not {rule}") from error
    return TrustedProxies(tuple(networks), tuple(headers))


def _address(text: str) -> Address | None:
    """Read an address, also with a port behind it and an IPv6 one in brackets; IPv4 inside IPv6 is IPv4."""
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ip_address(text)
    except ValueError:
        return None
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address
