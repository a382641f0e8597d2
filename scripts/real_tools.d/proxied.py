"""Run real coding tools through the intercepting proxy, before official hosts on this machine, and check the records.

They have no base URL, only the proxy and a certificate. All of it runs in a network of its own, in which the official
names lead to this machine and nowhere else.
"""

import argparse
import asyncio
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import official
from checks import faults
from main import DEFAULT_CACHE
from running import OWN_KEY, Gateway, Home, finish, installed, start
from tools import CLAUDE_CODE, CODEX, CODEX_CLI, COPILOT, SONNET, Tool

from coderai.demo.provider import ScriptedProvider

_INSIDE = "CODERAI_REAL_TOOLS_INSIDE"
_CODEX_EXEC = ("exec", "--skip-git-repo-check", "--dangerously-bypass-approvals-and-sandbox", "PROMPT")
_CODEX_CONFIG = f'model = "{CODEX}"\n[analytics]\nenabled = false\n'
_CODEX_HTTP = f"""model = "{CODEX}"
model_provider = "official"
[model_providers.official]
name = "OpenAI without a WebSocket"
base_url = "https://{official.MODELS["openai"]}/v1"
env_key = "OPENAI_API_KEY"
wire_api = "responses"
"""
TOOLS = (
    Tool(
        "claude-code",
        CLAUDE_CODE,
        "claude",
        "",
        "anthropic",
        ("-p", "PROMPT", "--allowedTools", "Bash"),
        "Claude Code",
        has_session=True,
        after="@anthropic-ai/claude-code/install.cjs",
        environment={"ANTHROPIC_API_KEY": "KEY", "ANTHROPIC_MODEL": SONNET},
    ),
    Tool(
        "codex",
        CODEX_CLI,
        "codex",
        "",
        "openai",
        _CODEX_EXEC,
        "Codex",
        has_session=True,
        model=CODEX,
        signed_in=True,  # its own key only: it shows its key to chatgpt.com as well, where a gateway token must not go
        websocket=True,
    ),
    Tool(
        "codex-http",
        CODEX_CLI,
        "codex",
        "",
        "openai",
        _CODEX_EXEC,
        "Codex",
        has_session=True,
        model=CODEX,
        environment={"OPENAI_API_KEY": "KEY"},
    ),
    Tool(
        "copilot",
        COPILOT,
        "copilot",
        "copilot",
        "copilot",
        ("-p", "PROMPT", "--allow-all-tools", "--model", "MODEL"),
        "GitHub Copilot (CLI)",
        has_session=True,
        environment={"COPILOT_GITHUB_TOKEN": "KEY"},
        signed_in=True,
    ),
    Tool(
        "copilot-openai",
        COPILOT,
        "copilot",
        "copilot",
        "copilot",
        ("-p", "PROMPT", "--allow-all-tools", "--model", "MODEL"),
        "GitHub Copilot (CLI)",
        has_session=True,
        model=CODEX,
        environment={"COPILOT_GITHUB_TOKEN": "KEY"},
        signed_in=True,
    ),
)
"""``KEY`` stands for the caller's own key, or the gateway token where the central key is meant."""


@dataclass
class Stage:
    """What every run needs."""

    directory: Path
    cache: Path
    gateway: Gateway
    world: Path
    """What a system trusts: the authority of the official hosts."""
    provider: ScriptedProvider
    seconds: float
    show: bool
    tls: bool

    async def ask(self, tool: Tool, byok: bool) -> Sequence[str]:
        """Ask the tool one question, as a user of its own, and say what is wrong with what was recorded."""
        binary = await installed(tool, self.cache)
        assert isinstance(binary, Path)
        user = f"{tool.name}-{'own' if byok else 'central'}"
        home = Home(self.directory / user, show=self.show)
        token = await self.gateway.user(user)
        own = official.GITHUB_TOKEN if tool.family == "copilot" else OWN_KEY
        key = own if byok else token
        if tool.binary == "codex":
            _sign_in_codex(self.directory / user / "home" / ".codex", key, websocket=tool.websocket)
        around = {
            "HTTPS_PROXY": "",
            "https_proxy": "",
            "HTTP_PROXY": "",
            "http_proxy": "",
            "NO_PROXY": "",
            "no_proxy": "",
        }
        around["SSL_CERT_FILE"] = str(self.world)
        given = {name: key if value == "KEY" else value for name, value in tool.environment.items()}
        before, sockets = len(self.provider.seen), len(self.provider.sockets)
        snippet = {"form": "sh", "file": "", "text": await self._variables(tool)}
        ended = await home.ask(
            replace(tool, environment=around | given, signed_in=False), binary, snippet, token, self.seconds
        )
        seen = self.provider.seen[before:]
        models = [each for each in seen if each.headers.get("Host") == official.MODELS[tool.family]]
        asked = [each for each in models if each.method == "POST" and "/mcp" not in each.path]
        found = list(faults(tool, byok, token, ended, await self.gateway.records(user), asked, own))
        websocket = tool.websocket and not self.tls  # Codex does not open one through a proxy that speaks TLS
        if (len(self.provider.sockets) > sockets) != websocket:
            found.append("no WebSocket was used" if websocket else "a WebSocket reached the provider")
        if self.show:
            print(*sorted({f"{each.headers.get('Host')} {each.method} {each.path}" for each in seen}), sep="\n")
        return [*found, *_elsewhere(tool, seen, token)]

    async def _variables(self, tool: Tool) -> str:
        """Return what the documentation says: `clients setup` where it knows the tool, else `proxy env`."""
        if tool.setup:
            return await self.gateway.text("clients", "setup", tool.setup)
        return await self.gateway.text("proxy", "env", "--shell", "sh")


def _elsewhere(tool: Tool, seen: Sequence[object], token: str) -> Iterator[str]:
    """Hosts of no provider are reached, and nobody puts anything of ours there."""
    others = [each for each in seen if each.headers.get("Host") in official.OTHERS]
    if tool.family == "copilot" and not any(each.headers["Host"] == official.GITHUB for each in others):
        yield "GitHub was not asked through a tunnel"
    if any(token in value for each in others for value in each.headers.values()):
        yield "the gateway token reached a host of no provider"


def _sign_in_codex(directory: Path, key: str, *, websocket: bool) -> None:
    directory.mkdir(parents=True)
    (directory / "auth.json").write_text(f'{{"OPENAI_API_KEY": "{key}"}}')
    (directory / "config.toml").write_text(_CODEX_CONFIG if websocket else _CODEX_HTTP)


def main() -> int:
    names = [each.name for each in TOOLS]
    parser = argparse.ArgumentParser(prog="scripts/real_tools_proxied", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help="only these: " + ", ".join(names))
    parser.add_argument("--cache", type=Path, default=DEFAULT_CACHE, help="where packages are kept (%(default)s)")
    parser.add_argument("--seconds", type=float, default=90, help="for each run (%(default)s)")
    parser.add_argument("--show", action="store_true", help="what the tools print, and whom they ask")
    parser.add_argument("--tls", action="store_true", help="the tools speak TLS to the proxy itself")
    chosen = parser.parse_args()
    if unknown := set(chosen.names) - set(names):
        parser.error(f"no tool {', '.join(sorted(unknown))}")
    wanted = [each for each in TOOLS if not chosen.names or each.name in chosen.names]
    if _INSIDE in os.environ:
        return asyncio.run(run(wanted, chosen))
    return asyncio.run(alone(wanted, chosen.cache.expanduser()))


async def alone(rows: Sequence[Tool], cache: Path) -> int:
    """Install what is missing, then do this again in a network of its own."""
    for row in rows:
        await installed(row, cache)
    if shutil.which("unshare") is None:
        print("unshare is missing: not run")
        return 0
    with tempfile.NamedTemporaryFile("w", prefix="coderai-hosts-") as hosts:
        hosts.writelines(f"127.0.0.1 {name}\n" for name in ("localhost", *official.MODELS.values(), *official.OTHERS))
        hosts.flush()
        prepare = 'ip link set lo up && mount --bind "$0" /etc/hosts && exec "$@"'
        command = ("unshare", "-rnm", "sh", "-c", prepare, hosts.name, sys.executable, "-B", *sys.argv)
        probe = await finish(await start(*command[:6], "true", env=dict(os.environ)), 10)
        if probe.code != 0:
            print(f"no network of its own here: not run ({probe.text.strip()})")
            return 0
        process = await asyncio.create_subprocess_exec(*command, env=os.environ | {_INSIDE: "1"})
        return await process.wait()


async def run(rows: Sequence[Tool], chosen: argparse.Namespace) -> int:
    failed = 0
    provider = ScriptedProvider(official.answer)
    with tempfile.TemporaryDirectory(prefix="coderai-real-tools-") as name:
        directory = Path(name)
        async with provider.serving() as url, official.official_hosts(url, directory) as world:
            gateway = await _gateway(directory, world, tls=chosen.tls)
            async with gateway:
                stage = Stage(
                    directory,
                    chosen.cache.expanduser(),
                    gateway,
                    world,
                    provider,
                    chosen.seconds,
                    chosen.show,
                    chosen.tls,
                )
                for row in rows:
                    failed += await _row(stage, row)
    print(f"{failed} failed" if failed else "all passed")
    return 1 if failed else 0


async def _gateway(directory: Path, world: Path, *, tls: bool) -> Gateway:
    """Return the server with its proxy; it trusts the world outside, and the tools will trust both."""
    data = directory / "data"
    environment = {"SSL_CERT_FILE": str(world), "CODERAI_CONFIG_DIR": str(directory / "config")}
    options = ["--aibridge-proxy-enabled", "--aibridge-proxy-listen-addr=127.0.0.1:8888"]
    options += ["--aibridge-proxy-allowed-private-cidrs=127.0.0.0/8"]
    if tls:
        options += [f"--aibridge-proxy-tls-{kind}-file={data}/proxy-listener.{end}" for kind, end in _FILES]
    families = {name: name for name in official.MODELS}
    gateway = Gateway(data, "", providers=families, options=options, environment=environment)
    await gateway.text("proxy", "ca", "create", "--host", "localhost", "--host", "127.0.0.1")
    return gateway


_FILES = (("cert", "pem"), ("key", "key"))


async def _row(stage: Stage, row: Tool) -> int:
    """Run one row with the central key and an own one, print what came of it, and return how many failed."""
    head = f"{row.name:<16} {row.package:<38}"
    ready = await installed(row, stage.cache)
    if isinstance(ready, str):
        print(f"{head} not run: {ready}", flush=True)
        return 0
    failed = 0
    for byok in row.ways:
        started = time.monotonic()
        found = await stage.ask(row, byok)
        took = time.monotonic() - started
        kind = "own key" if byok else "central key"
        print(f"{head} {kind:<12} {took:>5.1f} s  {'FAILED ' + '; '.join(found) if found else 'ok'}", flush=True)
        failed += bool(found)
    return failed


if __name__ == "__main__":
    sys.exit(main())
