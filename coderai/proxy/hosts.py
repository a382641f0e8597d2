"""Where the providers are: which hosts are intercepted, and which path of them is which route of the gateway."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol
from urllib.parse import unquote, urlsplit

from coderai.providers.family import Family, unclean
from coderai.providers.registry import Instance
from coderai.proxy.head import canonical

_TLS_PORT: Final = 443
_PLAIN_PORT: Final = 80
_DECODINGS: Final = 3

EXCLUDED: Final = "proxy_excluded"
"""The state of an enabled provider whose base URL another one has too."""


@dataclass(frozen=True, slots=True)
class Place:
    """One provider's base URL, taken apart."""

    name: str
    base_path: str
    """Without a slash at its end."""
    family: Family | None
    """Its prefix stands for the base path in the gateway's own routes; None for a provider that cannot be used."""
    state: str
    """See ``registry.Instance``."""

    @property
    def enabled(self) -> bool:
        """Whether it may be called."""
        return self.state == "enabled"

    def holds(self, path: str) -> bool:
        """Whether a raw *path* is below the base URL."""
        return path.startswith(self.base_path) and path[len(self.base_path) : len(self.base_path) + 1] == "/"

    def route(self, path: str) -> str:
        """Return what follows the gateway's own prefix for a path that it holds."""
        return f"{self.name}{self._within(path)}"

    def knows(self, path: str) -> bool:
        """Whether a path that it holds is one that the gateway would send there."""
        return self.family is not None and self.family.route(self._within(path)) is not None

    def _within(self, path: str) -> str:
        return f"{self.family.prefix if self.family else ''}{path[len(self.base_path) :]}"

    def may_hold(self, path: str) -> bool:
        """Whether a server might take *path* for one below the base URL, however it is written."""
        decoded = path
        for _ in range(_DECODINGS):
            decoded = unquote(decoded, errors="replace")
        return unclean(path) or decoded.casefold().startswith(self.base_path.casefold())


@dataclass(frozen=True, slots=True)
class Host:
    """A host and port at which providers are."""

    tls: bool
    """False where the base URL begins with http://."""
    places: tuple[Place, ...]
    """The longest base path first."""

    @property
    def enabled(self) -> bool:
        """Whether any of its providers may be called."""
        return any(place.enabled for place in self.places)

    def find(self, path: str) -> Place | None:
        """Return the place for the raw *path*: of several that hold it, one that knows it."""
        held = [place for place in self.places if place.holds(path)]
        if len(held) < 2:
            return held[0] if held else None
        return next((place for place in held if place.knows(path)), held[0])


class Providers(Protocol):
    """The part of ``providers.registry.Registry`` that is read."""

    revision: int

    def all(self) -> Sequence[Instance]: ...


class Hosts:
    """The hosts of the providers in force: made anew when those have changed, never by half."""

    def __init__(self, providers: Providers) -> None:
        self._providers = providers
        self._revision = -1
        self._hosts: dict[tuple[str, int], Host] = {}
        self._excluded: dict[str, str] = {}

    def find(self, host: str, port: int) -> Host | None:
        """Return the host of providers, some of which may be disabled; None when none is there."""
        self._refresh()
        return self._hosts.get((host, port))

    def excluded(self) -> dict[str, str]:
        """Return enabled providers that are reached by the gateway's own URL only, and which one has their place."""
        self._refresh()
        return dict(self._excluded)

    def _refresh(self) -> None:
        if self._revision != self._providers.revision:
            self._revision = self._providers.revision
            self._hosts, self._excluded = routing(self._providers.all())


def routing(instances: Iterable[Instance]) -> tuple[dict[tuple[str, int], Host], dict[str, str]]:
    """Return the hosts of *instances*, and those that are excluded with the name of who is there instead of them.

    Several providers may share a host, each below its own base path. Of two with the same base URL the first by name
    counts, an enabled one before any other.
    """
    found: dict[tuple[str, int], list[tuple[bool, Place]]] = {}
    excluded: dict[str, str] = {}
    for instance in sorted(instances, key=lambda each: (each.state != "enabled", each.name)):
        at = _where(instance)
        if at is None:
            continue
        tls, host, port, place = at
        known = found.setdefault((host, port), [])
        same = next((other for _, other in known if other.base_path == place.base_path), None)
        if same is None:
            known.append((tls, place))
        elif place.enabled:
            excluded[place.name] = same.name
    hosts = {
        key: Host(places[0][0], tuple(sorted((place for _, place in places), key=lambda each: -len(each.base_path))))
        for key, places in found.items()
    }
    # Who asks for port 80 of a provider means the provider; what is said there is answered with a reason.
    plain = {(host, _PLAIN_PORT): each for (host, port), each in hosts.items() if port == _TLS_PORT}
    return plain | hosts, excluded


def _where(instance: Instance) -> tuple[bool, str, int, Place] | None:
    """Return scheme, host, port and place of a provider; None for one without a host of its own."""
    parts = urlsplit(instance.base_url)
    name = parts.hostname or ""
    if not name.isascii():
        try:
            name = name.encode("idna").decode()
        except UnicodeError:
            return None
    host = canonical(f"[{name}]" if ":" in name else name)
    if host is None or parts.scheme not in ("http", "https"):
        return None
    tls = parts.scheme == "https"
    place = Place(instance.name, parts.path.rstrip("/"), instance.family, instance.state)
    return tls, host, parts.port or (_TLS_PORT if tls else _PLAIN_PORT), place
