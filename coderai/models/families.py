"""Which options a type of provider has, what it is called, and in which order types are listed."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Speech:
    """How models of one type of provider are asked."""

    type: str
    label: str
    options: str
    """The member of ``provider_options`` that is meant for it."""


SPEECHES: Final[dict[str, Speech]] = {
    speech.type: speech
    for speech in (  # the order of every list
        Speech("anthropic", "Anthropic", "anthropic"),
        Speech("azure", "Azure OpenAI", "openai"),
        Speech("bedrock", "AWS Bedrock", "anthropic"),
        Speech("google", "Google", "google"),
        Speech("openai", "OpenAI", "openai"),
        Speech("openai-compat", "OpenAI Compatible", "openaicompat"),
        Speech("openrouter", "OpenRouter", "openrouter"),
        Speech("vercel", "Vercel AI Gateway", "vercel"),
    )
}
UNSUPPORTED: Final = {"copilot": "GitHub Copilot"}
"""Types with which no registered model works: every call needs a token of the person's own."""

_PLACES: Final = {type_: at for at, type_ in enumerate(SPEECHES)}


def place(type_: str) -> int:
    """Return where a type stands in a list; unknown ones stand at the end."""
    return _PLACES.get(type_, len(_PLACES))
