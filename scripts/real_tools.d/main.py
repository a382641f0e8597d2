"""Run each real tool and library through a real gateway and check what it leaves behind in the records."""

import argparse
import asyncio
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import libraries
from agent import answer
from checks import faults
from libraries import LIBRARIES, Library
from running import Gateway, Home, installed
from tools import TOOLS, Tool

from coderai.demo.provider import ScriptedProvider

DEFAULT_CACHE = Path("~/.cache/coderai-real-tools")


@dataclass
class Stage:
    """What every run needs."""

    directory: Path
    cache: Path
    gateway: Gateway
    provider: ScriptedProvider
    seconds: float
    show: bool

    async def tool(self, tool: Tool, byok: bool) -> Sequence[str]:
        """Ask the tool one question, as a user of its own, and say what is wrong with what was recorded."""
        binary = await installed(tool, self.cache)
        assert isinstance(binary, Path)
        user, home = self._fresh(tool.name, byok)
        token = await self.gateway.user(user)
        snippet = await self.gateway.setup(tool, byok)
        before, sockets = len(self.provider.seen), len(self.provider.sockets)
        ended = await home.ask(tool, binary, snippet, token, self.seconds)
        records = await self.gateway.records(user)
        found = list(faults(tool, byok, token, ended, records, self.provider.seen[before:]))
        if (len(self.provider.sockets) > sockets) != tool.websocket:
            found.append("no WebSocket was used" if tool.websocket else "a WebSocket reached the provider")
        return found

    async def library(self, library: Library, byok: bool) -> Sequence[str]:
        """The same for a library."""
        place = await libraries.prepared(library, self.cache)
        assert isinstance(place, Path)
        user, home = self._fresh(library.name, byok)
        token = await self.gateway.user(user)
        snippet = await self.gateway.setup(library, byok)
        env = home.environment(snippet, token)
        ended = await libraries.ask(library, place, snippet, home.work, env, self.seconds)
        if self.show:
            print(ended.text)
        return list(libraries.faults(library, byok, ended, await self.gateway.records(user)))

    def _fresh(self, name: str, byok: bool) -> tuple[str, Home]:
        user = f"{name[:24].rstrip('-')}-{'own' if byok else 'central'}"  # at most 32 characters
        return user, Home(self.directory / user, show=self.show)


def main() -> int:
    rows: list[Tool | Library] = [*TOOLS, *LIBRARIES]
    names = [each.name for each in rows]
    parser = argparse.ArgumentParser(prog="scripts/real_tools", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help="only these: " + ", ".join(names))
    parser.add_argument("--cache", type=Path, default=DEFAULT_CACHE, help="where packages are kept (%(default)s)")
    parser.add_argument("--seconds", type=float, default=90, help="for each run (%(default)s)")
    parser.add_argument("--show", action="store_true", help="what the tools print")
    chosen = parser.parse_args()
    if unknown := set(chosen.names) - set(names):
        parser.error(f"no tool {', '.join(sorted(unknown))}")
    wanted = [each for each in rows if not chosen.names or each.name in chosen.names]
    return asyncio.run(run(wanted, chosen))


async def run(rows: Sequence[Tool | Library], chosen: argparse.Namespace) -> int:
    failed = 0
    provider = ScriptedProvider(answer)
    with tempfile.TemporaryDirectory(prefix="coderai-real-tools-") as name:
        directory, cache = Path(name), chosen.cache.expanduser()
        async with provider.serving() as url, Gateway(directory / "data", url) as gateway:
            stage = Stage(directory, cache, gateway, provider, chosen.seconds, chosen.show)
            for row in rows:
                failed += await _row(stage, row)
    print(f"{failed} failed" if failed else "all passed")
    return 1 if failed else 0


async def _row(stage: Stage, row: Tool | Library) -> int:
    """Run one row with the central key and an own one, print what came of it, and return how many failed."""
    head = f"{row.name:<24} {row.package:<42}"
    ready = await (installed(row, stage.cache) if isinstance(row, Tool) else libraries.prepared(row, stage.cache))
    if isinstance(ready, str):
        print(f"{head} not run: {ready}", flush=True)
        return 0
    failed = 0
    for byok in row.ways:
        started = time.monotonic()
        found = await (stage.tool(row, byok) if isinstance(row, Tool) else stage.library(row, byok))
        took = time.monotonic() - started
        credential = "sign-in" if isinstance(row, Tool) and row.signed_in else "own key" if byok else "central key"
        print(f"{head} {credential:<12} {took:>5.1f} s  {'FAILED ' + '; '.join(found) if found else 'ok'}", flush=True)
        failed += bool(found)
    return failed


if __name__ == "__main__":
    sys.exit(main())
