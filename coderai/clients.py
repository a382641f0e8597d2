"""Who is calling: one row per coding tool, and where it says which session a request belongs to."""

from collections.abc import Mapping
from dataclasses import dataclass

from coderai.records import Ask


@dataclass(frozen=True, slots=True)
class ClientMatch:
    """What the headers say about the caller's tool."""

    label: str
    session_id: str | None


def identify(headers: Mapping[str, str], ask: Ask) -> ClientMatch:
    """Return label and session key."""
    return ClientMatch("Unknown", None)
