"""Records as the gateway would make them, with everything a test does not care about filled in."""

from datetime import UTC, datetime, timedelta
from typing import Any

from coderai.ids import new_id
from coderai.records import (
    Answer,
    Api,
    Begun,
    End,
    Ended,
    Ending,
    Fact,
    Interception,
    Stamped,
    Thought,
    ToolCall,
    Usage,
)

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


def interception(minute: float = 0, **fields: Any) -> Interception:
    """An interception that started *minute* minutes after noon."""
    given: dict[str, Any] = {
        "id": new_id(),
        "started_at": NOON + timedelta(minutes=minute),
        "initiator_id": "01900000-0000-7000-8000-000000000001",
        "initiator_name": "ada",
        "api_key_id": "aaaaaaaaaa",
        "provider": "anthropic",
        "provider_name": "anthropic",
        "model": "claude-sonnet-4-5",
        "api": Api.MESSAGES,
        "stream": True,
        "client": "Claude Code",
        "metadata": {"Username": "ada"},
    }
    return Interception(**(given | fields))


def begun(it: Interception) -> Begun:
    """Its start, with the prompt's id if there is one."""
    return Begun(it, new_id() if it.prompt is not None else "")


def ended(it: Interception, *facts: Fact, ending: Ending = Ending.COMPLETE, response_id: str = "msg_1") -> Ended:
    """Its end, a minute after its start."""
    at = it.started_at + timedelta(minutes=1)
    answer = Answer(response_id, facts, ending)
    return Ended(it, End(answer, ending, 200), at, tuple(Stamped(new_id(), at, fact) for fact in facts))


def usage(n: int = 1) -> Usage:
    """A usage whose four buckets tell each other apart."""
    return Usage("msg_1", input=n, output=10 * n, cache_read=100 * n, cache_write=1000 * n, extra={"reasoning": 7})


def call(call_id: str, tool: str = "Bash") -> ToolCall:
    """A tool call."""
    return ToolCall(tool, call_id, '{"command":"ls"}', "msg_1")


def thought(text: str = "Let me see.") -> Thought:
    """A thought."""
    return Thought(text)
