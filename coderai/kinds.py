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


KINDS: Final[dict[str, Kind]] = {
    kind.type: kind
    for kind in (
        Kind("openai", "openai", "https://api.openai.com/v1/"),
        Kind("anthropic", "anthropic", "https://api.anthropic.com/"),
        Kind(
            "copilot",
            "copilot",
            "https://api.individual.githubcopilot.com",  # business and enterprise plans have hosts of their own
            takes_keys=False,
        ),
        Kind("bedrock", "anthropic", takes_keys=False),  # the endpoint follows from the region
        Kind("azure", "openai", example_base_url="https://NAME.openai.azure.com/"),
        Kind("google", "openai", example_base_url="https://generativelanguage.googleapis.com/v1beta/openai"),
        Kind("openai-compat", "openai", example_base_url="https://llm.example.com/v1"),
        Kind("openrouter", "openai", example_base_url="https://openrouter.ai/api/v1"),
        Kind("vercel", "openai", example_base_url="https://ai-gateway.vercel.sh/v1"),
    )
}

RESERVED_NAMES: Final = frozenset({"interceptions", "sessions", "models", "clients", "keys", "proxy", "serve"})
"""Route segments of the management API, which share a prefix with the provider names."""
