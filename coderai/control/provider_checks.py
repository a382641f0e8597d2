"""What may be written about a provider through the API: every mistake is found at once, at its field."""

import re
import socket
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Final
from urllib.parse import urlsplit

from coderai.control.users import as_uuid
from coderai.kinds import KINDS, RESERVED_NAMES
from coderai.settings.drafts import MOST_KEYS, NAME
from coderai.settings.forms import check_http_url

MOST_TEXT: Final = 1024
_LONGEST_NAME: Final = 64
_PROTOCOLS: Final = ("", "invoke-model", "mantle")
_REGION: Final = re.compile(r"[a-z0-9-]*", re.ASCII)
BEDROCK_MEMBERS: Final = (
    *("region", "model", "small_fast_model", "access_key", "access_key_secret"),
    *("role_arn", "external_id", "protocol"),
)
_CONFIGURING: Final = ("region", "role_arn", "access_key", "access_key_secret")
"""Model names alone do not make a Bedrock provider."""

Problems = list[tuple[str, str]]
"""Pairs of (field, what is wrong and what would be right)."""


@dataclass(frozen=True, slots=True)
class Written:
    """A provider as somebody wants it to be, put together from what is there and what was sent."""

    type: str
    name: str
    base_url: str
    keys: Sequence[tuple[str, str]] = field(default=(), repr=False)
    """Those that were sent, in their order: (field, key)."""
    kept: int = 0
    """Further keys that stay."""
    bedrock: Mapping[str, str] | None = field(default=None, repr=False)
    """None: no settings of that sort."""

    @property
    def is_bedrock(self) -> bool:
        """Whether it is called through Amazon Bedrock."""
        return self.bedrock is not None and any(self.bedrock.get(name) for name in _CONFIGURING)


Place = tuple[str, int]
"""Host and port, in one spelling. See ``place``."""


def place(host: str, port: int) -> Place:
    """Return where that leads to: whatever means this machine is ``localhost``."""
    name = host.lower().rstrip(".")
    address = _address(name)
    if address is None:
        return "localhost" if name.endswith(".localhost") else name, port
    return "localhost" if address.is_loopback or address.is_unspecified else str(address), port


def _address(name: str) -> IPv4Address | IPv6Address | None:
    try:
        address = ip_address(name)
    except ValueError:
        try:
            return ip_address(socket.inet_aton(name))  # 127.1 and 2130706433 are addresses as well
        except OSError:
            return None
    return getattr(address, "ipv4_mapped", None) or address


def problems(written: Written, own_hosts: Collection[Place]) -> Problems:
    """Return everything that is wrong with *written*; *own_hosts* are those on which this gateway listens."""
    found: Problems = []
    kind = KINDS.get(written.type)
    if kind is None:
        found.append(("type", f"must be one of: {', '.join(KINDS)}"))
    found += _name_problems(written.name)
    found += _url_problems(written, own_hosts)
    found += _key_problems(written)
    found += _bedrock_problems(written)
    if written.type == "bedrock" and not written.is_bedrock:
        found.append(("settings", f"type bedrock needs Bedrock settings with one of: {', '.join(_CONFIGURING)}"))
    if kind is not None and not kind.takes_keys and (written.keys or written.kept):
        found.append(("api_keys", f"a provider of type {written.type} takes no keys; remove them"))
    return found


def _name_problems(name: str) -> Problems:
    if not name:
        return [("name", "is required; it is the route segment, for example anthropic-corp")]
    if not NAME.fullmatch(name) or len(name) > _LONGEST_NAME:
        return [("name", f'may hold only a-z, 0-9 and "-" between them, at most {_LONGEST_NAME} characters')]
    if name in RESERVED_NAMES:
        return [("name", f"is reserved; my-{name} is free")]
    if as_uuid(name):
        return [("name", "looks like an id; no provider could be found by it")]
    return []


def _url_problems(written: Written, own_hosts: Collection[Place]) -> Problems:
    url = written.base_url
    if not url:
        if written.is_bedrock or written.type == "bedrock":
            return []
        kind = KINDS.get(written.type)
        example = (kind.default_base_url or kind.example_base_url) if kind else "https://ai.example.com/v1"
        return [("base_url", f"is required; for example {example}")]
    try:
        check_http_url(url)
    except ValueError as error:
        return [("base_url", str(error))]
    parts = urlsplit(url)
    if "@" in parts.netloc:
        return [("base_url", "no user and no password in the URL, please: keys have a place of their own")]
    if "#" in url or ("?" in url and written.type != "azure"):
        return [("base_url", 'must end before "?" and "#"')]
    if len(url) > MOST_TEXT:
        return [("base_url", f"must have at most {MOST_TEXT} characters")]
    port = parts.port or (443 if parts.scheme == "https" else 80)
    if place(parts.hostname or "", port) in own_hosts:
        return [("base_url", "points at this gateway itself; write the address of the provider")]
    return []


def _key_problems(written: Written) -> Problems:
    found: Problems = []
    seen: set[str] = set()
    for where, key in written.keys:
        if wrong := key_problem(key):
            found.append((where, wrong))
        elif key in seen:
            found.append((where, "is there twice"))
        seen.add(key)
    if (count := len(written.keys) + written.kept) > MOST_KEYS:
        found.append(("api_keys", f"are too many: {count}, at most {MOST_KEYS}"))
    return found


def key_problem(key: str, most: int = MOST_TEXT) -> str:
    """Return what is wrong with a key that has to travel in a header; '' for nothing."""
    if not key or key != key.strip():
        return "must not be empty or have white space around it"
    if not key.isascii() or not key.isprintable() or " " in key:
        return "holds white space or characters beyond ASCII"
    return f"is too long: {len(key)} characters, at most {most}" if len(key) > most else ""


def _bedrock_problems(written: Written) -> Problems:
    bedrock = written.bedrock
    if bedrock is None:
        return []
    kind = KINDS.get(written.type)
    if kind is not None and kind.family != "anthropic":
        return [("settings", f"Bedrock settings do not fit type {written.type}, only anthropic and bedrock")]
    found: Problems = []
    if bool(bedrock.get("access_key")) != bool(bedrock.get("access_key_secret")):
        found.append(("settings", "access_key and access_key_secret belong together: send both or neither"))
    if not _REGION.fullmatch(bedrock.get("region", "")):
        found.append(("settings.region", 'is no AWS region; for example "us-west-2"'))
    if bedrock.get("protocol", "") not in _PROTOCOLS:
        found.append(("settings.protocol", "must be invoke-model or mantle"))
    for name, value in bedrock.items():
        if len(value) > MOST_TEXT or not value.isprintable() or value != value.strip():
            found.append((f"settings.{name}", f"must be at most {MOST_TEXT} printable characters, no space around"))
    return found
