"""The options of the intercepting proxy: every flag starts with ``--aibridge-proxy-``, or ``--ai-gateway-proxy-``."""

import re
from datetime import timedelta
from typing import Annotated, Final

from pydantic import AfterValidator

from coderai.settings.forms import Address, Between, Bool, Int, Networks, OneOf, PositiveDuration, Text, Texts, Url
from coderai.settings.options import Part, proxy

_PATTERN: Final = re.compile(r"(\*\.)?[a-z0-9_-]+(\.[a-z0-9_-]+)*", re.IGNORECASE)


def _check_ports(texts: tuple[str, ...]) -> tuple[str, ...]:
    for text in texts:
        if not re.fullmatch(r"[0-9]{1,5}", text, re.ASCII) or not 0 < int(text) < 65536:
            raise ValueError(f'"{text}" is no port; write for example "80,443"')
    return texts


def _check_hosts(texts: tuple[str, ...]) -> tuple[str, ...]:
    for text in texts:
        if not _PATTERN.fullmatch(text):
            raise ValueError(f'"{text}" is no host; write for example "github.com" or "*.github.com"')
    return tuple(text.lower() for text in texts)


Ports = Annotated[Texts, AfterValidator(_check_ports)]
HostPatterns = Annotated[Texts, AfterValidator(_check_hosts)]
Positive = Annotated[Int, AfterValidator(Between(1))]


class ProxyOptions(Part):
    """The intercepting proxy."""

    aibridge_proxy_enabled: Annotated[Bool, proxy("enabled", "Run the intercepting proxy.")] = False
    aibridge_proxy_listen_addr: Annotated[Address, proxy("listen_addr", "Where the proxy listens.")] = ":8888"
    aibridge_proxy_tls_cert_file: Annotated[Text, proxy("tls_cert_file", "Certificate of the proxy's listener.")] = ""
    aibridge_proxy_tls_key_file: Annotated[Text, proxy("tls_key_file", "Key of the proxy's listener.")] = ""
    aibridge_proxy_cert_file: Annotated[
        Text, proxy("cert_file", "Certificate of the interception CA; empty: proxy-ca.pem in the data directory.")
    ] = ""
    aibridge_proxy_key_file: Annotated[
        Text, proxy("key_file", "Key of the interception CA; empty: proxy-ca.key in the data directory.")
    ] = ""
    aibridge_proxy_domain_allowlist: Annotated[
        Texts,
        proxy(
            "domain_allowlist",
            "Hosts to intercept.",
            note="no effect: the intercepted hosts follow from the providers' base URLs",
            rare=True,
        ),
    ] = ()
    aibridge_proxy_tunnels: Annotated[
        Text,
        AfterValidator(OneOf(("allow", "deny", "allowlist"))),
        proxy("tunnels", "Hosts of no provider: allow tunnels to them, deny, or only to those of the allowlist."),
    ] = "allow"
    aibridge_proxy_tunnel_allowlist: Annotated[
        HostPatterns, proxy("tunnel_allowlist", "Hosts for tunnels with allowlist; *.example.com: all below.")
    ] = ()
    aibridge_proxy_tunnel_ports: Annotated[Ports, proxy("tunnel_ports", "Ports that tunnels may lead to.")] = (
        "80",
        "443",
    )
    aibridge_proxy_outside_paths: Annotated[
        Text,
        AfterValidator(OneOf(("refuse", "pass"))),
        proxy(
            "outside_paths",
            "Paths of an intercepted host that are below no provider's base URL: refuse, or pass (unrecorded).",
        ),
    ] = "refuse"
    aibridge_proxy_upstream: Annotated[
        Text,
        proxy("upstream", "Proxy for tunnelled traffic, http(s)://[user:password@]host:port.", yaml="upstream_proxy"),
    ] = ""
    aibridge_proxy_upstream_ca: Annotated[
        Text, proxy("upstream_ca", "CA file for an https upstream proxy.", yaml="upstream_proxy_ca")
    ] = ""
    aibridge_proxy_allowed_private_cidrs: Annotated[
        Networks, proxy("allowed_private_cidrs", "Private networks that may be reached through the proxy.")
    ] = ()
    aibridge_proxy_max_tunnels: Annotated[
        Positive, proxy("max_tunnels", "Open tunnels, intercepted connections included.", rare=True)
    ] = 2000
    aibridge_proxy_max_tunnels_per_token: Annotated[
        Positive, proxy("max_tunnels_per_token", "Open tunnels of one token.", rare=True)
    ] = 100
    aibridge_proxy_idle_timeout: Annotated[
        PositiveDuration,
        proxy("idle_timeout", "Tunnels without a byte, and intercepted connections without a request.", rare=True),
    ] = timedelta(minutes=15)
    aibridge_proxy_dump_dir: Annotated[
        Text,
        proxy(
            "dump_dir",
            "Directory for dumps of proxied traffic.",
            yaml="api_dump_dir",
            note="no effect: intercepted requests are dumped with all others, see --aibridge-dump-dir",
            rare=True,
        ),
    ] = ""
    aibridge_proxy_target: Annotated[
        Url,
        proxy(
            "target",
            "Where intercepted requests are sent.",
            note="no effect: intercepted requests are served in the same process",
            rare=True,
        ),
    ] = ""
