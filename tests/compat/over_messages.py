"""Clients that speak Anthropic Messages."""

from coderai.records import Api
from tests.compat.talk import (
    EPHEMERAL,
    PROMPT,
    SCHEMAS,
    SESSION,
    Talk,
    compact,
    messages,
    stainless,
    text,
    user,
)

BETAS = (
    "claude-code-20250219,interleaved-thinking-2025-05-14,context-management-2025-06-27,per-turn-control-2026-07-01,"
    "mid-conversation-tool-changes-2026-07-01,advanced-tool-use-2025-11-20,effort-2025-11-24"
)
VERSION = {"anthropic-version": "2023-06-01"}
AGENT = "a7c1d2e3"


def _claude_code(user_agent: str, **more: str) -> dict[str, str]:
    return {
        **stainless("js", "0.128.0"),
        "X-Stainless-Timeout": "600",
        "User-Agent": user_agent,
        "X-Claude-Code-Session-Id": SESSION,
        "anthropic-beta": BETAS,
        "anthropic-dangerous-direct-browser-access": "true",
        **VERSION,
        "x-app": "cli",
        "Accept-Encoding": "gzip, deflate, br, zstd",
        **more,
    }


CLAUDE_CODE = messages(
    [
        user(
            text(
                "<system-reminder>\nAs you answer, you can use the following context: CLAUDE.md\n</system-reminder>\n"
            ),
            text("<system-reminder>\nToday's date is 2026-11-21.\n</system-reminder>\n"),
            text(PROMPT, cache_control=EPHEMERAL),
        ),
        {"role": "system", "content": "The following tools are now available.", "output_config": {"effort": "high"}},
    ],
    system=[
        text("x-anthropic-billing-header: cc_version=2.1.329; cc_entrypoint=sdk-cli;"),
        text("You are Claude Code.", cache_control={**EPHEMERAL, "ttl": "1h"}),
    ],
    tools=[{**SCHEMAS[0], "defer_loading": True}],
    metadata={"user_id": compact({"device_id": "0" * 64, "account_uuid": "", "session_id": SESSION})},
    thinking={"type": "adaptive", "display": "omitted"},
    context_management={"edits": [{"type": "clear_thinking_20251015", "keep": "all"}]},
    output_config={"effort": "high"},
    safeguards=[{"type": "dangerous_tool_use", "classifier_context": {"cwd": "/home/alice"}}],
    temperature=1.0,
)
PLAIN = messages([user(text(PROMPT, cache_control=EPHEMERAL))], tools=SCHEMAS, system=[text("You help.")])
BARE = messages([user(PROMPT)], tools=SCHEMAS, tool_choice={"type": "auto"})
KILO = messages(
    [user(text(PROMPT), text("\n\n<environment_details>\nMessage time: 2026-11-21\n</environment_details>"))],
    tools=SCHEMAS,
)
AI_SDK = {"Content-Type": "application/json", **VERSION, "anthropic-beta": "fine-grained-tool-streaming-2025-05-14"}
API_KEY = "X-Api-Key"
BETA_PATH = "/anthropic/v1/messages?beta=true"
SDK_2 = {"anthropic-version": "2026-10-21", "X-Stainless-Async": "false", "X-Stainless-Read-Timeout": "600"}

TALKS = (
    Talk(
        "claude-code",
        "Claude Code",
        Api.MESSAGES,
        _claude_code("claude-cli/2.1.329 (external, sdk-cli)"),
        *CLAUDE_CODE,
        session=SESSION,
        path=BETA_PATH,
    ),
    Talk(
        "claude-code-api-key",
        "Claude Code",
        Api.MESSAGES,
        _claude_code("claude-cli/2.1.329 (external, cli)"),
        *CLAUDE_CODE,
        session=SESSION,
        path=BETA_PATH,
        key_header=API_KEY,
    ),
    Talk(
        "claude-code-sub-agent",
        "Claude Code",
        Api.MESSAGES,
        _claude_code(
            "claude-cli/2.1.329 (external, cli)",
            **{
                "x-claude-code-request-class": "subagent",
                "x-claude-code-prompt-id": "p-1",
                "x-claude-code-agent-id": AGENT,
                "x-claude-code-parent-agent-id": "b8",
                "x-claude-code-agent-type": "Explore",
                "x-claude-code-prev-tool-durations": "Bash=21",
            },
        ),
        *CLAUDE_CODE,
        session=SESSION,
        path=BETA_PATH,
        hints={"request_class": "subagent", "agent_id": AGENT, "parent_agent_id": "b8", "agent_type": "Explore"},
    ),
    Talk(
        "claude-agent-sdk",
        "Claude Code",
        Api.MESSAGES,
        _claude_code("claude-cli/2.1.329 (external, sdk-py, agent-sdk/0.2.186)"),
        *CLAUDE_CODE,
        session=SESSION,
        path=BETA_PATH,
    ),
    Talk(
        "opencode",
        "OpenCode",
        Api.MESSAGES,
        {
            **AI_SDK,
            "User-Agent": "opencode/1.18.33 ai-sdk/provider-utils/4.0.27 runtime/bun/1.3.14",
            "x-session-id": "ses_1",
            "x-session-affinity": "ses_1",
        },
        *PLAIN,
        session="ses_1",
        key_header=API_KEY,
    ),
    Talk(
        "kilo",
        "Kilo Code",
        Api.MESSAGES,
        {
            **AI_SDK,
            "User-Agent": "kilo/latest/7.7.7/cli ai-sdk/provider-utils/4.0.27 runtime/bun/1.3.14",
            "x-session-id": "ses_2",
            "x-session-affinity": "ses_2",
        },
        *KILO,
        session="ses_2",
        key_header=API_KEY,
    ),
    Talk(
        "cline",
        "Unknown",
        Api.MESSAGES,
        {**AI_SDK, "User-Agent": "ai-sdk/anthropic/4.0.42 ai-sdk/provider-utils/5.0.30 runtime/bun/1.3.13"},
        *PLAIN,
        key_header=API_KEY,
    ),
    Talk(
        "cline-named",
        "Cline",
        Api.MESSAGES,
        {**AI_SDK, "User-Agent": "ai-sdk/anthropic/4.0.42 runtime/bun/1.3.13", "X-Coder-Client": "cline"},
        *PLAIN,
        key_header=API_KEY,
    ),
    Talk(
        "droid",
        "Factory",
        Api.MESSAGES,
        {**stainless("js", "0.70.1"), **VERSION, "User-Agent": "factory-cli/0.215.0"},
        *PLAIN,
        key_header=API_KEY,
    ),
    Talk(
        "pi",
        "Unknown",
        Api.MESSAGES,
        {**stainless("js", "0.91.1"), **VERSION, "User-Agent": "Anthropic/JS 0.91.1"},
        *PLAIN,
        key_header=API_KEY,
    ),
    Talk(
        "continue",
        "Unknown",
        Api.MESSAGES,
        {
            "Content-Type": "application/json",
            **VERSION,
            "anthropic-beta": "prompt-caching-2024-07-31",
            "User-Agent": "node-fetch",
        },
        *PLAIN,
        key_header=API_KEY,
    ),
    Talk(
        "aider-or-litellm",
        "LiteLLM",
        Api.MESSAGES,
        {"Content-Type": "application/json", "accept": "application/json", **VERSION, "User-Agent": "litellm/1.81.10"},
        *BARE,
        key_header=API_KEY,
    ),
    Talk(
        "langchain",
        "LangChain",
        Api.MESSAGES,
        {**stainless("python", "2.11.0"), **VERSION, "User-Agent": "langchain-anthropic/1.7.7"},
        *BARE,
        key_header=API_KEY,
    ),
    Talk(
        "sdk-python-2",
        "Unknown",
        Api.MESSAGES,
        {**stainless("python", "2.11.0"), **SDK_2, "User-Agent": "Anthropic/Python 2.11.0"},
        *BARE,
    ),
    Talk(
        "sdk-python-1-or-llm",
        "Unknown",
        Api.MESSAGES,
        {**stainless("python", "1.17.0"), **VERSION, "User-Agent": "Anthropic/Python 1.17.0"},
        *BARE,
        key_header=API_KEY,
    ),
    Talk(
        "sdk-node-1",
        "Unknown",
        Api.MESSAGES,
        {
            **stainless("js", "1.11.0"),
            "anthropic-version": "2026-10-21",
            "X-Stainless-Helper-Method": "stream",
            "User-Agent": "Anthropic/JS 1.11.0",
        },
        *BARE,
    ),
    Talk(
        "ai-sdk",
        "Unknown",
        Api.MESSAGES,
        {**AI_SDK, "User-Agent": "ai-sdk-anthropic/4.0.105 ai-sdk-provider-utils/5.0.30 node.js/22"},
        *PLAIN,
        key_header=API_KEY,
    ),
    Talk(
        "copilot-own-provider",
        "GitHub Copilot (CLI)",
        Api.MESSAGES,
        {
            **{name.lower(): value for name, value in stainless("js", "0.94.0").items()},
            **VERSION,
            "user-agent": "Anthropic/JS 0.94.0",
            "x-stainless-helper-method": "stream",
            "x-initiator": "user",
            "accept-encoding": "zstd,gzip,deflate,br",
        },
        *PLAIN,
        key_header=API_KEY,
        hints={"turn_by": "user"},
    ),
    Talk(
        "coder-agents",
        "Coder Agents",
        Api.MESSAGES,
        {
            **stainless("js", "0.94.0"),
            **VERSION,
            "User-Agent": "coder-agents/v2.24.0 (linux/amd64)",
            "X-Coder-Owner-Id": "8b0f1a52-52f1-4a3e-9d0b-7f2f6d0c9a11",
            "X-Coder-Chat-Id": SESSION,
            "X-Coder-Subchat-Id": "sub-1",
            "X-Coder-Workspace-Id": "ws-1",
        },
        *PLAIN,
        session=SESSION,
        byok=False,
        hints={"agent_id": "sub-1", "subchat_id": "sub-1", "workspace_id": "ws-1"},
    ),
    Talk(
        "mux",
        "Mux",
        Api.MESSAGES,
        {**AI_SDK, "User-Agent": "mux/1.0.2 ai-sdk/anthropic/4.0.42", "X-Mux-Workspace-Id": "w-1"},
        *PLAIN,
        session="w-1",
        key_header=API_KEY,
    ),
    Talk(
        "zed",
        "Zed",
        Api.MESSAGES,
        {"Content-Type": "application/json", **VERSION, "User-Agent": "Zed/0.200.1 (linux; x86_64)"},
        *BARE,
        key_header=API_KEY,
    ),
    Talk(
        "copilot-subscription",
        "GitHub Copilot (CLI)",
        Api.MESSAGES,
        {
            "Content-Type": "application/json",
            **VERSION,
            "user-agent": "copilot/1.0.102 (linux v24.20.0) term/unknown client/github/cli",
            "x-client-session-id": SESSION,
            "x-interaction-id": "turn-1",
            "x-agent-task-id": "task-1",
            "x-initiator": "user",
            "x-interaction-type": "conversation-user",
            "copilot-integration-id": "copilot-developer-cli",
            "copilot-harness-id": "copilot-sdk",
            "editor-version": "copilot/1.0.102",
            "x-github-api-version": "2026-08-01",
            "openai-intent": "conversation-agent",
        },
        *PLAIN,
        session=SESSION,
        path="/copilot/v1/messages",
        central=False,
        hints={"interaction_id": "turn-1", "task_id": "task-1", "turn_by": "user", "request_class": "main"},
    ),
)
