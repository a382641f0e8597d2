"""Libraries from PyPI and npm: the snippet of ``clients setup`` with one question behind it. No tools are called."""

import asyncio
import os
import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agent import SECOND
from checks import Record, whose
from running import OWN_KEY, Ended, finish, start

QUESTION = "Say hello"
_MESSAGES = f'[{{"role": "user", "content": "{QUESTION}"}}]'
_GENERATE = f'console.log((await generateText({{ model: gateway("MODEL"), prompt: "{QUESTION}" }})).text);'
_AIDER = "git init -q . && aider --model FAMILY/MODEL --yes-always --no-check-update --analytics-disable"
_INSTALL_SECONDS = 400


@dataclass(frozen=True)
class Library:
    """One row. FAMILY and MODEL in *then* stand for themselves."""

    setup: str
    family: str
    packages: tuple[str, ...]
    then: str
    """Appended to the snippet; for a snippet that is a file, shell commands."""
    label: str = "Unknown"
    byok: bool = True

    @property
    def name(self) -> str:
        return f"{self.setup}-{self.family}"

    @property
    def package(self) -> str:
        return self.packages[0]

    @property
    def provider(self) -> str:
        return ""

    @property
    def model(self) -> str:
        return "claude-sonnet-4-5" if self.family == "anthropic" else "gpt-4.1"

    @property
    def ways(self) -> tuple[bool, ...]:
        """Whether with an own key: without, then with."""
        return (False, True) if self.byok else (False,)

    @property
    def is_node(self) -> bool:
        return self.setup == "ai-sdk"


_AI_SDK = ("ai@7.0.173", "@ai-sdk/anthropic", "@ai-sdk/openai")
_LANGCHAIN = ("langchain-anthropic==1.7.7", "langchain-openai")
_LLM = ("llm==0.36", "llm-anthropic==0.26", "anthropic<1")
_LITELLM = ("litellm==1.81.10",)
_INVOKE = f'print(model.invoke("{QUESTION}").content)'
_CHOICE = "print(answer.choices[0].message.content)"
_KEY = f'llm keys set gateway --value "${{PROVIDER_KEY:-$CODER_TOKEN}}" && llm -m gateway "{QUESTION}"'

_AGENT = f"""python - <<'END'
import anyio
from claude_agent_sdk import ClaudeAgentOptions, query


async def main():
    async for message in query(prompt="{QUESTION}", options=ClaudeAgentOptions(disallowed_tools=["Bash"])):
        print(message)


anyio.run(main)
END"""

LIBRARIES = (
    Library("claude-agent-sdk", "anthropic", ("claude-agent-sdk==0.2.186",), _AGENT, label="Claude Code"),
    Library(
        "anthropic-sdk",
        "anthropic",
        ("anthropic==2.12.0",),
        f'print(client.messages.create(model="m", max_tokens=9, messages={_MESSAGES}).content)',
    ),
    Library(
        "openai-sdk",
        "openai",
        ("openai==3.54.0",),
        f'print(client.chat.completions.create(model="m", messages={_MESSAGES}).choices[0].message.content)',
    ),
    Library("langchain", "anthropic", _LANGCHAIN, _INVOKE, label="LangChain"),
    Library("langchain", "openai", _LANGCHAIN, _INVOKE),
    Library("litellm", "anthropic", _LITELLM, _CHOICE, label="LiteLLM"),
    Library("litellm", "openai", _LITELLM, _CHOICE),
    Library("llm", "anthropic", _LLM, f'llm -m claude-sonnet-4.5 "{QUESTION}"'),
    Library("llm", "openai", _LLM, _KEY),
    Library(
        "aider", "anthropic", ("aider-chat==0.86.2",), f'{_AIDER} --message "{QUESTION}"', label="LiteLLM", byok=False
    ),
    Library("aider", "openai", ("aider-chat==0.86.2",), f'{_AIDER} --message "{QUESTION}"', byok=False),
    Library("ai-sdk", "anthropic", _AI_SDK, 'import { generateText } from "ai"; ' + _GENERATE),
    Library("ai-sdk", "openai", _AI_SDK, 'import { generateText } from "ai"; ' + _GENERATE),
)


async def prepared(library: Library, cache: Path) -> Path | str:
    """Return where the packages are, installed if they are not yet; or why they are not there."""
    home = cache / re.sub(r"\W+", "-", " ".join(library.packages)).strip("-")
    if (home / "complete").exists():
        return home
    home.mkdir(parents=True, exist_ok=True)
    if library.is_node:
        options = ("--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error")
        steps: Sequence[tuple[str, ...]] = [("npm", "install", f"--prefix={home}", *options, *library.packages)]
    else:
        pip = (str(home / "bin" / "python"), "-m", "pip", "install", "-q", "--disable-pip-version-check")
        steps = [(sys.executable, "-m", "venv", str(home)), (*pip, *library.packages)]
    for step in steps:
        ended = await finish(await start(*step, env=dict(os.environ)), _INSTALL_SECONDS)
        if ended.code != 0:
            return (ended.text.strip().splitlines() or [f"{step[0]} failed"])[-1]
    (home / "complete").touch()
    return home


async def ask(
    library: Library, place: Path, snippet: dict[str, str], work: Path, env: dict[str, str], seconds: float
) -> Ended:
    """Run the snippet and what is behind it."""
    then = library.then.replace("MODEL", library.model).replace("FAMILY", library.family)
    text = snippet["text"] + then + "\n"
    env = env | {"PATH": f"{place / 'bin'}:{env['PATH']}", "LITELLM_LOCAL_MODEL_COST_MAP": "True"}
    match snippet["form"]:
        case "sh":
            command: tuple[str | Path, ...] = ("bash", "-c", text)
        case "javascript":
            program = place / f"{work.name}.mjs"  # beside its packages
            await asyncio.to_thread(program.write_text, text)
            command = ("node", program)
        case "python":
            program = work / "program.py"
            await asyncio.to_thread(program.write_text, text)
            command = (place / "bin" / "python", program)
        case _:
            folder = work / "llm"
            folder.mkdir()
            content = snippet["text"].replace("$CODER_TOKEN", env["CODER_TOKEN"]).replace("$PROVIDER_KEY", OWN_KEY)
            await asyncio.to_thread((folder / "extra-openai-models.yaml").write_text, content)
            env |= {"LLM_USER_PATH": str(folder)}
            command = ("bash", "-c", then)
    return await finish(await start(*command, env=env, cwd=work), seconds)


def faults(library: Library, byok: bool, ended: Ended, records: Sequence[Record]) -> Iterator[str]:
    """Yield what is wrong, in words."""
    if ended.code != 0:
        yield f"exit code {ended.code}: {' '.join(ended.text.split())[-300:]}"
    if not records:
        yield "nothing was recorded"
    for one in records:
        yield from whose(library.family, byok, one)
        if one["client"] != library.label:
            yield f"recorded as client: {one['client']} ({one['user_agent']})"
        prompts: list[dict[str, Any]] = one["user_prompts"]
        if not prompts or not prompts[0]["prompt"].startswith(("Say hello", "Hello")):
            yield f"recorded as prompt: {prompts}"
        if sum(row["output_tokens"] for row in one["token_usages"]) != SECOND.output:
            yield f"recorded as usage: {one['token_usages']}"
