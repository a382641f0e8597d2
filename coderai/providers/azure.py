"""Azure OpenAI: its hosts, the address of its OpenAI-style endpoint there, and the header for its keys."""

from typing import Final
from urllib.parse import urlsplit

from coderai.providers.family import Auth

AZURE_AUTH: Final = Auth("api-key", takes_tokens=True)
"""A resource key, or an Entra ID token; the two are told apart by their looks."""

_HOSTS: Final = (
    ".openai.azure.com",
    ".openai.azure.us",
    ".openai.azure.cn",
    ".cognitiveservices.azure.com",
    ".services.ai.azure.com",
)
_ENDPOINT: Final = "/openai/v1"


def is_azure(base_url: str) -> bool:
    """Tell whether *base_url* is on a host of Azure's."""
    return (urlsplit(base_url).hostname or "").endswith(_HOSTS)


def completed(base_url: str) -> str:
    """Return the endpoint for a base URL (without a trailing slash) that may name the resource only."""
    return base_url + _ENDPOINT if is_azure(base_url) and not urlsplit(base_url).path else base_url
