"""Clients that speak OpenAI Responses."""

from coderai.demo.answers import Tool
from coderai.records import Api
from tests.compat.talk import CALL_ID, FLAT_FUNCTIONS, PROMPT, SESSION, Json, Talk, compact, responses, said, stainless

SCRIPT = Tool("exec", "cat tests/test_login.py\n", id=CALL_ID, kind="custom_tool_call")
THREAD = "9d0b7f2f-0000-7000-8000-000000000001"


def _codex(originator: str, thread: str = SESSION, **turn: str) -> dict[str, str]:
    metadata = {
        "session_id": SESSION,
        "thread_id": thread,
        "agent_name": "/root",
        "turn_id": "turn-1",
        "request_kind": "turn",
        "thread_source": "user",
        "workspaces": {"/home/alice/shop": {"latest_git_commit_hash": "4f1c", "has_changes": True}},
        **turn,
    }
    return {
        "accept": "text/event-stream",
        "Content-Type": "application/json",
        "User-Agent": f"{originator}/0.169.0 (Debian 12.0.0; x86_64) dumb ({originator}; 0.169.0)",
        "originator": originator,
        "session-id": SESSION,
        "thread-id": thread,
        "x-client-request-id": thread,
        "x-codex-window-id": f"{thread}:0",
        "x-codex-turn-metadata": compact(metadata),
        "x-openai-internal-codex-responses-lite": "true",
        "openai-beta": "responses=experimental",
    }


def _codex_items(*tools: object) -> list[object]:
    return [
        *tools,
        said("developer", "You are Codex, a coding agent.", id="msg_0", internal_chat_message_metadata_passthrough={}),
        said("user", "<environment_context>\n<cwd>/home/alice/shop</cwd>\n</environment_context>", id="msg_1"),
        said("user", PROMPT, id="msg_2"),
    ]


CODEX_MEMBERS: Json = {
    "instructions": "You are Codex.",
    "tool_choice": "auto",
    "parallel_tool_calls": False,
    "reasoning": {"effort": "medium", "summary": "auto", "context": "all_turns"},
    "include": ["reasoning.encrypted_content"],
    "prompt_cache_key": SESSION,
    "text": {"verbosity": "medium"},
    "client_metadata": {"session_id": SESSION},
}
CODEX = responses(_codex_items(), tools=[*FLAT_FUNCTIONS, {"type": "web_search"}], **CODEX_MEMBERS)
ADDITIONAL = {
    "type": "additional_tools",
    "role": "developer",
    "tools": [{"type": "namespace", "name": "functions", "tools": [{"type": "custom", "name": "exec"}]}],
}
RECENT_CODEX = responses(_codex_items(ADDITIONAL), call=SCRIPT, **CODEX_MEMBERS)
PLAIN = responses([said("developer", "You help."), said("user", PROMPT)], tools=FLAT_FUNCTIONS)
AS_TEXT = responses(
    [
        {"role": "developer", "content": "You help."},
        {"role": "user", "content": [{"type": "input_text", "text": PROMPT}]},
    ],
    tools=FLAT_FUNCTIONS,
    include=["web_search_call.action.sources"],
    truncation="auto",
)
JSON = {"Content-Type": "application/json"}

TALKS = (
    Talk("codex-exec", "Codex", Api.RESPONSES, _codex("codex_exec"), *CODEX, session=SESSION),
    Talk(
        "codex-recent-model",
        "Codex",
        Api.RESPONSES,
        _codex("codex-tui"),
        *RECENT_CODEX,
        session=SESSION,
        call=SCRIPT,
        hints={"thread_id": SESSION, "turn_id": "turn-1", "request_class": "main"},
    ),
    Talk(
        "codex-sub-agent",
        "Codex",
        Api.RESPONSES,
        {
            **_codex("codex-tui", THREAD, thread_source="subagent", parent_thread_id=SESSION),
            "x-codex-parent-thread-id": SESSION,
            "x-openai-subagent": "collab_spawn",
        },
        *CODEX,
        session=SESSION,
        hints={"agent_id": THREAD, "agent_type": "collab_spawn", "request_class": "subagent"},
    ),
    Talk(
        "codex-chatgpt-sign-in",
        "Codex",
        Api.RESPONSES,
        {
            **_codex("codex-tui"),
            "chatgpt-account-id": "acc-1",
            "x-codex-routing-hint": "model=gpt-5.3-codex",
            "version": "0.169.0",
        },
        *CODEX,
        session=SESSION,
        encoding="zstd",
        central=False,
    ),
    Talk(
        "codex-old-session-header",
        "Codex",
        Api.RESPONSES,
        {**JSON, "User-Agent": "codex_cli_rs/0.40.0", "originator": "codex_cli_rs", "session_id": SESSION},
        *CODEX,
        session=SESSION,
    ),
    Talk(
        "opencode",
        "OpenCode",
        Api.RESPONSES,
        {
            **JSON,
            "User-Agent": "opencode/1.18.33 (linux 6.1; x64) ai-sdk/openai/4.0.47",
            "originator": "opencode",
            "session-id": "ses_3",
            "x-session-id": "ses_3",
            "x-session-affinity": "ses_3",
        },
        *PLAIN,
        session="ses_3",
    ),
    Talk(
        "kilo",
        "Kilo Code",
        Api.RESPONSES,
        {
            **JSON,
            "User-Agent": "opencode/7.7.7 (linux 6.1; x64)",
            "originator": "opencode",
            "x-title": "Kilo Code",
            "http-referer": "https://kilocode.ai",
            "x-session-id": "ses_4",
            "x-session-affinity": "ses_4",
        },
        *PLAIN,
        session="ses_4",
    ),
    Talk(
        "cline",
        "Unknown",
        Api.RESPONSES,
        {**JSON, "User-Agent": "ai-sdk/openai/4.0.47 ai-sdk/provider-utils/5.0.30 runtime/bun/1.3.13"},
        *AS_TEXT,
    ),
    Talk(
        "pi",
        "pi",
        Api.RESPONSES,
        {
            **stainless("js", "6.26.0"),
            "User-Agent": "OpenAI/JS 6.26.0",
            "session_id": SESSION,
            "x-client-request-id": SESSION,
        },
        *PLAIN,
        session=SESSION,
    ),
    Talk(
        "copilot-own-provider",
        "GitHub Copilot (CLI)",
        Api.RESPONSES,
        {**stainless("js", "5.20.1"), "User-Agent": "OpenAI/JS 5.20.1", "x-initiator": "agent"},
        *PLAIN,
        hints={"turn_by": "agent"},
    ),
    Talk(
        "copilot-subscription",
        "GitHub Copilot (CLI)",
        Api.RESPONSES,
        {
            **JSON,
            "user-agent": "copilot/1.0.102 (linux v24.20.0) term/unknown client/github/cli",
            "x-client-session-id": SESSION,
            "copilot-integration-id": "copilot-developer-cli",
            "editor-version": "copilot/1.0.102",
        },
        *PLAIN,
        session=SESSION,
        path="/copilot/responses",
        central=False,
    ),
    Talk(
        "litellm-langchain-or-sdk-python",
        "Unknown",
        Api.RESPONSES,
        {**stainless("python", "3.52.0"), "User-Agent": "OpenAI/Python 3.52.0"},
        *AS_TEXT,
    ),
    Talk(
        "sdk-node",
        "Unknown",
        Api.RESPONSES,
        {**stainless("js", "7.55.0"), "User-Agent": "OpenAI/JS 7.55.0"},
        *AS_TEXT,
    ),
    Talk(
        "ai-sdk",
        "Unknown",
        Api.RESPONSES,
        {**JSON, "User-Agent": "ai-sdk-openai/4.0.47 ai-sdk-provider-utils/5.0.30 node.js/22"},
        *AS_TEXT,
    ),
    Talk(
        "coder-agents",
        "Coder Agents",
        Api.RESPONSES,
        {**JSON, "User-Agent": "coder-agents/v2.24.0 (linux/amd64)", "X-Coder-Chat-Id": SESSION},
        *PLAIN,
        session=SESSION,
        byok=False,
    ),
    Talk(
        "a base url without the v1",
        "Unknown",
        Api.RESPONSES,
        {**stainless("python", "3.52.0"), "User-Agent": "OpenAI/Python 3.52.0"},
        *AS_TEXT,
        path="/openai/responses",
    ),
)
