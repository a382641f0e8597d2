"""Where a reader can go: one table."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from coderai.access.callers import Caller
from coderai.access.roles import Right, may


@dataclass(frozen=True, slots=True)
class Place:
    """One entry of the menu."""

    label: str
    path: str
    group: str
    right: Right


PLACES: Final = (
    Place("Overview", "/overview", "Audit", Right.READ_OWN_RECORDS),
    Place("Sessions", "/aibridge/sessions", "Audit", Right.READ_OWN_RECORDS),
    Place("Live", "/live", "Audit", Right.READ_OWN_RECORDS),
    Place("Audit log", "/audit", "Audit", Right.READ_CHANGES),
    Place("Set up a tool", "/connect", "My access", Right.CALL_MODELS),
    Place("My tokens", "/tokens", "My access", Right.KEEP_OWN_TOKENS),
    Place("My provider keys", "/account/keys", "My access", Right.KEEP_OWN_KEYS),
    Place("My models", "/account/models", "My access", Right.CHOOSE_OWN_MODELS),
    Place("Account", "/account", "My access", Right.READ_SELF),
    Place("Providers", "/ai/settings/providers", "Gateway", Right.KEEP_PROVIDERS),
    Place("Models", "/ai/settings/models", "Gateway", Right.READ_ALL_MODELS),
    Place("Model overrides", "/ai/settings/overrides", "Gateway", Right.KEEP_MODELS),
    Place("Users", "/users", "Gateway", Right.READ_USERS),
    Place("Settings", "/settings", "Gateway", Right.READ_DEPLOYMENT),
)


@dataclass(frozen=True, slots=True)
class Reader:
    """Who looks at a page, as ``GET /api/v2/users/me`` says it."""

    id: str
    username: str
    name: str
    email: str
    roles: frozenset[str]

    @classmethod
    def of(cls, user: Any) -> "Reader":
        """Read the API's document."""
        roles = frozenset(role["name"] for role in user["roles"])
        return cls(user["id"], user["username"], user["name"] or user["username"], user["email"], roles)

    def may(self, right: Right) -> bool:
        """Whether his roles allow it; what his token allows beside that the API says when it is asked."""
        return may(Caller(self.id, self.username, self.roles), right)


def menu(reader: Reader) -> dict[str, list[Place]]:
    """Return the places that *reader* can go to, by group."""
    groups: dict[str, list[Place]] = {}
    for place in _open_to(reader):
        groups.setdefault(place.group, []).append(place)
    return groups


def _open_to(reader: Reader) -> Iterator[Place]:
    return (place for place in PLACES if reader.may(place.right))
