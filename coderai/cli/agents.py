"""Which agent of a session took a step, in a few words: ``agent Explore 8c1f… (parent main)``, ``side call``."""

from collections.abc import Iterable, Mapping
from typing import Any

from coderai.cli.text import Look, distinct, one_line

Metadata = Mapping[str, Any]


class Agents:
    """Names the agents of one session; ids are cut to what tells them apart, for a person."""

    def __init__(self, steps: Iterable[Metadata], look: Look) -> None:
        ids = {_text(step, name) for step in steps for name in ("agent_id", "parent_agent_id")}
        known = sorted(ids - {""})
        self._short = dict(zip(known, distinct(known, look), strict=True))

    def mark(self, step: Metadata) -> str:
        """Return what to say about a step; nothing for the main agent, or when the tool does not tell."""
        kind, agent_id = _text(step, "request_class"), _text(step, "agent_id")
        if kind == "auxiliary":
            return "side call"
        if not agent_id and kind != "subagent":
            return ""
        name = _text(step, "agent_name") or _text(step, "agent_type")
        parent = _text(step, "parent_agent_id")
        words = ["agent", one_line(name), self._shown(agent_id), f"(parent {self._shown(parent) or 'main'})"]
        return " ".join(word for word in words if word)

    def _shown(self, agent_id: str) -> str:
        return one_line(self._short.get(agent_id, agent_id))


def _text(step: Metadata, name: str) -> str:
    value = step.get(name)
    return value if isinstance(value, str) else ""
