"""Where a gateway token is looked for in a request, and how a credential is shown."""

from collections.abc import Mapping
from typing import Final

GOVERNANCE_TOKEN: Final = "X-Coder-AI-Governance-Token"  # noqa: S105 - the name of a header
SESSION_TOKEN: Final = "Coder-Session-Token"  # noqa: S105 - the name of a header
SESSION_COOKIE: Final = "coder_session_token"


def mask(secret: str) -> str:
    """Return a recognisable form of a credential that is never more than eight of its characters."""
    length = len(secret)
    if not length:
        return ""
    shown = 4 if length >= 20 else 2 if length >= 10 else 1 if length >= 5 else 0
    return f"{secret[:shown]}...{secret[-shown:]}" if shown else "..."


def data_plane_token(headers: Mapping[str, str]) -> tuple[str, bool]:
    """Return the gateway token of a model call ('' without one), and whether the caller brings an own credential.

    *headers* must look names up ignoring case. A token in its own header leaves the usual ones to the caller's own
    provider credential (bring your own key).
    """
    if token := headers.get(GOVERNANCE_TOKEN, "").strip():
        return token, True
    return bearer(headers) or headers.get("X-Api-Key", "").strip() or headers.get("Api-Key", "").strip(), False


def management_token(headers: Mapping[str, str], cookies: Mapping[str, str], query: Mapping[str, str]) -> str:
    """Return the token of a management request: the first place that holds one counts, valid or not; '' for none."""
    return (
        session_cookie(cookies)
        or query.get(SESSION_COOKIE, "").strip()
        or headers.get(SESSION_TOKEN, "").strip()
        or bearer(headers)
        or query.get("access_token", "").strip()
    )


def session_cookie(cookies: Mapping[str, str]) -> str:
    """Return the token that a browser sends by itself, whoever's page made it ask; '' for none."""
    return cookies.get(SESSION_COOKIE, "").strip()


def bearer(headers: Mapping[str, str]) -> str:
    """Return the token of ``Authorization: Bearer <token>``; '' for any other form."""
    parts = headers.get("Authorization", "").split()
    return parts[1] if len(parts) == 2 and parts[0].lower() == "bearer" else ""
