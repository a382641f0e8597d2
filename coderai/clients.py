"""Who is calling: one row per coding tool, and where it says which session a request belongs to.

The facts come from the requests that the tools send (User-Agent and headers of November 2026 and of the versions
before). A new tool is a new row.
"""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from coderai.records import Ask

UNKNOWN: Final = "Unknown"
CLIENT_HEADER: Final = "X-Coder-Client"
"""With this header a tool that cannot be recognised may be told to name itself, by one of the names in ``NAMED``."""
SESSION_LENGTH: Final = 256
"""Characters of a session key that are kept."""

Headers = Mapping[str, str]
"""Case-insensitive."""
SessionRule = Callable[[Headers, Ask], str | None]


@dataclass(frozen=True, slots=True)
class ClientMatch:
    """What the request says about the caller's tool."""

    label: str
    session_id: str | None


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


def any_session(headers: Headers, ask: Ask) -> str | None:
    """For tools of which we know nothing: the names that are in common use."""
    return _COMMON_HEADERS(headers, ask)


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


_COPILOT_SESSION: Final = first_of("X-Client-Session-Id")
_KILO_SESSION: Final = first_of("x-session-id", "x-session-affinity", "X-KILOCODE-TASKID")
_OPENCODE_SESSION: Final = first_of("x-session-id", "x-session-affinity", "session-id", "X-OpenCode-Session")

CLIENTS: Final = (  # first match wins
    Client("Mux", ("mux/", "xum/"), session=first_of("X-Mux-Workspace-Id")),
    Client("Claude Code", ("claude",), session=claude_code_session),
    Client("Codex", ("codex",), session=codex_session),
    Client("Zed", ("zed/",)),
    Client("GitHub Copilot (VS Code)", ("githubcopilotchat/",), session=first_of("x-interaction-id")),
    Client("GitHub Copilot (CLI)", ("copilot/",), session=_COPILOT_SESSION),
    Client(  # before OpenCode: its Responses requests have that User-Agent and differ only in the title
        "Kilo Code",
        ("kilo-code/", "kilo/"),
        (("X-Title", "Kilo Code"), ("Originator", "kilo-code")),
        session=_KILO_SESSION,
    ),
    Client("Roo Code", ("roo-code/",), (("Originator", "roo-code"),)),
    Client("Coder Agents", ("coder-agents/",), session=first_of("X-Coder-Chat-Id")),
    Client("Charm Crush", ("charm crush/", "charm-crush/")),
    Client("Cursor", headers=(("X-Cursor-Client-Version", ""),)),
    Client("OpenCode", ("opencode/",), session=_OPENCODE_SESSION),
    Client("Junie", ("junie:",)),
    Client("Factory", ("factory-cli/",)),
    Client("Qwen Code", ("qwencode/",)),
    Client("LiteLLM", ("litellm/",)),
    Client("LangChain", ("langchain-",)),
    Client("GitHub Copilot (CLI)", trait=looks_like_copilot, session=_COPILOT_SESSION),
    Client("pi", trait=looks_like_pi, session=first_of("session_id")),
)
"""Tools that are recognised. Those that only show the User-Agent of an SDK stay ``Unknown``; it is recorded itself."""

NAMED: Final[Mapping[str, Client]] = {client.label.lower(): client for client in reversed(CLIENTS)} | {
    "copilot-cli": Client("GitHub Copilot (CLI)", session=any_session),
    "copilot-vscode": Client("GitHub Copilot (VS Code)", session=any_session),
    "cline": Client("Cline", session=any_session),
    "continue": Client("Continue", session=any_session),
    "aider": Client("aider", session=any_session),
}
"""What ``X-Coder-Client`` may say, in lower case. Other values are ignored, so that the labels stay a known set."""

_LEGACY_USER_ID: Final = re.compile(r"_session_(.+)$")
_CODEX_HEADERS: Final = first_of("session-id", "session_id")
_COMMON_HEADERS: Final = first_of("session-id", "session_id", "x-session-id")


def identify(headers: Headers, ask: Ask) -> ClientMatch:
    """Return the label of the tool and the key of its session.

    What is recognised counts before ``X-Coder-Client``: that header is for tools without a name of their own.
    """
    client = _recognised(headers) or _named(headers)
    if client is None:
        return ClientMatch(UNKNOWN, any_session(headers, ask))
    return ClientMatch(client.label, client.session(headers, ask))


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
