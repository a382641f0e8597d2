"""How hard a model thinks: the scale that providers share, and what a given model makes of it."""

import re
from collections.abc import Sequence
from typing import Final

from coderai.models.options import EFFORTS

_CLAUDE: Final = re.compile(r"claude-(?:[a-z]+-)?(\d{1,2})(?:[-.](\d{1,2}))?(?!\d)")
_GEMINI: Final = re.compile(r"gemini-(\d{1,2})(?:\.(\d{1,2}))?")
_REASONING: Final = re.compile(r"(?:o\d|gpt-[5-9](?!.*chat)|gpt-oss|codex)")
_RESPONSES: Final = re.compile(r"(?:gpt-4o|gpt-4\.1|gpt-4\.5|gpt-4-turbo|gpt-[5-9]|o\d|codex|chatgpt-|computer-use)")

OPENAI_EFFORTS: Final = EFFORTS[:-1]
ANTHROPIC_EFFORTS: Final = ("low", "medium", "high", "xhigh", "max")
OLD_GEMINI_EFFORTS: Final = ("none", "low", "medium", "high")
BUDGETS: Final = {"low": 4_000, "medium": 10_000, "high": 20_000, "xhigh": 24_000, "max": 28_000}
"""Tokens for models that know a budget instead of an effort; below the 32,000 that the smallest of them can answer."""


def wanted(limits: tuple[str, str] | None, choice: str | None) -> str | None:
    """Return the effort of one request: the person's *choice*, else the default, and never more than the maximum.

    *limits* are the model's default and maximum; without them the choice does not count.
    """
    if limits is None:
        return None
    default, most = limits
    effort = choice if choice in EFFORTS else default
    return EFFORTS[min(EFFORTS.index(effort), EFFORTS.index(most))]


def offered(limits: tuple[str, str] | None) -> tuple[str, ...]:
    """Return what a person may choose from."""
    return EFFORTS[: EFFORTS.index(limits[1]) + 1] if limits else ()


def known(effort: str, efforts: Sequence[str]) -> str | None:
    """Return the effort of a provider that comes nearest from below, else its weakest; ``none`` it must know."""
    if effort in efforts:
        return effort
    if effort == "none":
        return None
    below = [each for each in efforts if each != "none" and EFFORTS.index(each) < EFFORTS.index(effort)]
    return below[-1] if below else next(each for each in efforts if each != "none")


def claude_version(model: str) -> tuple[int, int] | None:
    """Return (4, 6) for ``claude-opus-4-6`` in whatever spelling; None for a name that does not tell."""
    found = _CLAUDE.search(model.lower())
    return (int(found[1]), int(found[2] or 0)) if found else None


def thinks_adaptively(model: str) -> bool:
    """Return whether a Claude takes an effort; a name that does not tell is taken for a new one."""
    version = claude_version(model)
    return version is None or version >= (4, 6)


def refuses_budgets(model: str) -> bool:
    """Return whether a Claude answers a fixed budget with an error: Opus does from 4.7 on."""
    version = claude_version(model)
    return version is not None and version >= (4, 7) and "opus" in model.lower()


def reasons(model: str) -> bool:
    """Return whether a model of OpenAI reasons: those refuse sampling options."""
    return _REASONING.match(_bare(model)) is not None


def knows_responses(model: str) -> bool:
    """Return whether a model of OpenAI is known to answer the Responses API."""
    return _RESPONSES.match(_bare(model)) is not None


def gemini_version(model: str) -> tuple[int, int] | None:
    """Return (2, 5) for ``gemini-2.5-pro``; None for anything else."""
    found = _GEMINI.search(model.lower())
    return (int(found[1]), int(found[2] or 0)) if found else None


def gemini_level(model: str, effort: str) -> str:
    """Return the thinking level of a Gemini 3 or newer: the lowest it has at or above the wish, else its highest."""
    wish = {"none": "minimal", "minimal": "minimal", "low": "low", "medium": "medium"}.get(effort, "high")
    levels = _gemini_levels(model.lower())
    return next((level for level in levels if EFFORTS.index(level) >= EFFORTS.index(wish)), levels[-1])


def old_gemini_effort(model: str, effort: str) -> str:
    """Return the effort of a Gemini 1 or 2 behind an endpoint that looks like OpenAI's; pro models always think."""
    level = known(effort, OLD_GEMINI_EFFORTS) or "low"
    return "low" if level == "none" and "pro" in model.lower() else level


def _gemini_levels(model: str) -> Sequence[str]:
    if "image" in model:
        return ("minimal", "high") if "flash" in model else ("high",)
    if "flash" in model:
        return ("minimal", "low", "medium", "high")
    if "pro" in model and gemini_version(model) != (3, 0):
        return ("low", "medium", "high")
    return ("low", "high")


def _bare(model: str) -> str:
    return model.lower().rpartition("/")[2]
