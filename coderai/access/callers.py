"""Who is calling, once a token has been accepted, and from where."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a request came from; what the audit log says of it."""

    ip: str = ""
    user_agent: str = ""
    request_id: str = ""
    """Of our own making, told to the client as ``X-Request-Id``."""


NOWHERE = Origin()


@dataclass(frozen=True, slots=True)
class Caller:
    """The owner of an accepted token, or the local owner on the private socket (then ``token_id`` is empty)."""

    user_id: str
    username: str
    roles: frozenset[str] = frozenset()
    """Site roles: ``owner``, ``auditor``, ``user-admin``; being a member is implied."""
    scopes: frozenset[str] = frozenset({"coder:all"})
    token_id: str = ""
    delegate: bool = False
    """May name the person it acts for (design: attribution of Coder Agents)."""
    origin: Origin = NOWHERE
    """Of this request; filled by the API, empty on the data plane, which changes nothing that is audited."""
