"""What a family of provider types has in common: routes, how paths are joined, where the key goes."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import unquote

from coderai.records import Api

_DECODINGS: Final = 3
"""Servers one behind the other may each undo the percent signs once."""
_CUTTING: Final = re.compile(r"[\\#]")


@dataclass(frozen=True, slots=True)
class Route:
    """A client path that the family knows."""

    path: str
    """What is appended to the base URL."""
    pattern: str
    """The entry of the table that matched; bounded, so fit for a metric label."""
    api: Api | None
    """The wire API to record; None is passed through unrecorded."""


@dataclass(frozen=True, slots=True)
class Auth:
    """The header in which a provider wants its key."""

    header: str
    scheme: str = ""
    """Put before the key, for example ``Bearer ``."""
    takes_tokens: bool = False
    """An access token (a JSON web token) goes as ``Authorization: Bearer`` instead."""

    def headed(self, key: str) -> tuple[str, str]:
        """Return name and value of the header for *key*."""
        if self.takes_tokens and key.startswith("eyJ") and key.count(".") == 2:
            return "Authorization", f"Bearer {key}"
        return self.header, self.scheme + key


@dataclass(frozen=True, slots=True)
class Family:
    """One row per family. An allow-list, because the central key may have administrative rights at the provider."""

    name: str
    """Recorded as ``provider``."""
    prefix: str
    """Part of the client's path that the provider's base URL already contains."""
    recorded: Mapping[str, Api]
    passed: tuple[str, ...]
    """Paths below the prefix; a trailing ``/*`` covers everything below."""
    auth: Auth
    headers: Mapping[str, str] = field(default_factory=dict)
    """Sent where the client sent none of that name."""
    other_prefixes: Mapping[str, str] = field(default_factory=dict)
    """What tools with another idea of the base URL put before a path, and what it stands for."""
    own_credential_only: bool = False
    """Calls go with the caller's own credential, never with a central one."""
    remark: str = ""
    """Said when a path is refused that is not among the routes."""

    def route(self, path: str) -> Route | None:
        """Return the route for a raw client path below the instance, or None when it is not ours to send."""
        prefixes = ((self.prefix, ""), *self.other_prefixes.items())
        rests = [meant + path[len(prefix) :] for prefix, meant in prefixes if path.startswith(prefix + "/")]
        for rest in rests:
            if rest in self.recorded:
                return Route(rest, self.prefix + rest, self.recorded[rest])
        if unclean(path):
            return None
        return next(filter(None, map(self._passed, rests)), None)

    def _passed(self, rest: str) -> Route | None:
        if rest.rstrip("/") in self.recorded:  # many servers take both for the same: it would go by unrecorded
            return None
        for pattern in self.passed:
            if rest == pattern or (pattern.endswith("/*") and rest.startswith(pattern[:-1])):
                return Route(rest, self.prefix + pattern, None)
        return None


def unclean(path: str) -> bool:
    """What a provider, or a server before it, may take for another path than the one that was looked at here.

    Dots, empty segments and back-slashes could leave the allowed subtree once they are resolved, and what follows a
    fragment's ``#``, white space at the end, or a ``;`` is cut off by some.
    """
    decoded = path
    for _ in range(_DECODINGS):
        if "%" not in decoded:
            break
        decoded = unquote(decoded, errors="replace")
    if not decoded.isprintable() or _CUTTING.search(decoded):
        return True
    *before, last = (segment.partition(";")[0].strip() for segment in decoded[1:].split("/"))
    return "" in before or bool({".", ".."} & {*before, last}) or (last == "" and not path.endswith("/"))
