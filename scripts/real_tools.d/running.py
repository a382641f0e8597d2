"""Processes: npm, the gateway, the tools. Each tool has an empty home and can reach nothing but this machine."""

import asyncio
import base64
import json
import os
import re
import signal
import sys
from asyncio.subprocess import PIPE, STDOUT, Process
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any, Protocol, Self

from tools import PROMPT, QUIET, Tool

OWN_KEY = "sk-own-0123456789-of-the-user"
CENTRAL_KEYS = {"anthropic": "sk-ant-central-0123456789", "openai": "sk-central-9876543210"}
_PROVIDERS = {"anthropic": "anthropic", "openai": "openai", "chatgpt": "openai"}
_LISTENING = re.compile(r"Started HTTP listener at (http://\S+)")
_NOWHERE = "http://127.0.0.1:9"
_INSTALL_SECONDS = 300


async def installed(tool: Tool, cache: Path) -> Path | str:
    """Return the program, installed if it is not yet; or why it is not there."""
    home = cache / re.sub(r"\W+", "-", tool.package).strip("-")
    binary, complete = home / "node_modules" / ".bin" / tool.binary, home / "complete"
    if not complete.exists():
        home.mkdir(parents=True, exist_ok=True)
        options = ("--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error")
        steps = [("npm", "install", f"--prefix={home}", *options, tool.package)]
        if tool.after:
            steps.append(("node", str(home / "node_modules" / tool.after)))
        for step in steps:
            ended = await finish(await start(*step, env=dict(os.environ)), _INSTALL_SECONDS)
            if ended.code != 0:
                return (ended.text.strip().splitlines() or [f"{step[0]} failed"])[-1]
        complete.touch()
    return binary


@dataclass(frozen=True)
class Ended:
    """What a process left behind."""

    code: int | None
    """None: it was stopped when its time was up."""
    text: str


async def start(*command: str | Path, env: dict[str, str], cwd: Path | None = None) -> Process:
    return await asyncio.create_subprocess_exec(
        *command, stdin=asyncio.subprocess.DEVNULL, stdout=PIPE, stderr=STDOUT, env=env, cwd=cwd, start_new_session=True
    )


async def finish(process: Process, seconds: float) -> Ended:
    """Wait, and stop it with all its children when the time is up, or when nobody waits any more."""
    assert process.stdout is not None
    pieces: list[bytes] = []
    code: int | None = None
    try:
        async with asyncio.timeout(seconds):
            while piece := await process.stdout.read(1 << 16):
                pieces.append(piece)
            code = await process.wait()
    except TimeoutError:
        pass
    finally:
        if process.returncode is None:
            os.killpg(process.pid, signal.SIGKILL)
            await process.wait()
    return Ended(code, b"".join(pieces).decode(errors="replace"))


class Row(Protocol):
    """What the gateway has to know to print a snippet."""

    @property
    def setup(self) -> str: ...

    @property
    def family(self) -> str: ...

    @property
    def provider(self) -> str: ...

    @property
    def model(self) -> str: ...


class Gateway:
    """A real server on a throw-away data directory."""

    def __init__(
        self,
        data_dir: Path,
        provider_url: str,
        *,
        providers: Mapping[str, str] = _PROVIDERS,
        options: Sequence[str] = (),
        environment: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        self._options = options
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("CODER", "HTTP", "http"))}
        self._env = kept | {"CODERAI_DATA_DIR": str(data_dir), **environment}
        self._providers: dict[str, str] = {}
        for number, (name, family) in enumerate(providers.items()):
            prefix = f"CODER_AIBRIDGE_PROVIDER_{number}_"
            base = provider_url and provider_url + ("/v1" if family == "openai" else "")
            self._providers |= {prefix + "NAME": name, prefix + "TYPE": family, prefix + "BASE_URL": base}
            if name in CENTRAL_KEYS:
                self._providers[prefix + "KEY"] = CENTRAL_KEYS[name]

    async def __aenter__(self) -> Self:
        command = (sys.executable, "-m", "coderai", "server", "--aibridge-enabled", "--http-address=127.0.0.1:0")
        self._process = await start(*command, *self._options, env=self._env | self._providers)
        assert self._process.stdout is not None
        said: list[str] = []
        async with asyncio.timeout(30):
            while not _LISTENING.search(line := (await self._process.stdout.readline()).decode()):
                if not line:
                    raise RuntimeError("the gateway did not start: " + "".join(said))
                said.append(line)
        self._rest = asyncio.get_running_loop().create_task(self._process.stdout.read())
        return self

    async def __aexit__(self, *_error: object) -> None:
        self._process.send_signal(signal.SIGTERM)
        await self._rest
        await self._process.wait()

    async def user(self, name: str) -> str:
        """Make a user, and return a token of it."""
        await self._coderai("users", "create", "-u", name, "-e", f"{name}@example.com")
        return (await self._coderai("tokens", "create", "--user", name, "-o", "json"))["key"]

    async def setup(self, tool: Row, byok: bool) -> dict[str, str]:
        """Return what ``clients setup`` prints for the tool."""
        own = ("--byok",) if byok else ()
        return await self._coderai(
            "clients",
            "setup",
            tool.setup,
            "--provider",
            tool.provider or tool.family,
            "--model",
            tool.model,
            *own,
            "-o",
            "json",
        )

    async def records(self, user: str) -> list[dict[str, Any]]:
        """Return the user's interceptions with everything in them, oldest first."""
        listed = await self._coderai("interceptions", "list", "--initiator", user, "-o", "json")
        whole = [await self._coderai("interceptions", "show", one["id"], "-o", "json") for one in listed]
        return sorted(whole, key=lambda one: one["started_at"])

    async def text(self, *arguments: str) -> str:
        """Return what a command prints."""
        return await self._said(arguments)

    async def _coderai(self, *arguments: str) -> Any:
        said = await self._said(arguments)
        return json.loads(said) if "json" in arguments else None

    async def _said(self, arguments: Sequence[str]) -> str:
        command = (sys.executable, "-m", "coderai", *arguments)
        process = await asyncio.create_subprocess_exec(*command, stdout=PIPE, stderr=PIPE, env=self._env)
        out, err = await process.communicate()
        if process.returncode:
            raise RuntimeError(f"coderai {' '.join(arguments[:2])}: {err.decode()}")
        return out.decode()


class Home:
    """An empty home directory for one run of one tool."""

    def __init__(self, path: Path, *, show: bool) -> None:
        self._home = path / "home"
        self.work = path / "work"
        self._show = show
        for each in (self._home, self.work):
            each.mkdir(parents=True)

    async def ask(self, tool: Tool, binary: Path, snippet: dict[str, str], token: str, seconds: float) -> Ended:
        """Apply the snippet and ask the tool the question, not interactively."""
        secrets = {"CODER_TOKEN": token, "PROVIDER_KEY": OWN_KEY}
        env = self.environment(snippet, token) | tool.environment
        if tool.signed_in:
            self._sign_in()
        script = self._apply(tool, snippet, secrets)
        words = [{"PROMPT": PROMPT, "MODEL": tool.model}.get(word, word) for word in tool.command]
        command = ("bash", "-c", script + '\nexec "$@"', "run", str(binary), *words)
        ended = await finish(await start(*command, env=env, cwd=self.work), seconds)
        if self._show:
            print(ended.text)
        return ended

    def environment(self, snippet: dict[str, str], token: str) -> dict[str, str]:
        """Return what a person would have exported; no way leads to another machine."""
        nowhere = dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"), _NOWHERE)
        local = dict.fromkeys(("NO_PROXY", "no_proxy"), "127.0.0.1,localhost")
        own = {}
        if "X-Coder-AI-Governance-Token" in snippet["text"]:
            own = {"PROVIDER_KEY": OWN_KEY} | ({"OPENAI_API_KEY": OWN_KEY} if snippet["form"] == "toml" else {})
        common = {"PATH": os.environ["PATH"], "HOME": str(self._home), "LANG": "C.UTF-8", "CODER_TOKEN": token}
        return {**common, **own, **QUIET, **nowhere, **local}

    def _sign_in(self) -> None:
        """Leave what Codex writes down after a sign-in; nobody on this machine checks the signature."""
        claims: dict[str, Any] = {"email": "user@example.com", "exp": 4102444800}
        claims["https://api.openai.com/auth"] = {"chatgpt_account_id": "acc-1", "chatgpt_plan_type": "plus"}
        parts = ({"alg": "none", "typ": "JWT"}, claims)
        encoded = [base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode() for part in parts]
        id_token = ".".join([*encoded, "c2ln"])
        tokens = {"id_token": id_token, "access_token": OWN_KEY, "refresh_token": "rt", "account_id": "acc-1"}
        now = datetime.now(UTC).isoformat().replace("+00:00", "Z")
        path = self._home / ".codex" / "auth.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps({"OPENAI_API_KEY": None, "tokens": tokens, "last_refresh": now}))

    def _apply(self, tool: Tool, snippet: dict[str, str], secrets: dict[str, str]) -> str:
        """Write the file of the snippet, or return the commands that it consists of."""
        if snippet["form"] == "sh":
            return snippet["text"]
        path = self._home / snippet["file"].removeprefix("~/")
        path.parent.mkdir(parents=True, exist_ok=True)
        assert tool.without in snippet["text"]
        text = snippet["text"].replace(tool.without, "")
        for name in ("CODER_TOKEN", "PROVIDER_KEY"):
            text = text.replace(f"${name}", secrets[name])
        path.write_text(text)
        return ""
