"""Who spoke last, and what: the prompt and the tool result that a request brings. The same for all three wire APIs."""

import re
from collections.abc import Iterator, Sequence
from typing import Any, Final

from msgspec import Raw

from coderai.wire.members import value

_BY_THE_TOOL: Final = re.compile(
    r"\s*(?:"
    r"<(system-reminder|environment_details|environment_context)>(?:(?!</\1>).)*</\1>"  # Claude Code, Kilo Code, Codex
    r"|\[SYSTEM\] This run is not complete until you call .*"  # Cline that runs without asking
    r")\s*",
    re.DOTALL,
)
"""Texts that tools put beside the words of the person, as blocks of their own."""


def is_human(text: Any) -> bool:
    """Say whether *text* is something a person may have typed: not blank, and not only one of the texts of a tool."""
    return isinstance(text, str) and bool(text.strip()) and _BY_THE_TOOL.fullmatch(text) is None


def trailing(messages: Sequence[Raw]) -> Iterator[dict[str, Any]]:
    """Yield messages from the last one back, without ``system`` and ``developer`` ones, which tools put in anywhere.

    Only as many are decoded as are asked for. Raises UNREADABLE for one that is no JSON object.
    """
    for raw in reversed(messages):
        message = value(raw)
        if not isinstance(message, dict):
            raise ValueError("an item of the conversation is not an object")
        if message.get("role") not in ("system", "developer"):
            yield message


def last_text(content: Any, kind: str) -> str | None:
    """Return a human ``content``: the string, or the last human text among blocks of type *kind*."""
    if isinstance(content, str):
        return content if is_human(content) else None
    if isinstance(content, list):
        for block in reversed(content):
            if isinstance(block, dict) and block.get("type") == kind and is_human(block.get("text")):
                return str(block["text"])
    return None
