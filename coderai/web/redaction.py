"""Documents of the API without what somebody said. Pure.

What is left out is gone from every member that holds it; counts, tokens, times, names and endings stay.
"""

from collections.abc import Mapping
from typing import Any, Final

LEFT_OUT: Final = ("prompts", "thinking", "arguments")
"""What can be left out. Messages of errors may repeat any of it: they go with each."""


def redacted_session(session: Mapping[str, Any], out: frozenset[str]) -> dict[str, Any]:
    """Return a row of the list of sessions without what is in *out*."""
    return {name: value for name, value in session.items() if name != "last_prompt" or "prompts" not in out}


def redacted_thread(thread: Mapping[str, Any], out: frozenset[str]) -> dict[str, Any]:
    """Return a thread without what is in *out*."""
    told = _without_prompt(thread, out)
    told["steps"] = [_step(step, out) for step in thread["steps"]]
    if "agentic_actions" in thread:
        told["agentic_actions"] = [_spoken(action, out) for action in thread["agentic_actions"]]
    return told


def _step(step: Mapping[str, Any], out: frozenset[str]) -> dict[str, Any]:
    told = _spoken(_without_prompt(step, out), out)
    if out and told.get("error"):
        told["error"] = {"type": step["error"]["type"], "message": ""}
    return told


def _without_prompt(document: Mapping[str, Any], out: frozenset[str]) -> dict[str, Any]:
    gone = ({"prompt"} if "prompts" in out else set()) | ({"error_message"} if out else set())
    return {name: value for name, value in document.items() if name not in gone}


def _spoken(document: Mapping[str, Any], out: frozenset[str]) -> dict[str, Any]:
    told = dict(document)
    if "thinking" in out:
        told["thinking"] = [{**thought, "text": ""} for thought in document["thinking"]]
    if "arguments" in out:
        told["tool_calls"] = [{**call, "input": ""} for call in document["tool_calls"]]
    return told
