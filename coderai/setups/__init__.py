"""How each tool is pointed at the gateway: one table, a row per tool.

A row says which families of providers the tool can speak to, what to write down for each, whether it can send a token
beside an own key, and what of it was tried with the real tool.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from coderai.setups import agents, editors, libraries
from coderai.setups.snippets import Place, Snippet

__all__ = ["CANNOT", "SETUPS", "Place", "Setup", "Snippet", "find"]

Way = Callable[[Place], Snippet]
_BOTH: Final = ("anthropic", "openai")


@dataclass(frozen=True, slots=True)
class Setup:
    """One tool."""

    name: str
    """What is typed on the command line."""
    label: str
    """As people call it."""
    write: Way
    families: tuple[str, ...] = _BOTH
    """Whose language it speaks, the usual one first."""
    tried: str = ""
    """The version it was run with; empty: written from what is known of the tool."""
    byok: bool = True
    """It can send the gateway token beside a key of the user's own."""
    central: bool = True
    """False: it has a credential of its own that cannot be replaced."""
    provider: str = ""
    """Name of the provider that is meant for it, where a name is customary."""
    others: tuple[str, ...] = ()
    """Further names on the command line."""


SETUPS: Final = (
    Setup("coder-agents", "Coder Agents", editors.coder_agents, byok=False),
    Setup("mux", "Mux", editors.mux, byok=False, others=("xum",)),
    Setup("claude-code", "Claude Code", agents.claude_code, ("anthropic",), "2.1.329", others=("claude",)),
    Setup("codex", "Codex CLI", agents.codex, ("openai",), "0.169.0"),
    Setup(
        "codex-chatgpt",
        "Codex CLI with a ChatGPT subscription",
        agents.codex_chatgpt,
        ("openai",),
        "0.169.0",
        central=False,
        provider="chatgpt",
    ),
    Setup("opencode", "OpenCode", agents.opencode, tried="1.18.33"),
    Setup("factory", "Factory Droid", agents.droid, tried="0.215.0", others=("droid",)),
    Setup("cline", "Cline", agents.cline, tried="3.0.65"),
    Setup("kilo", "Kilo Code", agents.kilo, tried="7.7.7", others=("kilo-code",)),
    Setup("roo", "Roo Code", editors.roo_code, others=("roo-code",)),
    Setup("vscode", "VS Code (a model of your own in Copilot Chat)", editors.vscode, ("openai",), byok=False),
    Setup("jetbrains", "JetBrains AI Assistant", editors.jetbrains, ("openai",), byok=False),
    Setup("zed", "Zed", editors.zed, byok=False),
    Setup("copilot-cli", "GitHub Copilot CLI with a provider of your own", agents.copilot_cli, tried="1.0.102"),
    Setup("cursor", "Cursor", editors.cursor, ("openai",), byok=False),
    Setup("pi", "pi", agents.pi, tried="0.73.1"),
    Setup("continue", "Continue", agents.continue_cli, tried="1.5.47"),
    Setup("qwen-code", "Qwen Code", agents.qwen_code, ("openai",), "0.24.4", others=("qwen",)),
    Setup("crush", "Charm Crush", agents.crush, others=("charm-crush",)),
    Setup("aider", "aider", agents.aider, byok=False, tried="0.86.2"),
    Setup("llm", "llm", agents.llm, tried="0.36"),
    Setup("claude-agent-sdk", "Claude Agent SDK", agents.claude_code, ("anthropic",), "0.2.186"),
    Setup("anthropic-sdk", "Anthropic SDK (Python)", libraries.anthropic_sdk, ("anthropic",), "2.12.0"),
    Setup("openai-sdk", "OpenAI SDK (Python)", libraries.openai_sdk, ("openai",), "3.54.0"),
    Setup("ai-sdk", "Vercel AI SDK", libraries.ai_sdk, tried="7.0.173", others=("vercel-ai-sdk",)),
    Setup("langchain", "LangChain", libraries.langchain, tried="1.7.7"),
    Setup("litellm", "LiteLLM", libraries.litellm, tried="1.81.10"),
)
"""In the order in which they are listed."""

CANNOT: Final[Mapping[str, str]] = {
    "windsurf": "WindSurf has no setting for the address of a provider",
    "amp": "Sourcegraph Amp speaks only to its own service",
    "kiro": "Kiro has no setting for the address of a provider",
    "gemini-cli": "Gemini CLI speaks only Google's generateContent, which the gateway does not take",
    "antigravity": "Antigravity has no setting for the address of a provider",
}
"""Tools that are asked for and cannot be pointed here, and why."""

_BY_NAME: Final = {name: setup for setup in SETUPS for name in (setup.name, *setup.others)}


def find(name: str) -> Setup | None:
    """Return the row for what was typed."""
    return _BY_NAME.get(name.strip().lower())
