"""Every row of the table of clients, by the requests that the tools send."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from multidict import CIMultiDict, CIMultiDictProxy

from coderai.clients import NAMED, SESSION_LENGTH, ClientMatch, identify
from coderai.records import Ask


def match(hint: str | None = None, /, **headers: str) -> ClientMatch:
    given = CIMultiDict({name.replace("__", "-"): value for name, value in headers.items()})
    return identify(CIMultiDictProxy(given), Ask(session_hint=hint))


@pytest.mark.parametrize(
    ("user_agent", "label"),
    [
        ("mux/1.0.2", "Mux"),
        ("Xum/2.0", "Mux"),
        ("claude-cli/2.1.329 (external, sdk-cli)", "Claude Code"),
        ("claude-code/2.1.329", "Claude Code"),
        ("Claude/1", "Claude Code"),
        ("codex_exec/0.169.0 (Debian 12.0.0; x86_64) dumb (codex_exec; 0.169.0)", "Codex"),
        ("codex-tui/0.169.0 (Debian) xterm-256color", "Codex"),
        ("codex_vscode/1", "Codex"),
        ("Zed/0.200.1 (linux; x86_64)", "Zed"),
        ("GitHubCopilotChat/0.37.2", "GitHub Copilot (VS Code)"),
        ("copilot/1.0.102 (linux v24.20.0) term/unknown client/github/cli", "GitHub Copilot (CLI)"),
        ("Kilo-Code/7.7.7 (linux)", "Kilo Code"),
        ("kilo/latest/7.7.7/cli", "Kilo Code"),
        ("Roo-Code/3.2", "Roo Code"),
        ("coder-agents/2.30.0", "Coder Agents"),
        ("Charm Crush/0.10", "Charm Crush"),
        ("charm-crush/0.11", "Charm Crush"),
        ("opencode/1.18.33 ai-sdk/provider-utils/3 runtime/bun/1.4", "OpenCode"),
        ("junie:1.2", "Junie"),
        ("factory-cli/0.215.0", "Factory"),
        ("QwenCode/0.24.4 (linux; x64)", "Qwen Code"),
        ("litellm/1.81.10", "LiteLLM"),
        ("langchain-anthropic/1.7.7", "LangChain"),
        ("Anthropic/Python 2.11.0", "Unknown"),
        ("OpenAI/JS 7.55.0", "Unknown"),
        ("ai-sdk/anthropic/4.0 ai-sdk/provider-utils/4 runtime/bun/1.4", "Unknown"),
        ("ls/JS 5.23.2", "Unknown"),
        ("node-fetch", "Unknown"),
        ("Bun/1.4.4", "Unknown"),
        ("my codex/1", "Unknown"),
        ("", "Unknown"),
    ],
)
def test_by_user_agent(user_agent: str, label: str) -> None:
    assert match(User__Agent=user_agent).label == label


OPENCODE = "opencode/7.7.7 (linux; x64)"
SDK = "OpenAI/JS 6.26.0"


@pytest.mark.parametrize(
    ("headers", "label"),
    [
        ({"Originator": "kilo-code"}, "Kilo Code"),
        ({"Originator": "Kilo-Code"}, "Unknown"),
        ({"Originator": "roo-code"}, "Roo Code"),
        ({"User__Agent": OPENCODE, "Originator": "opencode", "X__Title": "Kilo Code"}, "Kilo Code"),
        ({"User__Agent": OPENCODE, "Originator": "opencode"}, "OpenCode"),
        ({"User__Agent": OPENCODE, "X__Title": "Other"}, "OpenCode"),
        ({"x__cursor__client__version": "2.0"}, "Cursor"),
        ({"x__cursor__client__version": ""}, "Unknown"),
        ({"User__Agent": "Anthropic/JS 0.94.0", "X__Initiator": "agent"}, "GitHub Copilot (CLI)"),
        ({"User__Agent": OPENCODE, "X__Initiator": "user"}, "OpenCode"),
        ({"User__Agent": "Anthropic/JS 0.94.0", "X__Initiator": "robot"}, "Unknown"),
        ({"User__Agent": SDK, "session_id": "s", "x__client__request__id": "s"}, "pi"),
        ({"User__Agent": SDK, "session_id": "s", "x__client__request__id": "t"}, "Unknown"),
        ({"User__Agent": SDK, "session_id": "", "x__client__request__id": ""}, "Unknown"),
        ({}, "Unknown"),
    ],
)
def test_by_other_headers(headers: dict[str, str], label: str) -> None:
    assert match(**headers).label == label


@pytest.mark.parametrize(
    ("said", "label"),
    [
        ("copilot-cli", "GitHub Copilot (CLI)"),
        ("Cline", "Cline"),
        (" aider ", "aider"),
        ("Claude Code", "Claude Code"),
        ("My own tool", "Unknown"),
        ("", "Unknown"),
    ],
)
def test_a_tool_may_name_itself(said: str, label: str) -> None:
    assert match(User__Agent=SDK, X__Coder__Client=said).label == label


def test_a_recognised_tool_cannot_rename_itself() -> None:
    assert match(User__Agent="codex_exec/1", X__Coder__Client="Cline").label == "Codex"


def test_labels_are_a_known_set() -> None:
    assert {client.label for client in NAMED.values()} == {
        "Charm Crush",
        "Claude Code",
        "Cline",
        "Coder Agents",
        "Codex",
        "Continue",
        "Cursor",
        "Factory",
        "GitHub Copilot (CLI)",
        "GitHub Copilot (VS Code)",
        "Junie",
        "Kilo Code",
        "LangChain",
        "LiteLLM",
        "Mux",
        "OpenCode",
        "Qwen Code",
        "Roo Code",
        "Zed",
        "aider",
        "pi",
    }


@pytest.mark.parametrize(
    ("user_agent", "headers", "session"),
    [
        ("claude-cli/2", {"X__Claude__Code__Session__Id": " uuid "}, "uuid"),
        ("claude-cli/2", {"session__id": "other"}, None),
        ("codex_exec/1", {"session__id": "new", "session_id": "old"}, "new"),
        ("codex_exec/1", {"session__id": " ", "session_id": "old"}, "old"),
        ("codex_exec/1", {"thread__id": "t"}, None),
        ("mux/1", {"X__Mux__Workspace__Id": "w"}, "w"),
        ("xum/1", {"X__Mux__Workspace__Id": "w"}, "w"),
        ("GitHubCopilotChat/1", {"x__interaction__id": "i", "vscode__sessionid": "v"}, "i"),
        ("copilot/1", {"X__Client__Session__Id": "c", "x__interaction__id": "i"}, "c"),
        ("kilo-code/1", {"X__KILOCODE__TASKID": "t"}, "t"),
        ("kilo/1", {"x__session__id": "s", "x__session__affinity": "a"}, "s"),
        ("kilo/1", {"x__session__affinity": "a"}, "a"),
        ("kilo/1", {"x__session__id": "title-s"}, "s"),
        ("coder-agents/1", {"X__Coder__Chat__Id": "chat"}, "chat"),
        ("opencode/1", {"x__session__id": "ses_1", "session__id": "ses_2"}, "ses_1"),
        ("opencode/1", {"x__session__affinity": "ses_1"}, "ses_1"),
        ("opencode/1", {"session__id": "ses_2"}, "ses_2"),
        ("opencode/1", {"X__OpenCode__Session": "ses_3"}, "ses_3"),
        ("zed/1", {"session__id": "s"}, None),
        ("roo-code/1", {"session__id": "s"}, None),
        ("charm crush/1", {"session__id": "s"}, None),
        ("junie:1", {"session__id": "s"}, None),
        (SDK, {"session_id": "s", "x__client__request__id": "s"}, "s"),
        (SDK, {"session__id": "s"}, "s"),
        (SDK, {"session_id": "s"}, "s"),
        (SDK, {"x__session__id": "s"}, "s"),
        (SDK, {"x__session__affinity": "s"}, None),
        (SDK, {"session__id": "", "x__session__id": "\t"}, None),
        (SDK, {"x__coder__client": "cline", "session__id": "s"}, "s"),
        ("copilot/1", {"X__Client__Session__Id": "x" * 1000}, "x" * SESSION_LENGTH),
    ],
)
def test_session_headers(user_agent: str, headers: dict[str, str], session: str | None) -> None:
    assert match(User__Agent=user_agent, **headers).session_id == session


@pytest.mark.parametrize(
    ("hint", "session"),
    [
        ('{"device_id":"d","account_uuid":"","session_id":"uuid"}', "uuid"),
        ('{"session_id":""}', None),
        ('{"session_id":5}', None),
        ('{"session_id":"", "x":"_session_no"}', None),
        ("user_abc_account__session_uuid", "uuid"),
        ('{"other":"user_a_session_uuid"}', 'uuid"}'),
        ("5", None),
        ("somebody", None),
        ("[" * 100_000, None),
        (None, None),
    ],
)
def test_claude_code_names_its_session_in_the_body(hint: str | None, session: str | None) -> None:
    assert match(hint, User__Agent="claude-cli/2").session_id == session


def test_the_header_counts_before_the_body() -> None:
    found = match('{"session_id":"body"}', User__Agent="claude-cli/2", X__Claude__Code__Session__Id="header")

    assert found.session_id == "header"


def test_codex_names_its_session_in_the_body_too() -> None:
    assert match("body", User__Agent="codex_exec/1").session_id == "body"
    assert match("body", User__Agent="codex_exec/1", session__id="header").session_id == "header"


def test_the_body_of_an_unknown_tool_is_not_believed() -> None:
    assert match("user_x_session_y", User__Agent=SDK).session_id is None


names = st.sampled_from(["User-Agent", "Originator", "X-Title", "session-id", "X-Coder-Client", "x-session-id"])


@settings(max_examples=200, deadline=None)
@given(headers=st.dictionaries(names, st.text(max_size=300)), hint=st.none() | st.text(max_size=300))
def test_any_header_gives_a_match(headers: dict[str, Any], hint: str | None) -> None:
    found = identify(CIMultiDict(headers), Ask(session_hint=hint))

    assert found.session_id is None or 0 < len(found.session_id) <= SESSION_LENGTH
