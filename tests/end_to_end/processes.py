"""The real program as processes: the command line, and a server that can be stopped and killed."""

import asyncio
import multiprocessing
import os
import re
import signal
import sys
from asyncio.subprocess import PIPE, Process
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path

from tests.end_to_end import forked

_FORKS = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload(["tests.end_to_end.forked"])
_READ_AT_START = {"LD_PRELOAD", "SSL_CERT_FILE"}
"""Variables that are looked at before a line of ours runs, or while importing.

With other values than ours a process has to begin anew.
"""

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


class Forked:
    """A process of the program, with the part of ``asyncio.subprocess.Process`` that is used here."""

    def __init__(
        self, arguments: tuple[str, ...], environment: dict[str, str], out: Connection, err: Connection
    ) -> None:
        self._process = _FORKS.Process(target=forked.command, args=(arguments, environment, out, err), daemon=True)
        self._process.start()
        self.stdout: asyncio.StreamReader | None = None

    @property
    def pid(self) -> int:
        assert self._process.pid is not None
        return self._process.pid

    @property
    def returncode(self) -> int | None:
        return self._process.exitcode

    async def wait(self) -> int:
        await asyncio.to_thread(self._process.join)
        assert self._process.exitcode is not None
        return self._process.exitcode

    def send_signal(self, number: int) -> None:
        os.kill(self.pid, number)


async def _reading(end: Connection) -> asyncio.StreamReader:
    """Return what reads the raw bytes that come out of a pipe, up to its end."""
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader(limit=1 << 20)
    pipe = os.fdopen(os.dup(end.fileno()), "rb", 0)
    end.close()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), pipe)
    return reader


async def coderai(*arguments: str, **environment: str) -> Finished:
    """Run the command to its end."""
    (out, its_out), (err, its_err) = _FORKS.Pipe(duplex=False), _FORKS.Pipe(duplex=False)
    process = Forked(arguments, _environment(environment), its_out, its_err)
    its_out.close()
    its_err.close()
    async with asyncio.timeout(60), asyncio.TaskGroup() as tasks:
        said = [tasks.create_task((await _reading(end)).read()) for end in (out, err)]
    return Finished(await process.wait(), *(each.result().decode() for each in said))


async def _server(
    arguments: tuple[str, ...], environment: dict[str, str], program: tuple[str, ...]
) -> Process | Forked:
    """Start a server whose two streams are one."""
    if program or any(environment.get(name) != os.environ.get(name) for name in _READ_AT_START):
        return await asyncio.create_subprocess_exec(
            *(program or (sys.executable, "-m", "coderai")),
            *arguments,
            stdout=PIPE,
            stderr=asyncio.subprocess.STDOUT,
            env=environment,
            limit=1 << 20,
        )
    out, its_out = _FORKS.Pipe(duplex=False)
    process = Forked(arguments, environment, its_out, its_out)
    its_out.close()
    process.stdout = await _reading(out)
    return process


@dataclass
class Gateway:
    """A server process on a data directory; may be started again after it has gone."""

    data_dir: Path
    provider_url: str
    options: tuple[str, ...] = ()
    environment: dict[str, str] = field(default_factory=dict)
    program: tuple[str, ...] = ()
    """What is run instead of ``coderai``."""
    url: str = ""
    log: list[str] = field(default_factory=list)
    _news: asyncio.Condition = field(default_factory=asyncio.Condition)
    _process: Process | Forked | None = None
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
        arguments = ("server", "--aibridge-enabled", "--http-address=127.0.0.1:0", f"--data-dir={self.data_dir}")
        environment = _environment({**providers, **self.environment})
        self._process = await _server((*arguments, *self.options), environment, self.program)
        assert self._process.stdout is not None
        async with asyncio.timeout(60):
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
