"""What the tools say about their agents and turns, by the headers that they send."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from multidict import CIMultiDict, CIMultiDictProxy

from coderai.clients import CLIENTS, HINT_LENGTH, NO_HINTS, Hints, identify
from coderai.records import Ask

CLAUDE = "claude-cli/2.1.329 (external, cli)"
CODEX = "codex-tui/0.169.0 (Debian 12.0.0; x86_64) xterm-256color (codex-tui; 0.169.0)"
COPILOT = "copilot/1.0.102 (linux v24.20.0) term/unknown client/github/cli"
AGENTS = "coder-agents/v2.24.0 (linux/amd64)"
SDK = "OpenAI/JS 6.26.0"


def hints(user_agent: str, headers: dict[str, str]) -> Hints:
    return identify(CIMultiDictProxy(CIMultiDict({"User-Agent": user_agent, **headers})), Ask()).hints


def turn(**members: Any) -> str:
    return json.dumps(members)


TITLE_TURN = turn(session_id="t", thread_id="t", thread_source="thread_title", request_kind="turn")
SUB_TURN = turn(
    session_id="s",
    thread_id="t2",
    parent_thread_id="s",
    agent_name="/root/explore",
    turn_id="u1",
    root_turn_id="u0",
    thread_source="subagent",
    request_kind="turn",
    workspaces={"/home/ada/secret-project": {"latest_git_commit_hash": "f00", "has_changes": True}},
)


@pytest.mark.parametrize(
    ("user_agent", "headers", "expected"),
    [
        (CLAUDE, {}, {}),
        (CLAUDE, {"x-claude-code-request-class": "main"}, {"request_class": "main"}),
        (CLAUDE, {"X-Claude-Code-Request-Class": "auxiliary"}, {"request_class": "auxiliary"}),
        (
            CLAUDE,
            {"x-claude-code-agent-id": "ad7d80f22cfd2dc41"},
            {"request_class": "subagent", "agent_id": "ad7d80f22cfd2dc41"},
        ),
        (
            CLAUDE,
            {
                "x-claude-code-request-class": "subagent",
                "x-claude-code-prompt-id": "p1",
                "x-claude-code-agent-id": "a2",
                "x-claude-code-parent-agent-id": "a1",
                "x-claude-code-agent-type": "Explore",
                "x-claude-code-prev-tool-durations": "Bash=21",
            },
            {
                "request_class": "subagent",
                "prompt_id": "p1",
                "agent_id": "a2",
                "parent_agent_id": "a1",
                "agent_type": "Explore",
            },
        ),
        (CODEX, {}, {}),
        (CODEX, {"session-id": "s", "thread-id": "s"}, {"thread_id": "s"}),
        (CODEX, {"thread-id": "s"}, {"thread_id": "s"}),
        (
            CODEX,
            {
                "session-id": "s",
                "thread-id": "t2",
                "x-codex-parent-thread-id": "s",
                "x-openai-subagent": "collab_spawn",
            },
            {
                "request_class": "subagent",
                "agent_id": "t2",
                "agent_type": "collab_spawn",
                "thread_id": "t2",
                "parent_thread_id": "s",
            },
        ),
        (
            CODEX,
            {"session-id": "s", "thread-id": "t3", "x-codex-parent-thread-id": "t2", "x-openai-subagent": "review"},
            {
                "request_class": "subagent",
                "agent_id": "t3",
                "parent_agent_id": "t2",
                "agent_type": "review",
                "thread_id": "t3",
                "parent_thread_id": "t2",
            },
        ),
        (
            CODEX,
            {"x-codex-turn-metadata": SUB_TURN},
            {
                "request_class": "subagent",
                "agent_id": "t2",
                "agent_name": "/root/explore",
                "thread_id": "t2",
                "parent_thread_id": "s",
                "thread_source": "subagent",
                "turn_id": "u1",
                "request_kind": "turn",
            },
        ),
        (
            CODEX,
            {"session-id": "t", "thread-id": "t", "x-codex-turn-metadata": TITLE_TURN},
            {
                "request_class": "auxiliary",
                "thread_id": "t",
                "thread_source": "thread_title",
                "request_kind": "turn",
            },
        ),
        (
            CODEX,
            {"session-id": "s", "x-codex-turn-metadata": turn(thread_source="user", agent_name="/root")},
            {"request_class": "main", "thread_source": "user"},
        ),
        (CODEX, {"x-codex-turn-metadata": turn(thread_source="new")}, {"thread_source": "new"}),
        (
            COPILOT,
            {
                "x-interaction-id": "i1",
                "x-agent-task-id": "k1",
                "x-initiator": "agent",
                "x-interaction-type": "conversation-agent",
                "x-client-machine-id": "m1",
                "x-github-repository-nwo": "ada/secret-project",
            },
            {
                "request_class": "main",
                "interaction_id": "i1",
                "task_id": "k1",
                "turn_by": "agent",
                "interaction_type": "conversation-agent",
            },
        ),
        (SDK, {"x-initiator": "user"}, {"turn_by": "user"}),
        (SDK, {"X-Coder-Client": "copilot-vscode", "x-interaction-type": "new"}, {"interaction_type": "new"}),
        ("GitHubCopilotChat/0.37.2", {"x-interaction-id": "i1"}, {"interaction_id": "i1"}),
        (AGENTS, {"X-Coder-Chat-Id": "c1", "X-Coder-Workspace-Id": "w1"}, {"workspace_id": "w1"}),
        (
            AGENTS,
            {"X-Coder-Chat-Id": "c1", "X-Coder-Subchat-Id": "c2", "X-Coder-Owner-Id": "o1"},
            {"request_class": "subagent", "agent_id": "c2", "subchat_id": "c2"},
        ),
        (
            SDK,
            {"X-Coder-Client": "Coder Agents", "X-Coder-Subchat-Id": "c2"},
            {"request_class": "subagent", "agent_id": "c2", "subchat_id": "c2"},
        ),
    ],
)
def test_hints_in_the_same_words_for_every_tool(
    user_agent: str, headers: dict[str, str], expected: dict[str, str]
) -> None:
    assert hints(user_agent, headers) == expected


EVERYTHING = {
    "x-claude-code-agent-id": "a",
    "thread-id": "t",
    "x-codex-turn-metadata": SUB_TURN,
    "x-interaction-id": "i",
    "X-Coder-Subchat-Id": "c",
}


def test_what_the_body_says_about_a_turn_counts_before_the_headers() -> None:
    headers = {"User-Agent": CODEX, "session-id": "s", "thread-id": "s", "x-codex-turn-metadata": turn(turn_id="")}
    ask = Ask(turn_hint=turn(session_id="s", thread_id="t2", parent_thread_id="t1", turn_id="u7"))
    assert identify(CIMultiDict(headers), ask).hints == {
        "agent_id": "t2",
        "parent_agent_id": "t1",
        "thread_id": "t2",
        "parent_thread_id": "t1",
        "turn_id": "u7",
    }


def test_the_body_of_another_tool_says_nothing() -> None:
    assert identify(CIMultiDict({"User-Agent": SDK}), Ask(turn_hint=SUB_TURN)).hints is NO_HINTS


def test_the_title_call_of_kilo_code_is_told_from_its_turns():
    for session, hints in (("title-ses_1", {"request_class": "auxiliary"}), ("ses_1", {})):
        found = identify(CIMultiDict({"User-Agent": "kilo/1", "x-session-id": session}), Ask())
        assert (found.session_id, found.hints) == ("ses_1", hints)


@pytest.mark.parametrize("user_agent", ["mux/1", "opencode/1", "kilo/1", "zed/1", "factory-cli/1", SDK, ""])
def test_headers_of_other_tools_say_nothing(user_agent: str) -> None:
    assert hints(user_agent, EVERYTHING) is NO_HINTS


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        (" a1 ", "a1"),
        ("Müller 🦊", "Müller 🦊"),
        ("a\x1b[31mred\x07", "a[31mred"),
        ("a\tb\x00c\x7f\x85", "abc"),
        ("admin\u202egnp.exe", "admingnp.exe"),
        ("zero\u200bwidth\ufeff", "zerowidth"),
        ("half\udcfc", "half"),
        ("x" * 5000, "x" * HINT_LENGTH),
        ("\x1b\x07", None),
        ("   ", None),
        ("", None),
    ],
)
def test_a_hostile_value_is_cleaned_and_cut(said: str, kept: str | None) -> None:
    assert hints(CLAUDE, {"x-claude-code-agent-id": said}).get("agent_id") == kept


@pytest.mark.parametrize(
    "said",
    [
        "{",
        "[]",
        "null",
        '"thread_title"',
        "[" * 100_000,
        '{"thread_id": "t", "x": \udcfc}',
        turn(thread_id={"a": 1}, turn_id=5, thread_source=["subagent"], agent_name=True, request_kind=None),
        turn(workspaces={"/home/ada": {}}, sandbox="none", model="m"),
    ],
)
def test_turn_metadata_that_says_nothing_readable_is_passed_over(said: str) -> None:
    assert hints(CODEX, {"x-codex-turn-metadata": said}) == {}


def test_folders_and_commits_are_not_kept() -> None:
    assert "secret-project" not in str(hints(CODEX, {"x-codex-turn-metadata": SUB_TURN}))


def test_no_tool_can_say_who_its_user_is() -> None:
    said = {f"x-claude-code-{name}": "x" for name in ("request-class", "prompt-id", "agent-id", "agent-type")}
    assert "Username" not in hints(CLAUDE, {**said, "Username": "root"})


agents = st.sampled_from([client.user_agent[0] for client in CLIENTS if client.user_agent])
names = st.sampled_from(
    ["x-claude-code-agent-id", "thread-id", "session-id", "x-codex-turn-metadata", "x-initiator", "X-Coder-Subchat-Id"]
)
values = st.text(max_size=300) | st.dictionaries(
    st.sampled_from(["thread_id", "thread_source", "agent_name"]), st.none() | st.text() | st.lists(st.integers())
).map(json.dumps)


@settings(max_examples=200, deadline=None)
@given(user_agent=agents, headers=st.dictionaries(names, values))
def test_any_header_gives_bounded_printable_hints(user_agent: str, headers: dict[str, str]) -> None:
    for name, value in hints(user_agent, headers).items():
        assert name.isidentifier()
        assert 0 < len(value) <= HINT_LENGTH
        assert value.isprintable()
