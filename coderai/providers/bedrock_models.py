"""What the models on Amazon Bedrock take, as data: these lists change with every generation of models.

A model is found by a part of its id, because ids have prefixes (``global.``, ``eu.``, an ARN) and suffixes (``-v1:0``).
"""

from collections.abc import Mapping
from typing import Final

ADAPTIVE_ONLY: Final = ("anthropic.claude-opus-4-7", "anthropic.claude-opus-4-8", "anthropic.claude-sonnet-5")
"""Refuse a thinking budget: they decide themselves, guided by ``output_config.effort``."""

ADAPTIVE_TOO: Final = ("anthropic.claude-opus-4-6", "anthropic.claude-sonnet-4-6")
"""Take adaptive thinking as well as a budget. All others need a budget."""

BUDGET_PERCENT: Final[Mapping[str, int]] = {"low": 20, "medium": 50, "high": 80, "max": 95}
"""Of ``max_tokens``, by effort, where adaptive thinking has to become a budget."""
USUAL_PERCENT: Final = 80
LEAST_BUDGET: Final = 1024
"""A smaller one is refused; thinking is switched off then."""

EFFORT: Final = "effort-2025-11-24"
CONTEXT: Final = "context-management-2025-06-27"

BETAS: Final[Mapping[str, tuple[str, ...]]] = {
    "computer-use-2025-01-24": (),
    "token-efficient-tools-2025-02-19": (),
    "interleaved-thinking-2025-05-14": (),
    "output-128k-2025-02-19": (),
    "dev-full-thinking-2025-05-14": (),
    "context-1m-2025-08-07": (),
    CONTEXT: ("anthropic.claude-sonnet-4-5", "anthropic.claude-haiku-4-5"),
    EFFORT: ("anthropic.claude-opus-4-5",),
    "tool-search-tool-2025-10-19": (),
    "tool-examples-2025-10-29": (),
}
"""Beta flags that Bedrock knows, with the models that take them (none: all). Any other one fails the whole call."""

REMOVED: Final = ("metadata", "service_tier", "container", "inference_geo")
"""Members of the Messages API that Bedrock refuses, whatever they hold."""

VERSION: Final = "bedrock-2023-05-31"


def is_one_of(model: str, parts: tuple[str, ...]) -> bool:
    """Tell whether the id of *model* holds one of *parts*."""
    return any(part in model for part in parts)
