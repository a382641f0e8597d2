"""The tools that are run: where they come from, how they are asked one question, and what the records must then say."""

from collections.abc import Mapping
from dataclasses import dataclass, field

PROMPT = "Please greet the gateway with a shell command and tell me what it said."
SONNET = "claude-sonnet-4-5-20250929"
CODEX = "gpt-5.3-codex"


@dataclass(frozen=True)
class Tool:
    """One row: a tool with one provider."""

    name: str
    package: str
    """From npm, with its version."""
    binary: str
    setup: str
    """The name for ``coderai clients setup``."""
    family: str
    command: tuple[str, ...]
    """Arguments; PROMPT and MODEL stand for themselves."""
    label: str
    """What the gateway must recognise."""
    has_session: bool = False
    """It names its sessions."""
    model: str = SONNET
    environment: Mapping[str, str] = field(default_factory=dict)
    provider: str = ""
    """The gateway's provider; empty: named like the family."""
    signed_in: bool = False
    """With a ChatGPT sign-in (a made-up one) instead of a key."""
    websocket: bool = False
    """It talks over a WebSocket."""
    without: str = ""
    """A line of the snippet that is left out."""
    after: str = ""
    """A script of the package that puts its parts together; other install scripts are not run."""

    @property
    def ways(self) -> tuple[bool, ...]:
        """Whether with an own key: without, then with."""
        return (True,) if self.signed_in else (False, True)


CLAUDE_CODE = "@anthropic-ai/claude-code@2.1.329"
CODEX_CLI = "@openai/codex@0.169.0"
OPENCODE = "opencode-ai@1.18.33"
KILO = "@kilocode/cli@7.7.7"
PI = "@mariozechner/pi-coding-agent@0.73.1"
CLINE = "cline@3.0.65"
DROID = "droid@0.215.0"
COPILOT = "@github/copilot@1.0.102"
QWEN = "@qwen-code/qwen-code@0.24.4"
CONTINUE = "@continuedev/cli@1.5.47"

_CODEX_EXEC = ("exec", "--skip-git-repo-check", "--dangerously-bypass-approvals-and-sandbox", "PROMPT")
_PI = ("-p", "--provider", "gw", "--model", "MODEL", "PROMPT")

TOOLS = (
    Tool(
        "claude-code",
        CLAUDE_CODE,
        "claude",
        "claude-code",
        "anthropic",
        ("-p", "PROMPT", "--allowedTools", "Bash"),
        "Claude Code",
        has_session=True,
        after="@anthropic-ai/claude-code/install.cjs",
    ),
    Tool(
        "codex",
        CODEX_CLI,
        "codex",
        "codex",
        "openai",
        _CODEX_EXEC,
        "Codex",
        has_session=True,
        model=CODEX,
        websocket=True,
    ),
    Tool(
        "codex-http",
        CODEX_CLI,
        "codex",
        "codex",
        "openai",
        _CODEX_EXEC,
        "Codex",
        has_session=True,
        model=CODEX,
        without="supports_websockets = true\n",
    ),
    Tool(
        "codex-chatgpt",
        CODEX_CLI,
        "codex",
        "codex-chatgpt",
        "openai",
        _CODEX_EXEC,
        "Codex",
        has_session=True,
        model=CODEX,
        provider="chatgpt",
        signed_in=True,
        websocket=True,
    ),
    Tool(
        "codex-chatgpt-http",
        CODEX_CLI,
        "codex",
        "codex-chatgpt",
        "openai",
        _CODEX_EXEC,
        "Codex",
        has_session=True,
        model=CODEX,
        provider="chatgpt",
        signed_in=True,
        without="supports_websockets = true\n",
    ),
    Tool(
        "opencode",
        OPENCODE,
        "opencode",
        "opencode",
        "anthropic",
        ("run", "-m", f"anthropic/{SONNET}", "PROMPT"),
        "OpenCode",
        has_session=True,
        after="opencode-ai/postinstall.mjs",
    ),
    Tool(
        "opencode-openai",
        OPENCODE,
        "opencode",
        "opencode",
        "openai",
        ("run", "-m", f"openai/{CODEX}", "PROMPT"),
        "OpenCode",
        has_session=True,
        after="opencode-ai/postinstall.mjs",
        model=CODEX,
    ),
    Tool(
        "kilo",
        KILO,
        "kilo",
        "kilo",
        "anthropic",
        ("run", "--auto", "-m", f"anthropic/{SONNET}", "PROMPT"),
        "Kilo Code",
        has_session=True,
    ),
    Tool(
        "kilo-openai",
        KILO,
        "kilo",
        "kilo",
        "openai",
        ("run", "--auto", "-m", f"openai/{CODEX}", "PROMPT"),
        "Kilo Code",
        has_session=True,
        model=CODEX,
    ),
    Tool("cline", CLINE, "cline", "cline", "anthropic", ("PROMPT",), "Cline"),
    Tool("cline-openai", CLINE, "cline", "cline", "openai", ("PROMPT",), "Cline", model=CODEX),
    Tool(
        "factory",
        DROID,
        "droid",
        "factory",
        "anthropic",
        ("exec", "-m", "custom:gw-0", "--auto", "high", "PROMPT"),
        "Factory",
        environment={"FACTORY_API_KEY": "fk-anything"},
    ),
    Tool(
        "factory-openai",
        DROID,
        "droid",
        "factory",
        "openai",
        ("exec", "-m", "custom:gw-0", "--auto", "high", "PROMPT"),
        "Factory",
        model=CODEX,
        environment={"FACTORY_API_KEY": "fk-anything"},
    ),
    Tool("pi", PI, "pi", "pi", "anthropic", _PI, "pi"),
    Tool("pi-openai", PI, "pi", "pi", "openai", _PI, "pi", has_session=True, model=CODEX),
    Tool(
        "copilot-cli",
        COPILOT,
        "copilot",
        "copilot-cli",
        "anthropic",
        ("-p", "PROMPT", "--allow-all-tools"),
        "GitHub Copilot (CLI)",
    ),
    Tool(
        "copilot-cli-openai",
        COPILOT,
        "copilot",
        "copilot-cli",
        "openai",
        ("-p", "PROMPT", "--allow-all-tools"),
        "GitHub Copilot (CLI)",
        model=CODEX,
    ),
    Tool(
        "copilot-cli-websocket",
        COPILOT,
        "copilot",
        "copilot-cli",
        "openai",
        ("-p", "PROMPT", "--allow-all-tools"),
        "GitHub Copilot (CLI)",
        model=CODEX,
        environment={"COPILOT_PROVIDER_TRANSPORT": "websockets"},
        websocket=True,
    ),
    Tool("continue", CONTINUE, "cn", "continue", "anthropic", ("-p", "PROMPT", "--auto"), "Continue"),
    Tool(
        "continue-openai", CONTINUE, "cn", "continue", "openai", ("-p", "PROMPT", "--auto"), "Continue", model="gpt-4.1"
    ),
    Tool(
        "qwen-code",
        QWEN,
        "qwen",
        "qwen-code",
        "openai",
        ("-p", "PROMPT", "--yolo", "--auth-type", "openai"),
        "Qwen Code",
        model="gpt-4.1",
    ),
)

QUIET = {
    "CI": "1",
    "DO_NOT_TRACK": "1",
    "NO_COLOR": "1",
    "TERM": "dumb",
    "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
    "DISABLE_TELEMETRY": "1",
    "DISABLE_AUTOUPDATER": "1",
    "OPENCODE_DISABLE_AUTOUPDATE": "1",
    "OPENCODE_DISABLE_MODELS_FETCH": "1",
    "KILO_DISABLE_AUTOUPDATE": "1",
    "KILO_TELEMETRY_DISABLED": "1",
    "CONTINUE_TELEMETRY_ENABLED": "0",
    "FACTORY_DROID_AUTO_UPDATE_ENABLED": "false",
    "PI_OFFLINE": "1",
    "CLINE_TELEMETRY_DISABLED": "1",
}
"""No telemetry, no updates, no colors."""
