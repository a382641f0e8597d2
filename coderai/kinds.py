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
    example_base_url: str = ""
    """What to write where there is no default."""
    takes_keys: bool = True
    """False where the credential is of another sort (AWS) or always the user's own."""
    available: bool = False
    """False: it can be configured, but instances are in state ``error`` until it is built."""


def _openai_like(kind: str, example: str) -> Kind:
    return Kind(kind, "openai", example_base_url=example, available=True)


KINDS: Final[dict[str, Kind]] = {
    kind.type: kind
    for kind in (
        Kind("openai", "openai", "https://api.openai.com/v1/", available=True),
        Kind("anthropic", "anthropic", "https://api.anthropic.com/", available=True),
        Kind(
            "copilot",
            "copilot",
            "https://api.individual.githubcopilot.com",  # business and enterprise plans have hosts of their own
            takes_keys=False,
            available=True,
        ),
        Kind("bedrock", "anthropic", takes_keys=False, available=True),  # the endpoint follows from the region
        _openai_like("azure", "https://NAME.openai.azure.com/"),
        _openai_like("google", "https://generativelanguage.googleapis.com/v1beta/openai"),
        _openai_like("openai-compat", "https://llm.example.com/v1"),
        _openai_like("openrouter", "https://openrouter.ai/api/v1"),
        _openai_like("vercel", "https://ai-gateway.vercel.sh/v1"),
    )
}

RESERVED_NAMES: Final = frozenset({"interceptions", "sessions", "models", "clients", "keys", "proxy", "serve"})
"""Route segments of the management API, which share a prefix with the provider names."""
