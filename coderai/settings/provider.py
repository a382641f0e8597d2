"""A configured provider, wherever it came from."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class BedrockConfig:
    """How an Anthropic provider is reached through Amazon Bedrock. No static keys: the AWS credential chain."""

    region: str = ""
    base_url: str = ""
    """The exact endpoint; wins over the region."""
    access_keys: tuple[str, ...] = field(default=(), repr=False)
    access_key_secrets: tuple[str, ...] = field(default=(), repr=False)
    """As many as ``access_keys``, pair by pair."""
    model: str = ""
    small_fast_model: str = ""


@dataclass(frozen=True, slots=True)
class ProviderConfig:
    """One provider of the configuration: checked, with every default filled in."""

    type: str
    name: str
    """The route segment."""
    base_url: str
    """As configured, or the default of the type; empty only for Bedrock."""
    keys: tuple[str, ...] = field(default=(), repr=False)
    """In the order in which they are to be tried; empty: users bring their own."""
    bedrock: BedrockConfig | None = None
    source: str = "environment"
    """``environment``, ``legacy environment`` or ``yaml``."""
    origin: str = ""
    """Where exactly, for messages: ``CODER_AIBRIDGE_PROVIDER_0_*``, ``aibridge.providers[0]``."""
