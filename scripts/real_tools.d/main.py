"""Run each real tool through a real gateway and check the session that it leaves behind."""

import argparse
import asyncio
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from agent import answer
from checks import faults
from running import Gateway, Home, installed
from tools import TOOLS, Tool

from coderai.demo.provider import ScriptedProvider

DEFAULT_CACHE = Path("~/.cache/coderai-real-tools")


@dataclass(frozen=True)
class Result:
    """One line of the table."""

    tool: Tool
    byok: bool
    seconds: float
    faults: tuple[str, ...]

    def __str__(self) -> str:
        credential = "sign-in" if self.tool.signed_in else "own key" if self.byok else "central key"
        verdict = "FAILED " + "; ".join(self.faults) if self.faults else "ok"
        return f"{self.tool.name:<22} {self.tool.package:<42} {credential:<12} {self.seconds:>5.1f} s  {verdict}"


def main() -> int:
    parser = argparse.ArgumentParser(prog="scripts/real_tools", description=__doc__)
    parser.add_argument(
        "names", nargs="*", metavar="TOOL", help="only these: " + ", ".join(each.name for each in TOOLS)
    )
    parser.add_argument("--cache", type=Path, default=DEFAULT_CACHE, help="where packages are kept (%(default)s)")
    parser.add_argument("--seconds", type=float, default=90, help="for each run (%(default)s)")
    parser.add_argument("--show", action="store_true", help="what the tools print")
    chosen = parser.parse_args()
    unknown = set(chosen.names) - {each.name for each in TOOLS}
    if unknown:
        parser.error(f"no tool {', '.join(sorted(unknown))}")
    return asyncio.run(run(chosen))


async def run(chosen: argparse.Namespace) -> int:
    failed = 0
    with tempfile.TemporaryDirectory(prefix="coderai-real-tools-") as directory:
        provider = ScriptedProvider(answer)
        async with provider.serving() as url, Gateway(Path(directory) / "data", url) as gateway:
            for tool in TOOLS:
                if chosen.names and tool.name not in chosen.names:
                    continue
                binary = await installed(tool, chosen.cache.expanduser())
                if isinstance(binary, str):
                    print(f"{tool.name:<22} {tool.package:<42} not run: {binary}", flush=True)
                    continue
                for byok in _credentials(tool):
                    home = Home(Path(directory) / f"{tool.name}-{byok}", show=chosen.show)
                    result = await once(tool, byok, binary, home, gateway, provider, chosen.seconds)
                    failed += bool(result.faults)
                    print(result, flush=True)
    print(f"{failed} failed" if failed else "all passed")
    return 1 if failed else 0


def _credentials(tool: Tool) -> Iterator[bool]:
    if not tool.signed_in:
        yield False
    yield True


async def once(
    tool: Tool, byok: bool, binary: Path, home: Home, gateway: Gateway, provider: ScriptedProvider, seconds: float
) -> Result:
    """Ask the tool one question, as a user of its own, and look at what was recorded."""
    user = f"{tool.name}-{'own' if byok else 'central'}"
    token = await gateway.user(user)
    snippet = await gateway.setup(tool, byok)
    before, sockets, started = len(provider.seen), len(provider.sockets), time.monotonic()
    ended = await home.ask(tool, binary, snippet, token, seconds)
    took = time.monotonic() - started
    records = await gateway.records(user)
    found = list(faults(tool, byok, token, ended, records, provider.seen[before:]))
    if (len(provider.sockets) > sockets) != tool.websocket:
        found.append("a WebSocket reached the provider" if len(provider.sockets) > sockets else "no WebSocket was used")
    return Result(tool, byok, took, tuple(found))


if __name__ == "__main__":
    sys.exit(main())
