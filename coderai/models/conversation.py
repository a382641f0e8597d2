"""What is said to a model, in no provider's words."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal


@dataclass(frozen=True, slots=True)
class Message:
    """One turn, or a system prompt."""

    role: Literal["system", "user", "assistant"]
    text: str
    thinking: tuple[Mapping[str, Any], ...] = ()
    """Blocks of an earlier answer of Claude, as they came."""


@dataclass(frozen=True, slots=True)
class Tool:
    """A function that the model may ask for."""

    name: str
    description: str = ""
    parameters: Mapping[str, Any] = field(default_factory=lambda: {"type": "object", "properties": {}})
    """JSON Schema."""


def system_text(messages: Sequence[Message]) -> str:
    """Return all system prompts as one text."""
    return "\n\n".join(message.text for message in messages if message.role == "system")
