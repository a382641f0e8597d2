"""Act the Dockerfile out where no container engine runs: on overlays of this machine, with the Python at hand as base.

Needs root and a kernel that mounts overlays; must run in a mount namespace of its own (``unshare --mount``). What an
engine would do with the other instructions is done by hand: user, read-only root, volume, health check, stop signal.
"""

import argparse
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

from locks import DEPLOY
from running import ROOT, failed, run

_SECONDS = 60


@dataclass
class Stage:
    """The files of one stage, and what has been said about it."""

    root: Path
    environment: dict[str, str]
    directory: str = "/"
    said: dict[str, str] = field(default_factory=dict)

    def command(self, *arguments: str) -> list[str]:
        """Return how *arguments* are run as an engine would, without any privilege."""
        user, group = self.said["USER"].split(":")
        fewer = ("setpriv", f"--reuid={user}", f"--regid={group}", "--clear-groups", "--bounding-set=-all")
        return ["chroot", str(self.root), *fewer, "--no-new-privs", "env", f"--chdir={self.directory}", *arguments]


def main() -> None:
    """Build, start, ask for health, make a token, stop."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("scratch", type=Path, help="an empty directory")
    scratch: Path = parser.parse_args().scratch
    run("mount", "-t", "tmpfs", "tmpfs", scratch)
    stage = _built(scratch)
    size = sum(path.lstat().st_size for path in (stage.root / "opt/coderai").rglob("*"))
    print(f"image: {size / 1_000_000:.0f} MB on top of the base", flush=True)
    _mounted_like_a_container(stage, scratch)
    _lived(stage)


def _built(scratch: Path) -> Stage:
    text = re.sub(r"^#.*\n", "", (DEPLOY / "Dockerfile").read_text(encoding="utf-8"), flags=re.MULTILINE)
    stages: dict[str, Stage] = {}
    for line in filter(None, re.sub(r"\\\n\s*", " ", text).splitlines()):
        name, _, rest = line.partition(" ")
        if name == "FROM":
            stages[rest.rpartition(" AS ")[2]] = stage = _begun(scratch / str(len(stages)))
        elif name != "ARG":
            _followed(name, rest.strip(), stage, stages)
    return stage


def _begun(place: Path) -> Stage:
    """Return a stage that has the files of this machine, and its Python where the official images have theirs."""
    for part in ("upper", "work", "root"):
        (place / part).mkdir(parents=True)
    root, options = place / "root", f"lowerdir=/,upperdir={place / 'upper'},workdir={place / 'work'}"
    run("mount", "-t", "overlay", "overlay", "-o", options, root)
    shutil.rmtree(root / "usr/local/bin")
    run("cp", "-a", *(f"{sys.base_prefix}/{part}" for part in ("bin", "lib", "include")), root / "usr/local")
    run("ln", "-sf", f"python3.{sys.version_info.minor}", root / "usr/local/bin/python")
    run("mount", "--bind", "/dev", root / "dev")
    kept = {name: value for name, value in os.environ.items() if name.startswith("PIP_") or name.endswith("_proxy")}
    return Stage(root, {**kept, "PATH": "/usr/local/bin:/usr/bin:/bin:/usr/sbin", "LD_LIBRARY_PATH": "/usr/local/lib"})


def _followed(name: str, rest: str, stage: Stage, stages: dict[str, Stage]) -> None:
    if name == "WORKDIR":
        stage.directory = rest
        (stage.root / rest[1:]).mkdir(parents=True, exist_ok=True)
    elif name == "COPY":
        parts = rest.split()
        source = stages[parts.pop(0).removeprefix("--from=")].root if rest.startswith("--from=") else ROOT
        target = stage.root / os.path.join(stage.directory, parts.pop())[1:]
        for part in parts:
            _copied(source / part.lstrip("/"), target)
    elif name == "RUN":
        run("chroot", stage.root, "/bin/sh", "-c", f"cd {stage.directory} && {rest}", environ=stage.environment)
    elif name == "ENV":
        pairs = (pair.partition("=") for pair in shlex.split(rest))
        stage.environment |= {key: value.replace("$PATH", stage.environment["PATH"]) for key, _, value in pairs}
    else:
        stage.said[name] = rest


def _copied(source: Path, target: Path) -> None:
    if source.is_dir():
        shutil.copytree(source, target, symlinks=True, dirs_exist_ok=True)
    else:
        shutil.copy(source, target)


def _mounted_like_a_container(stage: Stage, scratch: Path) -> None:
    volume = stage.root / stage.said["VOLUME"][1:]
    user, group = stage.said["USER"].split(":")
    kept = scratch / "volume"
    kept.mkdir(mode=volume.stat().st_mode & 0o777)
    os.chown(kept, int(user), int(group))
    run("mount", "--bind", kept, volume)
    run("mount", "-t", "tmpfs", "tmpfs", stage.root / "tmp")
    run("mount", "-o", "remount,ro", stage.root)


def _lived(stage: Stage) -> None:
    environment = {name: value for name, value in stage.environment.items() if not name.startswith("PIP_")}
    environment |= {"HOME": "/", "CODER_AIBRIDGE_ANTHROPIC_KEY": "sk-ant-rehearsal"}
    health = stage.command(*json.loads(stage.said["HEALTHCHECK"].partition(" CMD ")[2]))
    start = stage.command(*json.loads(stage.said["ENTRYPOINT"]), *json.loads(stage.said["CMD"]))
    began = time.monotonic()
    with subprocess.Popen(start, env=environment, stderr=subprocess.DEVNULL) as server:
        while subprocess.run(health, env=environment, stderr=subprocess.DEVNULL).returncode:
            if server.poll() is not None or time.monotonic() - began > _SECONDS:
                server.kill()
                failed(f"the image's command does not get healthy (exit code {server.poll()})")
        print(f"image: healthy after {time.monotonic() - began:.1f} s, read-only, without privileges", flush=True)
        run(*stage.command("coderai", "tokens", "create"), environ=environment)
        run(*stage.command("coderai", "doctor", "--offline"), environ=environment)
        server.send_signal(signal.Signals[stage.said["STOPSIGNAL"]])
        if code := server.wait(_SECONDS):
            failed(f"the image's command leaves with {code}")
    print("image: left with 0", flush=True)


if __name__ == "__main__":
    main()
