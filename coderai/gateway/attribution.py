"""Whom a call is for: the person a service account acts for, what the agent firewall says, and what a provider is told.

Which tool, agent and session it comes from is the business of ``clients.py``.
"""

import re
from collections.abc import Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import Final, Protocol
from urllib.parse import quote
from uuid import UUID

from coderai.access.callers import Caller
from coderai.clients import cleaned
from coderai.errors import Invalid
from coderai.gateway.headers import Headers

OWNER: Final = "X-Coder-Owner-Id"
FIREWALL_SESSION: Final = "X-Coder-Agent-Firewall-Session-Id"
FIREWALL_NUMBER: Final = "X-Coder-Agent-Firewall-Sequence-Number"

ACTOR_ID: Final = "X-AI-Bridge-Actor-ID"
ACTOR_USERNAME: Final = "X-AI-Bridge-Actor-Metadata-Username"

_NOTHING: Final[Mapping[str, str]] = MappingProxyType({})
_NUMBER: Final = re.compile(r"[0-9]{1,10}", re.ASCII)
_LARGEST: Final = 2**31 - 1
_VISIBLE: Final = "!\"#$&'()*+,-./:;<=>?@[\\]^_`{|}~"
"""What stays as it is in the value of a header, beside letters and digits; not "%", so that it can be undone."""


class People(Protocol):
    """The part of ``ports.Authority`` that knows people."""

    async def person(self, named: str) -> str: ...


async def acting_for(people: People, caller: Caller, headers: Mapping[str, str]) -> str | None:
    """Return whom the caller acts for: the id of a known user, or the name as it was given; None for nobody.

    Only a token with the permission to delegate may name somebody; anybody could write such a header. Raises
    StoreUnavailable.
    """
    if not caller.delegate:
        return None
    named = cleaned(headers.get(OWNER, ""))
    return await people.person(named) if named else None


def agent_firewall(headers: Mapping[str, str]) -> Mapping[str, str]:
    """Return what the agent firewall says about a request, as metadata. Raises Invalid for half of it, or nonsense."""
    session, number = headers.get(FIREWALL_SESSION), headers.get(FIREWALL_NUMBER)
    if session is None and number is None:
        return _NOTHING
    try:
        session_id = str(UUID(session)) if session and len(session) == 36 else ""
    except ValueError:
        session_id = ""
    if not session_id or not number or not _NUMBER.fullmatch(number) or int(number) > _LARGEST:
        raise Invalid(
            f"invalid agent firewall headers: {FIREWALL_SESSION} must be a UUID and {FIREWALL_NUMBER} a number from 0"
            f" to {_LARGEST}, or neither may be there"
        )
    return {"agent_firewall_session_id": session_id, "agent_firewall_sequence_number": str(int(number))}


class ActorHeaders:
    """Tells the provider who asks, in the headers that were configured; by default in none.

    *send* switches both default headers on; *id_header* and *username_header* name others, and switch themselves on.
    """

    def __init__(self, *, send: bool = False, id_header: str = "", username_header: str = "") -> None:
        self._id = (id_header or (ACTOR_ID if send else "")).encode()
        self._username = (username_header or (ACTOR_USERNAME if send else "")).encode()

    def of(self, caller: Caller) -> Headers:
        """Return what is said about *caller*; ``headers.to_upstream`` drops what a client sent under these names."""
        said = ((self._id, caller.user_id), (self._username, caller.username))
        return [(name, _safe(value)) for name, value in said if name]


NO_ACTOR: Final = ActorHeaders()


@lru_cache(maxsize=1024)
def _safe(text: str) -> bytes:
    """Return *text* as the value of a header: all but visible ASCII as percent and the UTF-8 bytes in hex."""
    return quote(text, safe=_VISIBLE, errors="replace").encode()
