"""A configured provider, wherever it came from."""

import re
from dataclasses import dataclass, field
from typing import Final, Literal
from urllib.parse import urlsplit

BEDROCK_MODEL: Final = "global.anthropic.claude-sonnet-4-5-20250929-v1:0"
BEDROCK_SMALL_FAST_MODEL: Final = "global.anthropic.claude-haiku-4-5-20251001-v1:0"

Protocol = Literal["invoke-model", "mantle"]

_REGION_IN_HOST: Final = re.compile(r"bedrock-(?:runtime|mantle)(?:-fips)?\.([a-z0-9-]+)\.(?:amazonaws\.|api\.aws)")
_ANY_REGION: Final = "us-east-1"
"""Of signatures for an endpoint that is not Amazon's and comes without a region: it signs anew, or does not look."""


def region_of(base_url: str, otherwise: str = "") -> str:
    """Return the AWS region of a Bedrock endpoint: as its host says, else *otherwise*; never none."""
    found = _REGION_IN_HOST.match(urlsplit(base_url).hostname or "")
    return found[1] if found else otherwise or _ANY_REGION


@dataclass(frozen=True, slots=True)
class BedrockConfig:
    """How an Anthropic provider is reached through Amazon Bedrock. No static keys: the AWS credential chain."""

    region: str = ""
    """Of the signature, too; empty only when nothing at all says which."""
    base_url: str = ""
    """The exact endpoint; wins over the region."""
    access_keys: tuple[str, ...] = field(default=(), repr=False)
    access_key_secrets: tuple[str, ...] = field(default=(), repr=False)
    """As many as ``access_keys``, pair by pair."""
    model: str = ""
    small_fast_model: str = ""
    """Empty: the defaults above."""
    role_arn: str = ""
    """Assumed with the credentials above."""
    external_id: str = ""
    """What the owner of the role wants to be told; no secret."""
    protocol: Protocol = "invoke-model"


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
