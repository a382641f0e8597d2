"""Output items of a Responses answer: which of them are tool calls or thoughts, and what they say."""

from collections.abc import Mapping
from typing import Any, Final

from msgspec import Raw, Struct

from coderai.records import Fact, Thought, ToolCall
from coderai.wire.members import NOTHING, UNREADABLE, Shape, source, value, word

_ARGUMENTS: Final[Mapping[str, str]] = {
    "function_call": "arguments",
    "custom_tool_call": "input",
    "mcp_call": "arguments",
    "code_interpreter_call": "code",
    "local_shell_call": "action",
    "shell_call": "action",
    "computer_call": "action",
    "apply_patch_call": "operation",
}
"""Which member says what the tool shall do. Other calls are searches and the like, without arguments for the record."""


class _Item(Struct):
    type: Any = None
    id: Any = None
    call_id: Any = None
    name: Any = None
    role: Any = None
    phase: Any = None
    summary: Any = None
    content: Any = None
    arguments: Raw = NOTHING
    input: Raw = NOTHING
    action: Raw = NOTHING
    operation: Raw = NOTHING
    code: Raw = NOTHING


_ITEM: Final = Shape(_Item)


class Item:
    """An output item: as it was announced, with what grew since, or as it is at the end."""

    __slots__ = ("_grown", "_item", "call_id", "is_call", "is_commentary", "kind")

    def __init__(self, item: _Item) -> None:
        self._item = item
        self._grown: dict[int, list[str]] = {}
        self.kind = _str(item.type)
        self.call_id = _str(item.call_id)
        self.is_call = self.kind.endswith("_call")
        self.is_commentary = self.kind == "message" and item.phase == "commentary"

    @classmethod
    def read(cls, text: Raw) -> "Item":
        """Raises UNREADABLE."""
        return cls(_ITEM.read(text))

    def grown(self, part: Any) -> list[str]:
        """Return the pieces of a part, to be added to."""
        return self._grown.setdefault(part if isinstance(part, int) else 0, [])

    def facts(self, response_id: str) -> list[Fact]:
        """Return what is worth a record."""
        if self.is_call:
            item_id = _str(self._item.id)
            name = _str(self._item.name) or self.kind
            return [ToolCall(name, self.call_id, self._arguments(), response_id, item_id, self.kind)]
        if self.kind == "reasoning":
            summaries = self._texts(self._item.summary, "summary_text")
            thoughts = self._texts(self._item.content, "reasoning_text")
            if not summaries and not thoughts:
                summaries = self._unfinished()
            return [
                *(Thought(text, "reasoning_summary") for text in summaries),
                *(Thought(text, "thinking") for text in thoughts),
            ]
        if self.is_commentary and self._item.role in (None, "assistant"):
            texts = self._texts(self._item.content, "output_text") or self._unfinished()
            return [Thought(text, "commentary") for text in texts]
        return []

    def _arguments(self) -> str:
        """Return the arguments: text as it is, without the blanks around JSON; objects as they were written."""
        member = _ARGUMENTS.get(self.kind)
        if member is None:
            return ""
        given = _text(getattr(self._item, member)) or "".join(self._grown.get(0, ()))
        return given if self.kind == "custom_tool_call" else given.strip()

    def _unfinished(self) -> list[str]:
        return [text for _, pieces in sorted(self._grown.items()) if (text := "".join(pieces))]

    @staticmethod
    def _texts(parts: Any, kind: str) -> list[str]:
        if not isinstance(parts, list):
            return []
        return [word(part, "text") for part in parts if word(part, "type") == kind and word(part, "text")]


def _text(raw: Raw) -> str:
    given = source(raw)
    if given in ("", "null"):
        return ""
    if not given.startswith('"'):
        return given
    try:
        return str(value(raw))
    except UNREADABLE:
        return given


def _str(found: Any) -> str:
    return found if isinstance(found, str) else ""
