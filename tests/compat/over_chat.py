"""Clients that speak OpenAI Chat Completions."""

from coderai.records import Api
from tests.compat.talk import FUNCTIONS, PROMPT, SESSION, Talk, chat, stainless, text, user

SYSTEM = {"role": "system", "content": "You help."}
PLAIN = chat([SYSTEM, user(PROMPT)], tools=FUNCTIONS, tool_choice="auto")
BLOCKS = chat([SYSTEM, user(text(PROMPT))], tools=FUNCTIONS, temperature=0.0, top_p=1.0)
KILO = chat(
    [SYSTEM, user(text(PROMPT), text("\n\n<environment_details>\nMessage time\n</environment_details>"))],
    tools=FUNCTIONS,
)
REASONING = chat(
    [SYSTEM, user(PROMPT)], tools=FUNCTIONS, reasoning_effort="medium", max_completion_tokens=4096, store=False
)
WITHOUT_USAGE = chat([SYSTEM, user(PROMPT)], tools=FUNCTIONS, usage=False, temperature=0)
JSON = {"Content-Type": "application/json"}

TALKS = (
    Talk(
        "opencode",
        "OpenCode",
        Api.CHAT,
        {**JSON, "User-Agent": "opencode/1.18.33 ai-sdk/provider-utils/4.0.27", "x-session-id": "ses_5"},
        *PLAIN,
        session="ses_5",
    ),
    Talk(
        "kilo",
        "Kilo Code",
        Api.CHAT,
        {
            **JSON,
            "User-Agent": "Kilo-Code/7.7.7 ai-sdk/openai-compatible/2.0.1",
            "x-title": "Kilo Code",
            "http-referer": "https://kilocode.ai",
            "x-session-id": "ses_6",
            "x-session-affinity": "ses_6",
        },
        *KILO,
        session="ses_6",
    ),
    Talk(
        "kilo-vscode",
        "Kilo Code",
        Api.CHAT,
        {**stainless("js", "5.12.2"), "User-Agent": "Kilo-Code/4.99.0", "X-KILOCODE-TASKID": "task-7"},
        *PLAIN,
        session="task-7",
    ),
    Talk(
        "cline",
        "Unknown",
        Api.CHAT,
        {**JSON, "User-Agent": "ai-sdk/openai-compatible/2.0.1 ai-sdk/provider-utils/5.0.30 runtime/bun/1.3.13"},
        *BLOCKS,
    ),
    Talk("pi", "Unknown", Api.CHAT, {**stainless("js", "6.26.0"), "User-Agent": "OpenAI/JS 6.26.0"}, *REASONING),
    Talk("continue", "Unknown", Api.CHAT, {**stainless("js", "5.23.2"), "User-Agent": "ls/JS 5.23.2"}, *PLAIN),
    Talk(
        "qwen-code",
        "Qwen Code",
        Api.CHAT,
        {**stainless("js", "5.11.0"), "User-Agent": "QwenCode/0.24.4 (linux; x64)"},
        *BLOCKS,
    ),
    Talk(
        "aider",
        "Unknown",
        Api.CHAT,
        {**stainless("python", "2.20.0"), "User-Agent": "OpenAI/Python 2.20.0"},
        *WITHOUT_USAGE,
        edited=True,
    ),
    Talk(
        "llm-litellm-langchain-or-sdk-python",
        "Unknown",
        Api.CHAT,
        {**stainless("python", "3.52.0"), "User-Agent": "OpenAI/Python 3.52.0"},
        *PLAIN,
    ),
    Talk(
        "sdk-node",
        "Unknown",
        Api.CHAT,
        {**stainless("js", "7.55.0"), "User-Agent": "OpenAI/JS 7.55.0"},
        *WITHOUT_USAGE,
        edited=True,
    ),
    Talk(
        "ai-sdk",
        "Unknown",
        Api.CHAT,
        {**JSON, "User-Agent": "ai-sdk-openai-compatible/2.0.1 ai-sdk-provider-utils/5.0.30 node.js/22"},
        *PLAIN,
    ),
    Talk(
        "copilot-own-provider",
        "GitHub Copilot (CLI)",
        Api.CHAT,
        {**stainless("js", "5.20.1"), "User-Agent": "OpenAI/JS 5.20.1", "x-initiator": "user"},
        *REASONING,
        hints={"turn_by": "user"},
    ),
    Talk(
        "copilot-vscode",
        "GitHub Copilot (VS Code)",
        Api.CHAT,
        {
            **JSON,
            "User-Agent": "GitHubCopilotChat/0.37.2",
            "x-interaction-id": "turn-8",
            "vscode-sessionid": "window-1",
            "copilot-integration-id": "vscode-chat",
            "editor-version": "vscode/1.106.0",
            "editor-plugin-version": "copilot-chat/0.37.2",
            "openai-intent": "conversation-agent",
            "x-github-api-version": "2025-05-01",
            "x-initiator": "user",
        },
        *PLAIN,
        session="turn-8",
        path="/copilot/chat/completions",
        central=False,
    ),
    Talk(
        "coder-agents",
        "Coder Agents",
        Api.CHAT,
        {
            **JSON,
            "User-Agent": "coder-agents/v2.24.0 (linux/amd64)",
            "X-Coder-Owner-Id": "8b0f1a52-52f1-4a3e-9d0b-7f2f6d0c9a11",
            "X-Coder-Chat-Id": SESSION,
            "X-Coder-Workspace-Id": "ws-1",
        },
        *PLAIN,
        session=SESSION,
        byok=False,
        hints={"workspace_id": "ws-1"},
    ),
    Talk("zed", "Zed", Api.CHAT, {**JSON, "User-Agent": "Zed/0.200.1 (linux; x86_64)"}, *BLOCKS),
    Talk(
        "roo-code",
        "Roo Code",
        Api.CHAT,
        {**stainless("js", "5.12.2"), "User-Agent": "RooCode/3.30.0", "Originator": "roo-code"},
        *PLAIN,
    ),
    Talk(
        "crush",
        "Charm Crush",
        Api.CHAT,
        {**JSON, "User-Agent": "Charm-Crush/0.11.0 (https://charm.land/crush)"},
        *PLAIN,
    ),
)
