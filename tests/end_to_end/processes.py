"""The real program as processes: the command line, and a server that can be stopped and killed."""

import asyncio
import os
import re
import signal
import sys
from asyncio.subprocess import PIPE, Process
from dataclasses import dataclass, field
from pathlib import Path

LISTENING = re.compile(r"Started HTTP listener at (http://\S+)")


def _environment(extra: dict[str, str]) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("CODER", "NO_COLOR"))}
    return {**kept, "PYTHONUNBUFFERED": "1", "COLUMNS": "200", **extra}


@dataclass
class Finished:
    """What a command left behind."""

    code: int
    out: str
    err: str


async def coderai(*arguments: str, **environment: str) -> Finished:
    """Run the command to its end."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "coderai", *arguments, stdout=PIPE, stderr=PIPE, env=_environment(environment)
    )
    async with asyncio.timeout(60):
        out, err = await process.communicate()
    return Finished(process.returncode or 0, out.decode(), err.decode())


@dataclass
class Gateway:
    """A server process on a data directory; may be started again after it has gone."""

    data_dir: Path
    provider_url: str
    options: tuple[str, ...] = ()
    environment: dict[str, str] = field(default_factory=dict)
    url: str = ""
    log: list[str] = field(default_factory=list)
    _news: asyncio.Condition = field(default_factory=asyncio.Condition)
    _process: Process | None = None
    _reading: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Return when it listens; fails with its log when it leaves instead."""
        providers = {
            "CODER_AIBRIDGE_PROVIDER_0_TYPE": "anthropic",
            "CODER_AIBRIDGE_PROVIDER_0_KEY": "sk-ant-central-0123456789",
            "CODER_AIBRIDGE_PROVIDER_0_BASE_URL": self.provider_url,
            "CODER_AIBRIDGE_PROVIDER_1_TYPE": "openai",
            "CODER_AIBRIDGE_PROVIDER_1_KEY": "sk-openai-central-0123456789",
            "CODER_AIBRIDGE_PROVIDER_1_BASE_URL": self.provider_url + "/v1",
        }
        self._process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "coderai", "server", "--aibridge-enabled", "--http-address=127.0.0.1:0"),
            f"--data-dir={self.data_dir}",
            *self.options,
            stdout=PIPE,
            stderr=asyncio.subprocess.STDOUT,
            env=_environment({**providers, **self.environment}),
            limit=1 << 20,
        )
        assert self._process.stdout is not None
        async with asyncio.timeout(30):
            while line := (await self._process.stdout.readline()).decode():
                self.log.append(line)
                if found := LISTENING.search(line):
                    self.url = found[1]
                    break
            else:
                raise AssertionError("the server left: " + "".join(self.log))
        self._reading = asyncio.get_running_loop().create_task(self._read_on())

    async def _read_on(self) -> None:
        assert self._process is not None
        assert self._process.stdout is not None
        while line := (await self._process.stdout.readline()).decode():
            async with self._news:
                self.log.append(line)
                self._news.notify_all()

    async def kill(self) -> None:
        """SIGKILL, and wait until it is gone."""
        await self._leave(signal.SIGKILL)

    async def stop(self) -> int:
        """SIGTERM, and return the exit code."""
        return await self._leave(signal.SIGTERM)

    async def _leave(self, number: signal.Signals) -> int:
        assert self._process is not None
        if self._process.returncode is None:
            self._process.send_signal(number)
        async with asyncio.timeout(60):
            code = await self._process.wait()
            if self._reading is not None:
                await self._reading
        return code

    def signal(self, number: signal.Signals) -> None:
        """Send a signal, and do not wait."""
        assert self._process is not None
        self._process.send_signal(number)

    async def gone(self) -> int:
        """Wait until the process has left; return its exit code."""
        assert self._process is not None
        return await self._process.wait()

    async def said(self, text: str) -> None:
        """Wait for a line with *text* in its log."""
        async with asyncio.timeout(30), self._news:
            await self._news.wait_for(lambda: any(text in line for line in self.log))

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.returncode is None
