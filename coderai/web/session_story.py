"""What happened in a session, in words: agents, where prompts come from, how steps ended, how long they took. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from coderai.web.looks import moment

Document = Mapping[str, Any]

ENDINGS: Final[Mapping[str, tuple[str, str]]] = {
    "complete": ("good", "complete"),
    "incomplete": ("warn", "ended early by the provider"),
    "upstream_error": ("bad", "error of the provider"),
    "broken_off": ("bad", "broken off by the provider"),
    "unreachable": ("bad", "provider not reached"),
    "timeout": ("bad", "provider was silent for too long"),
    "client_left": ("warn", "client left"),
    "cancelled": ("warn", "stopped with the server"),
    "refused": ("bad", "refused by the gateway"),
    "interrupted": ("bad", "interrupted: the server died"),
}
"""How a step ended: the kind of badge, and the words."""
STATES: Final[Mapping[str, tuple[str, str, str]]] = {
    "running": ("live", "Running", "Requests are in flight."),
    "idle": ("good", "Idle", "Nothing is in flight; the last answer is less than half an hour old."),
    "ended": ("", "Ended", "Nothing has happened for half an hour."),
    "interrupted": ("warn", "Interrupted", "The last request did not come to a good end."),
}
_CREDENTIALS: Final = {"centralized": "central key", "byok": "own key"}
_LANES: Final = 6
_SHORT: Final = 8


@dataclass(frozen=True, slots=True)
class Agent:
    """One of those who act in a session; the main one has no id."""

    id: str
    name: str
    parent: str
    lane: int
    """0 for the main agent; others go round."""


@dataclass(frozen=True, slots=True)
class Step:
    """One exchange with a provider."""

    said: Document
    """The API's document."""
    number: int
    agent: Agent
    found: bool
    """Holds what was searched for."""
    tools_took: float | None
    """Seconds between this answer and the next request, which brings the results of its tools."""

    @property
    def ending(self) -> tuple[str, str]:
        """The kind of badge, and the words."""
        if not self.said.get("ended_at"):
            return "live", "running"
        ending = self.said.get("ending") or "complete"
        return ENDINGS.get(ending, ("warn", ending.replace("_", " ")))

    @property
    def credential(self) -> str:
        """Whose key it was, and what of it may be shown."""
        kind = self.said["credential_kind"]
        return f"{_CREDENTIALS.get(kind, kind)} {self.said['credential_hint']}".strip()


@dataclass(frozen=True, slots=True)
class Thread:
    """A prompt, and all that followed from it."""

    said: Document
    number: int
    """In this session; 0 where nobody has counted."""
    agent: Agent
    origin: str
    """Where the prompt comes from, as far as it can be known; '' for nothing special."""
    steps: Sequence[Step]
    left_out: int
    """Steps that are not shown here."""
    open: bool

    @property
    def tool_calls(self) -> int:
        """Of all its steps."""
        return sum(len(step["tool_calls"]) for step in self.said["steps"])

    @property
    def failed(self) -> int:
        """Steps that did not end well."""
        return sum(
            (step.get("ending") or "complete") != "complete" for step in self.said["steps"] if "ended_at" in step
        )

    @property
    def running(self) -> bool:
        """Whether something is in flight."""
        return not self.said.get("ended_at")

    @property
    def providers(self) -> Sequence[str]:
        """Names of instances."""
        return list(dict.fromkeys(step["provider_name"] or step["provider"] for step in self.said["steps"]))


class Agents:
    """Knows the agents of the threads it was told of."""

    def __init__(self, threads: Iterable[Document]) -> None:
        self._main = Agent("", "main agent", "", 0)
        self.known: dict[str, Agent] = {}
        for thread in threads:
            for step in thread["steps"]:
                self._meet(step["metadata"])

    def of(self, metadata: Document) -> Agent:
        """Return who took a step."""
        return self.known.get(_text(metadata, "agent_id") or _nameless(metadata), self._main)

    def _meet(self, metadata: Document) -> None:
        agent_id = _text(metadata, "agent_id") or _nameless(metadata)
        if not agent_id or agent_id in self.known:
            return
        name = _text(metadata, "agent_name") or _text(metadata, "agent_type")
        short = "" if agent_id == _NAMELESS else agent_id[:_SHORT] + ("…" if len(agent_id) > _SHORT else "")
        parent = _text(metadata, "parent_agent_id")
        above = (self.known[parent].name if parent in self.known else parent[:_SHORT]) if parent else "the main agent"
        shown = " ".join(part for part in ("sub-agent", name, short) if part)
        self.known[agent_id] = Agent(agent_id, shown, above, len(self.known) % _LANES + 1)


_NAMELESS: Final = "?"


def _nameless(metadata: Document) -> str:
    return _NAMELESS if _text(metadata, "request_class") == "subagent" else ""


def origin(metadata: Document, agent: Agent) -> str:
    """Return where a prompt comes from, by what the tool says; '' when it says nothing special."""
    kind = _text(metadata, "request_class")
    if kind == "auxiliary":
        return "a side call of the tool, such as one for a title"
    if agent.id:
        return f"written by {agent.parent}, not by a person"
    if _text(metadata, "turn_by") == "agent":
        return "the agent's own turn, not a person's"
    return ""


def told(
    threads: Sequence[Document],
    *,
    first: int = 0,
    search: str = "",
    steps_shown: int = 20,
    steps_in_all: int = 100,
    all_open: bool = False,
) -> tuple[Sequence[Thread], Agents]:
    """Return the threads as a page tells them, counted from *first*, each with at most *steps_shown* steps.

    Of a thread that was found by a search only the steps that hold the text are told; of one that runs the latest.
    """
    agents, told, left = Agents(threads), [], steps_in_all
    for place, said in enumerate(threads):
        number, most = first + place if first else 0, min(steps_shown, left)
        told.append(_thread(said, agents, number=number, search=search, most=most, is_open=all_open))
        left -= len(told[-1].steps)
    return told, agents


def _thread(said: Document, agents: Agents, *, number: int, search: str, most: int, is_open: bool) -> Thread:
    found = set(said.get("found") or ()) if search else set()
    steps = list(_steps(said, agents, found))
    wanted = [step for step in steps if step.found] if search else steps
    shown = wanted[:most] if said.get("ended_at") else wanted[max(0, len(wanted) - most) :]
    head = next((step for step in steps if step.said["interception_id"] == said["id"]), steps[0])
    only_prompt = bool(search) and found <= {said["id"]} and _holds(said.get("prompt"), search)
    return Thread(
        said=said,
        number=number,
        agent=head.agent,
        origin=origin(head.said["metadata"], head.agent),
        steps=shown,
        left_out=len(steps) - len(shown),
        open=is_open or (bool(search) and not only_prompt),
    )


def _steps(said: Document, agents: Agents, found: set[str]) -> Iterable[Step]:
    steps = said["steps"]
    for place, step in enumerate(steps):
        after = steps[place + 1]["started_at"] if place + 1 < len(steps) else None
        took = None
        if step["tool_calls"] and after and step.get("ended_at"):
            took = (moment(after) - moment(step["ended_at"])).total_seconds()
        yield Step(
            step,
            place + 1,
            agents.of(step["metadata"]),
            step["interception_id"] in found,
            took if took is not None and took >= 0 else None,
        )


def _holds(text: str | None, search: str) -> bool:
    return search.casefold() in (text or "").casefold()


def _text(metadata: Document, name: str) -> str:
    value = metadata.get(name)
    return value if isinstance(value, str) else ""
