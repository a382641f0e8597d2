"""Who is calling: one row per coding tool, and where it says which session, agent and turn a request belongs to.

The facts come from the requests that the tools send (User-Agent and headers of November 2026 and of the versions
before). A new tool is a new row.
"""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

import msgspec

from coderai.records import Ask

UNKNOWN: Final = "Unknown"
CLIENT_HEADER: Final = "X-Coder-Client"
"""With this header a tool that cannot be recognised may be told to name itself, by one of the names in ``NAMED``."""
SESSION_LENGTH: Final = 256
"""Characters of a session key that are kept."""
HINT_LENGTH: Final = 256
"""Characters of a hint that are kept."""

Headers = Mapping[str, str]
"""Case-insensitive."""
Hints = Mapping[str, str]
"""What a tool says about the agent and the turn behind a request, in the same words for every tool:

``agent_id`` (absent for the main agent of a session), ``parent_agent_id`` (absent when that is the main agent),
``agent_type``, ``agent_name``, ``request_class`` (``main``, ``subagent`` or ``auxiliary``, which is a side call such as
one for a title); and, where a tool has them, ``prompt_id``, ``turn_id``, ``thread_id``, ``parent_thread_id``,
``thread_source``, ``request_kind``, ``interaction_id``, ``interaction_type``, ``task_id``, ``turn_by`` (``user`` or
``agent``), ``subchat_id`` and ``workspace_id``. Each is at most HINT_LENGTH printable characters, and never empty.
"""
SessionRule = Callable[[Headers, Ask], str | None]
HintRule = Callable[[Headers, Ask], Hints]
NO_HINTS: Final[Hints] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class ClientMatch:
    """What the request says about the caller's tool."""

    label: str
    session_id: str | None
    hints: Hints


def first_of(*names: str) -> SessionRule:
    """The first of these headers that is not blank."""

    def rule(headers: Headers, ask: Ask) -> str | None:
        for name in names:
            if found := _key(headers.get(name)):
                return found
        return None

    return rule


def no_session(headers: Headers, ask: Ask) -> str | None:
    """The tool names no session."""
    return None


def claude_code_session(headers: Headers, ask: Ask) -> str | None:
    """The header of newer versions, else what ``metadata.user_id`` in the body holds: JSON, or the form before it."""
    found = _key(headers.get("X-Claude-Code-Session-Id"))
    if found or ask.session_hint is None:
        return found
    try:
        said = json.loads(ask.session_hint)
    except (ValueError, RecursionError):
        said = None
    if isinstance(said, dict) and "session_id" in said:
        return _key(said["session_id"])
    legacy = _LEGACY_USER_ID.search(ask.session_hint)
    return _key(legacy[1]) if legacy else None


def codex_session(headers: Headers, ask: Ask) -> str | None:
    """The header in its two spellings, else the same value in ``client_metadata`` of the body."""
    return _CODEX_HEADERS(headers, ask) or _key(ask.session_hint)


def kilo_session(headers: Headers, ask: Ask) -> str | None:
    """The call that makes a title marks the session that it is for."""
    found = _KILO_HEADERS(headers, ask)
    return found and (found.removeprefix(_KILO_TITLE) or None)


def any_session(headers: Headers, ask: Ask) -> str | None:
    """For tools of which we know nothing: the names that are in common use."""
    return _COMMON_HEADERS(headers, ask)


def no_hints(headers: Headers, ask: Ask) -> Hints:
    """The tool tells nothing about its agents."""
    return NO_HINTS


def kilo_hints(headers: Headers, ask: Ask) -> Hints:
    """Only the call that makes a title can be told from the others."""
    session = _KILO_HEADERS(headers, ask)
    return _AUXILIARY if session and session.startswith(_KILO_TITLE) else NO_HINTS


def claude_code_hints(headers: Headers, ask: Ask) -> Hints:
    """Sub-agents keep the session, and have ids; the rest comes with ``CLAUDE_CODE_GATEWAY_HINT_HEADERS=1`` only."""
    agent_id = headers.get("x-claude-code-agent-id")
    return _said(
        request_class=headers.get("x-claude-code-request-class") or ("subagent" if agent_id else None),
        agent_id=agent_id,
        parent_agent_id=headers.get("x-claude-code-parent-agent-id"),
        agent_type=headers.get("x-claude-code-agent-type"),
        prompt_id=headers.get("x-claude-code-prompt-id"),
    )


def codex_hints(headers: Headers, ask: Ask) -> Hints:
    """Its threads: the main one is called like the session, sub-agents have their own and name the one above.

    Of the turn metadata, which also tells folders and commits, only what is about agents and turns is read. The body
    counts before the headers: those of a WebSocket are older than the turn.
    """
    turn = _codex_turn(ask.turn_hint or headers.get("x-codex-turn-metadata"))
    session = turn.session_id or headers.get("session-id") or headers.get("session_id")
    thread = turn.thread_id or headers.get("thread-id")
    parent = turn.parent_thread_id or headers.get("x-codex-parent-thread-id")
    kind = headers.get("x-openai-subagent")
    apart = thread != session and bool(session or parent)
    return _said(
        request_class=_CODEX_CLASSES.get(str(turn.thread_source), "subagent" if kind else None),
        agent_id=thread if apart else None,
        parent_agent_id=parent if parent != session else None,
        agent_type=kind,
        agent_name=turn.agent_name if turn.agent_name != "/root" else None,  # sub-agents may be called that, too
        thread_id=thread,
        parent_thread_id=parent,
        thread_source=turn.thread_source,
        turn_id=turn.turn_id,
        request_kind=turn.request_kind,
    )


def copilot_hints(headers: Headers, ask: Ask) -> Hints:
    """Who took the turn, and which interaction and task it belongs to."""
    kind = headers.get("x-interaction-type")
    return _said(
        request_class="main" if kind in ("conversation-user", "conversation-agent") else None,
        interaction_id=headers.get("x-interaction-id"),
        interaction_type=kind,
        task_id=headers.get("x-agent-task-id"),
        turn_by=headers.get("x-initiator"),
    )


def coder_agents_hints(headers: Headers, ask: Ask) -> Hints:
    """A sub-agent has a chat of its own below the chat that names the session."""
    subchat = headers.get("X-Coder-Subchat-Id")
    return _said(
        request_class="subagent" if subchat else None,
        agent_id=subchat,
        subchat_id=subchat,
        workspace_id=headers.get("X-Coder-Workspace-Id"),
    )


def looks_like_pi(headers: Headers) -> bool:
    """It sends the User-Agent of its SDK, but always these two with one value."""
    session = headers.get("session_id")
    return bool(session) and session == headers.get("x-client-request-id")


def looks_like_copilot(headers: Headers) -> bool:
    """The command line with a provider of the user's own has the User-Agent of an SDK, but tells who took the turn."""
    return headers.get("x-initiator") in ("user", "agent")


@dataclass(frozen=True, slots=True)
class Client:
    """One tool. Any of its traits will do."""

    label: str
    user_agent: tuple[str, ...] = ()
    """Beginnings, in lower case."""
    headers: tuple[tuple[str, str], ...] = ()
    """Names of headers with the exact value; an empty one stands for any that is not empty."""
    trait: Callable[[Headers], bool] | None = None
    session: SessionRule = no_session
    hints: HintRule = no_hints


_COPILOT_SESSION: Final = first_of("X-Client-Session-Id")
_KILO_HEADERS: Final = first_of("x-session-id", "x-session-affinity", "X-KILOCODE-TASKID")
_KILO_TITLE: Final = "title-"
_AUXILIARY: Final[Hints] = {"request_class": "auxiliary"}
_OPENCODE_SESSION: Final = first_of("x-session-id", "x-session-affinity", "session-id", "X-OpenCode-Session")

CLIENTS: Final = (  # first match wins
    Client("Mux", ("mux/", "xum/"), session=first_of("X-Mux-Workspace-Id")),
    Client("Claude Code", ("claude",), session=claude_code_session, hints=claude_code_hints),
    Client("Codex", ("codex",), session=codex_session, hints=codex_hints),
    Client("Zed", ("zed/",)),
    Client(
        "GitHub Copilot (VS Code)",
        ("githubcopilotchat/",),
        session=first_of("x-interaction-id"),
        hints=copilot_hints,
    ),
    Client("GitHub Copilot (CLI)", ("copilot/",), session=_COPILOT_SESSION, hints=copilot_hints),
    Client(  # before OpenCode: its Responses requests have that User-Agent and differ only in the title
        "Kilo Code",
        ("kilo-code/", "kilo/"),
        (("X-Title", "Kilo Code"), ("Originator", "kilo-code")),
        session=kilo_session,
        hints=kilo_hints,
    ),
    Client("Roo Code", ("roo-code/",), (("Originator", "roo-code"),)),
    Client("Coder Agents", ("coder-agents/",), session=first_of("X-Coder-Chat-Id"), hints=coder_agents_hints),
    Client("Charm Crush", ("charm crush/", "charm-crush/")),
    Client("Cursor", headers=(("X-Cursor-Client-Version", ""),)),
    Client("OpenCode", ("opencode/",), session=_OPENCODE_SESSION),
    Client("Junie", ("junie:",)),
    Client("Factory", ("factory-cli/",)),
    Client("Qwen Code", ("qwencode/",)),
    Client("LiteLLM", ("litellm/",)),
    Client("LangChain", ("langchain-",)),
    Client("GitHub Copilot (CLI)", trait=looks_like_copilot, session=_COPILOT_SESSION, hints=copilot_hints),
    Client("pi", trait=looks_like_pi, session=first_of("session_id")),
)
"""Tools that are recognised. Those that only show the User-Agent of an SDK stay ``Unknown``; it is recorded itself."""

NAMED: Final[Mapping[str, Client]] = {client.label.lower(): client for client in reversed(CLIENTS)} | {
    "copilot-cli": Client("GitHub Copilot (CLI)", session=any_session, hints=copilot_hints),
    "copilot-vscode": Client("GitHub Copilot (VS Code)", session=any_session, hints=copilot_hints),
    "cline": Client("Cline", session=any_session),
    "continue": Client("Continue", session=any_session),
    "aider": Client("aider", session=any_session),
}
"""What ``X-Coder-Client`` may say, in lower case. Other values are ignored, so that the labels stay a known set."""

_CODEX_CLASSES: Final = {"user": "main", "subagent": "subagent", "thread_title": "auxiliary"}
"""By the source of the thread; the call for a title even has a session of its own."""
_LEGACY_USER_ID: Final = re.compile(r"_session_(.+)$")
_CODEX_HEADERS: Final = first_of("session-id", "session_id")
_COMMON_HEADERS: Final = first_of("session-id", "session_id", "x-session-id")


def identify(headers: Headers, ask: Ask) -> ClientMatch:
    """Return the label of the tool, the key of its session, and what it says about the agent behind the request.

    What is recognised counts before ``X-Coder-Client``: that header is for tools without a name of their own.
    """
    client = _recognised(headers) or _named(headers)
    if client is None:
        return ClientMatch(UNKNOWN, any_session(headers, ask), NO_HINTS)
    return ClientMatch(client.label, client.session(headers, ask), client.hints(headers, ask))


def cleaned(text: str) -> str:
    """Return what can be kept and shown of a header: no control characters, nothing invisible, HINT_LENGTH at most."""
    text = text.strip()
    if not text.isprintable():
        text = "".join(character for character in text if character.isprintable()).strip()
    return text[:HINT_LENGTH]


def _recognised(headers: Headers) -> Client | None:
    user_agent = headers.get("User-Agent", "").lower()
    for client in CLIENTS:
        if client.user_agent and user_agent.startswith(client.user_agent):
            return client
        for name, expected in client.headers:
            found = headers.get(name)
            if found and (not expected or found == expected):
                return client
        if client.trait is not None and client.trait(headers):
            return client
    return None


def _named(headers: Headers) -> Client | None:
    return NAMED.get(headers.get(CLIENT_HEADER, "").strip().lower())


def _key(found: object) -> str | None:
    if not isinstance(found, str):
        return None
    return found.strip()[:SESSION_LENGTH] or None


class _CodexTurn(msgspec.Struct):
    """``x-codex-turn-metadata``, as far as we look: of any type, because the words are the client's."""

    session_id: Any = None
    thread_id: Any = None
    parent_thread_id: Any = None
    thread_source: Any = None
    agent_name: Any = None
    turn_id: Any = None
    request_kind: Any = None


_CODEX_TURN: Final = msgspec.json.Decoder(_CodexTurn)


def _codex_turn(text: str | None) -> _CodexTurn:
    if not text:
        return _CodexTurn()
    try:
        return _CODEX_TURN.decode(text)
    except (ValueError, RecursionError):
        return _CodexTurn()


def _said(**hints: object) -> Hints:
    return {name: text for name, value in hints.items() if isinstance(value, str) and (text := cleaned(value))}
