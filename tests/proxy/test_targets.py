"""Which targets of tunnels are allowed."""

from ipaddress import ip_network

import pytest

from coderai.proxy.targets import Rules

PRIVATE = (
    *("0.0.0.0", "0.1.2.3", "10.0.0.1", "100.64.0.1", "127.0.0.1", "127.255.255.255", "169.254.169.254"),
    *("172.16.0.1", "172.31.255.255", "192.0.0.1", "192.0.2.1", "192.88.99.1", "192.168.1.1", "198.18.0.1"),
    *("198.51.100.1", "203.0.113.1", "224.0.0.1", "239.255.255.250", "240.0.0.1", "255.255.255.255"),
    *("::", "::1", "::10.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254", "::ffff:0:10.0.0.1"),
    *(
        "64:ff9b::a00:1",
        "64:ff9b::808:808",
        "64:ff9b:1::1",
        "100::1",
        "2001::1",
        "2001:0:4136:e378:8000:63bf:3fff:fdd2",
    ),
    *("2001:10::1", "2001:db8::1", "2002:a00:1::", "2002:808:808::", "3fff::1", "5f00::1"),
    *("fc00::1", "fd00:ec2::254", "fe80::1", "fe80::1%eth0", "fec0::1", "ff02::1", "ff0e::1", "no address"),
)
PUBLIC = ("1.1.1.1", "8.8.8.8", "172.32.0.1", "100.128.0.1", "2606:4700::1111", "2a00:1450::1", "::ffff:8.8.8.8")


@pytest.mark.parametrize("address", PRIVATE)
def test_a_private_or_odd_address_is_not_dialled(address):
    assert Rules().reachable("a.example", 443, [address]) == []


@pytest.mark.parametrize("address", PUBLIC)
def test_a_public_address_is_dialled(address):
    assert Rules().reachable("a.example", 443, [address]) == [address]


def test_of_several_addresses_the_public_ones_stay():
    assert Rules().reachable("a.example", 443, ["10.0.0.1", "1.1.1.1", "::1"]) == ["1.1.1.1"]


def test_exceptions_are_networks():
    rules = Rules(private=(ip_network("10.1.0.0/16"), ip_network("fd00::/8")))
    asked = ["10.1.2.3", "10.2.2.3", "::ffff:10.1.2.3", "fd00::1", "fc00::1"]
    assert rules.reachable("a.example", 443, asked) == ["10.1.2.3", "::ffff:10.1.2.3", "fd00::1"]


def test_this_gateway_is_always_reachable_by_its_own_name_and_port():
    rules = Rules(own=frozenset({("ai.corp.example", 8443)}), policy="deny")
    assert rules.refuses("ai.corp.example", 8443) is None
    assert rules.reachable("ai.corp.example", 8443, ["10.0.0.1"]) == ["10.0.0.1"]
    assert rules.reachable("ai.corp.example", 443, ["10.0.0.1"]) == []
    assert rules.refuses("ai.corp.example", 443) is not None


@pytest.mark.parametrize(
    ("rules", "host", "port", "reason"),
    [
        (Rules(), "a.example", 443, None),
        (Rules(), "a.example", 80, None),
        (Rules(), "a.example", 22, "port"),
        (Rules(), "a.example", 8443, "port"),
        (Rules(ports=frozenset({22})), "a.example", 22, None),
        (Rules(policy="deny"), "a.example", 443, "policy"),
        (Rules(policy="allowlist", allowlist=("github.com",)), "github.com", 443, None),
        (Rules(policy="allowlist", allowlist=("github.com",)), "api.github.com", 443, "policy"),
        (Rules(policy="allowlist", allowlist=("*.github.com",)), "api.github.com", 443, None),
        (Rules(policy="allowlist", allowlist=("*.github.com",)), "github.com", 443, "policy"),
        (Rules(policy="allowlist", allowlist=("*.github.com",)), "evilgithub.com", 443, "policy"),
    ],
)
def test_names_and_ports_are_judged(rules, host, port, reason):
    refusal = rules.refuses(host, port)
    assert (refusal.reason if refusal else None) == reason
    assert refusal is None or refusal.status == 403
