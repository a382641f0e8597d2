"""The types of providers, as data. How a type is spoken to is in ``providers``."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Kind:
    """One type of provider."""

    type: str
    family: str
    """Whose wire APIs it speaks; recorded as ``provider``."""
    default_base_url: str | None = None
    """None: the base URL must be configured."""
    takes_keys: bool = True
    """False where the credential is of another sort (AWS) or always the user's own."""
    available: bool = False
    """False: it can be configured, but instances are in state ``error`` until it is built."""


KINDS: Final[dict[str, Kind]] = {
    kind.type: kind
    for kind in (
        Kind("openai", "openai", "https://api.openai.com/v1/", available=True),
        Kind("anthropic", "anthropic", "https://api.anthropic.com/", available=True),
        Kind("copilot", "copilot", "https://api.individual.githubcopilot.com", takes_keys=False),
        Kind("bedrock", "anthropic", takes_keys=False),  # the endpoint follows from the region
        Kind("azure", "openai"),
        Kind("google", "openai"),
        Kind("openai-compat", "openai"),
        Kind("openrouter", "openai"),
        Kind("vercel", "openai"),
    )
}

RESERVED_NAMES: Final = frozenset({"interceptions", "sessions", "models", "clients", "keys", "proxy", "serve"})
"""Route segments of the management API, which share a prefix with the provider names."""
