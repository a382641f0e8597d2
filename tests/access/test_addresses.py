"""The address of a client behind load balancers."""

import pytest
from multidict import CIMultiDict

from coderai.access.addresses import trusted_proxies
from coderai.errors import BadSettings

PROXIES = trusted_proxies(["10.0.0.0/8", "fd00::/8"], ["X-Forwarded-For", "X-Real-Ip"])


@pytest.mark.parametrize(
    ("remote", "headers", "client"),
    [
        ("192.0.2.1", {}, "192.0.2.1"),
        ("192.0.2.1", {"X-Forwarded-For": "198.51.100.7"}, "192.0.2.1"),
        ("10.0.0.1", {"X-Forwarded-For": "198.51.100.7"}, "198.51.100.7"),
        ("10.0.0.1", {"x-forwarded-for": "203.0.113.9, 198.51.100.7, 10.0.0.2"}, "198.51.100.7"),
        ("10.0.0.1", {"X-Forwarded-For": "10.0.0.3, 10.0.0.2"}, "10.0.0.3"),
        ("10.0.0.1", {"X-Forwarded-For": "198.51.100.7, unknown, 10.0.0.2"}, "10.0.0.2"),
        ("10.0.0.1", {"X-Forwarded-For": "nonsense"}, "10.0.0.1"),
        ("10.0.0.1", {"X-Forwarded-For": "", "X-Real-Ip": "198.51.100.7:4711"}, "198.51.100.7"),
        ("::ffff:10.0.0.1", {"X-Forwarded-For": "[2001:db8::1]:443"}, "2001:db8::1"),
        ("fd00::1", {"X-Forwarded-For": "2001:db8::1"}, "2001:db8::1"),
        ("", {"X-Forwarded-For": "198.51.100.7"}, ""),
    ],
)
def test_the_address_nearest_to_us_that_is_no_proxys(remote: str, headers: dict[str, str], client: str) -> None:
    assert PROXIES.client(remote, CIMultiDict(headers)) == client


def test_what_is_no_network_is_named() -> None:
    with pytest.raises(BadSettings, match=r"--proxy-trusted-origins '10\.0\.0\.0/33' is not an address"):
        trusted_proxies(["10.0.0.0/33"], [])
