"""What runs during a benchmark: mock, load, control and gateway, each pinned to its cores and ended in any case."""

import contextlib
import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
BUILD = HERE / "build"
CODERAI = Path(sys.executable).parent / "coderai"
PAGE = os.sysconf("SC_PAGE_SIZE")
CORES = sorted(os.sched_getaffinity(0))
RELAY_CORES, OTHER_CORES = CORES[:1], CORES[1:2] or CORES[:1]


class Failed(Exception):
    """A part of the benchmark did not run; the text says which and why."""


def build() -> None:
    """Compile the mock and the load client where their sources are newer."""
    BUILD.mkdir(exist_ok=True)
    shared = (HERE / "http.h").stat().st_mtime
    for name in ("mock", "load"):
        source, target = HERE / f"{name}.c", BUILD / name
        if target.exists() and target.stat().st_mtime > max(shared, source.stat().st_mtime):
            continue
        command: list[str | Path] = [
            os.environ.get("CC", "cc"),
            "-D_GNU_SOURCE",
            "-std=gnu11",
            "-O2",
            "-Wall",
            "-Wextra",
            "-o",
            target,
            source,
        ]
        if subprocess.run(command, check=False).returncode != 0:
            raise Failed(f"{source.name} could not be compiled; a C compiler is needed (CC names another one)")


def _pinned(command: Sequence[str | Path], cores: list[int]) -> list[str]:
    """Put *command* on *cores*, and let the kernel end it when we are killed, where the tools for it exist."""
    pin = ["taskset", "-c", ",".join(map(str, cores))] if shutil.which("taskset") else []
    follow = ["setpriv", "--pdeathsig", "KILL"] if shutil.which("setpriv") else []
    return [*pin, *follow, *map(str, command)]


def environment(extra: dict[str, str] | None = None) -> dict[str, str]:
    """Ours without anything that could configure a gateway or send the load elsewhere."""
    foreign = ("CODER", "OPENAI_", "ANTHROPIC_", "HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy")
    return {name: value for name, value in os.environ.items() if not name.startswith(foreign)} | (extra or {})


@contextlib.contextmanager
def running(
    command: Sequence[str | Path], cores: list[int], log: Path, extra: dict[str, str] | None = None
) -> Iterator[subprocess.Popen[str]]:
    """Run *command* with its standard error in *log*; ask it to leave at the end, and make it leave after 10 s."""
    with log.open("a") as errors:
        process = subprocess.Popen(
            _pinned(command, cores), stdout=subprocess.PIPE, stderr=errors, text=True, env=environment(extra)
        )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.communicate(timeout=10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()


@dataclass
class Target:
    """Something that takes the load: where it listens, its process, and how to ask it."""

    name: str
    port: int
    pid: int
    prefix: str = ""
    token: str = "sk-bench"
    database: Path | None = None
    answered: int = 0
    """Requests that the load client saw answered so far, to be found in the records."""

    def cpu(self) -> float:
        """Seconds of processor time used so far, user and system, all threads, as the kernel's scheduler counts it.

        The per-process clock of clock_getcpuclockid(3): the same sum as utime + stime in /proc/PID/stat, without its
        steps of 10 ms.
        """
        return time.clock_gettime((~self.pid << 3) | 2)

    def memory(self) -> int:
        """Resident bytes now."""
        return int(Path(f"/proc/{self.pid}/statm").read_text().split()[1]) * PAGE


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def answers(port: int, method: str, path: str) -> bool:
    """Tell whether something answers there with 200."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request(method, path, body=b"{}" if method == "POST" else None)
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def wait_for(
    process: subprocess.Popen[str], port: int, method: str, path: str, log: Path, patience: float = 30
) -> None:
    """Return as soon as the process answers. Raises Failed when it left, or does not answer in time."""
    until = time.monotonic() + patience
    while not answers(port, method, path):
        if process.poll() is not None:
            raise Failed(f"{log.stem} left with {process.returncode}: {_tail(log)}")
        if time.monotonic() > until:
            raise Failed(f"{log.stem} did not answer on {path} within {patience:.0f} s: {_tail(log)}")
        time.sleep(0.002)


def _tail(log: Path) -> str:
    return " | ".join(log.read_text(errors="replace").splitlines()[-5:]) or "it printed nothing"


def exporting(data: Path, file: Path, target: Target, *, limit: float) -> tuple[float, int, int]:
    """Export interceptions for at most *limit* seconds; return the seconds, the rows, and the server's most memory."""
    begun, most = time.monotonic(), 0
    command: list[str | Path] = [CODERAI, "export", "interceptions", "--format", "jsonl", "--file", file]
    with running([*command, "--data-dir", data], OTHER_CORES, file.with_suffix(".log")) as process:
        while process.poll() is None and time.monotonic() < begun + limit:
            most = max(most, target.memory())
            time.sleep(0.05)
        taken = time.monotonic() - begun
    written = [place for place in file.parent.glob(f"*{file.stem}*") if place.suffix != ".log"]
    return taken, sum(place.read_bytes().count(b"\n") for place in written), most


@contextlib.contextmanager
def mock(folder: Path) -> Iterator[Target]:
    with running([BUILD / "mock"], OTHER_CORES, folder / "mock.log") as process:
        assert process.stdout is not None
        yield Target("direct", int(process.stdout.readline()), process.pid)


@contextlib.contextmanager
def control(folder: Path, upstream: Target) -> Iterator[Target]:
    port, log = free_port(), folder / "control.log"
    command: list[str | Path] = [sys.executable, HERE / "control.py", str(port), f"http://127.0.0.1:{upstream.port}"]
    with running(command, RELAY_CORES, log) as process:
        wait_for(process, port, "POST", "/", log)
        yield Target("control", port, process.pid)


def gateway_command(data: Path, port: int, upstream: Target) -> tuple[list[str | Path], dict[str, str]]:
    """The gateway as a team would start it: records on, structured log off, SQLite with a sync per commit."""
    command: list[str | Path] = [
        CODERAI,
        "server",
        "--aibridge-enabled",
        "--api-rate-limit=0",  # lists are asked for faster than people do
        "--http-address",
        f"127.0.0.1:{port}",
        "--data-dir",
        data,
    ]
    return command, {
        "CODER_AIBRIDGE_PROVIDER_0_TYPE": "anthropic",
        "CODER_AIBRIDGE_PROVIDER_0_KEY": "sk-ant-bench",
        "CODER_AIBRIDGE_PROVIDER_0_BASE_URL": f"http://127.0.0.1:{upstream.port}",
    }


@contextlib.contextmanager
def gateway(
    folder: Path, upstream: Target, name: str = "gateway", more: dict[str, str] | None = None
) -> Iterator[Target]:
    """A gateway on a data directory of its own, with a token; *more* are settings as variables."""
    port, log, data = free_port(), folder / f"{name}.log", folder / name
    command, extra = gateway_command(data, port, upstream)
    with running(command, RELAY_CORES, log, extra | (more or {})) as process:
        wait_for(process, port, "GET", "/healthz", log)
        token = tell(data, "tokens", "create", "--name", "bench").split()[-1]
        yield Target(name, port, process.pid, "/api/v2/aibridge/anthropic", token, data / "coderai.db")


def tell(data: Path, *words: str, timeout: float = 60) -> str:
    """Run a command of the gateway on *data* and return what it says. Raises Failed."""
    command: list[str | Path] = [CODERAI, *words, "--data-dir", data]
    made = subprocess.run(command, capture_output=True, text=True, check=False, env=environment(), timeout=timeout)
    if made.returncode != 0:
        raise Failed(f"coderai {' '.join(words)}: {(made.stderr.strip() or made.stdout.strip())[-1500:]}")
    return made.stdout


def load(target: Target, *options: str, query: str = "", body: Path, seconds: float) -> dict[str, Any]:
    """Run the load client against *target* and return what it saw. Raises Failed if anything was answered wrong."""
    headers = (
        "Accept: application/json",
        "Content-Type: application/json",
        "User-Agent: claude-cli/2.1.329 (external, cli)",
        "X-Stainless-Arch: x64",
        "X-Stainless-Lang: js",
        "X-Stainless-OS: Linux",
        "X-Stainless-Package-Version: 0.128.0",
        "X-Stainless-Retry-Count: 0",
        "X-Stainless-Runtime: node",
        "X-Stainless-Runtime-Version: v24.3.0",
        "X-Stainless-Timeout: 600",
        "anthropic-beta: claude-code-20250219,interleaved-thinking-2025-05-14,extended-cache-ttl-2025-04-11",
        "anthropic-dangerous-direct-browser-access: true",
        "anthropic-version: 2023-06-01",
        "x-app: cli",
        "Accept-Encoding: gzip, deflate, br, zstd",
        f"Authorization: Bearer {target.token}",
    )
    command: list[str | Path] = [BUILD / "load", "--port", str(target.port), "--body", body, "--seconds", str(seconds)]
    command += [
        "--path",
        f"{target.prefix}/v1/messages?beta=true{query}",
        "--session-header",
        "X-Claude-Code-Session-Id",
    ]
    command += [part for header in headers for part in ("--header", header)]
    with tempfile.TemporaryFile("w+") as errors:
        process = subprocess.Popen(
            _pinned([*command, *options], OTHER_CORES), stdout=subprocess.PIPE, stderr=errors, text=True
        )
        try:
            out, _ = process.communicate(timeout=seconds + 60)
        finally:
            process.kill()
            process.wait()
        errors.seek(0)
        if process.returncode != 0:
            raise Failed(f"load client: {errors.read().strip()}")
    seen: dict[str, Any] = json.loads(out)
    target.answered += seen["finished"]
    if seen["errors"]:
        wrong = {name: seen[name] for name in ("sent", "bad_status", "first_bad_status", "bad_body", "broken")}
        raise Failed(f"{target.name}: {seen['errors']} wrong answers {wrong}")
    return seen


def leave_on_signals() -> None:
    """Turn the signals that end a program into an ordinary exit, so that every child is ended."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda number, _: sys.exit(128 + number))
