"""The lists of packages with hashes that images and careful installations are made from."""

import tomllib
from pathlib import Path

from running import ROOT, failed, run, tool

EXTRAS = ("postgres", "bedrock", "otel")
CONSTRAINTS = ROOT / "scripts" / "constraints.txt"
DEPLOY = ROOT / "scripts" / "deploy"
RUNTIME = DEPLOY / "requirements.txt"
BUILD = DEPLOY / "requirements-build.txt"
HEADS = {
    RUNTIME: "# Everything the server needs, all extras included, with hashes. Made by `scripts/release --lock`.\n",
    BUILD: "# What builds the package, with hashes. Made by `scripts/release --lock`.\n",
}


def write_locks(directory: Path) -> None:
    """Write both lists to *directory*, from ``pyproject.toml`` and the constraints."""
    extras = [f"--extra={extra}" for extra in EXTRAS]
    _write(directory / RUNTIME.name, HEADS[RUNTIME], [str(ROOT / "pyproject.toml"), *extras])
    backend = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["build-system"]["requires"]
    _write(directory / BUILD.name, HEADS[BUILD], ["-"], "\n".join(backend))


def check_locks(directory: Path) -> None:
    """Fail when what is committed is not what would be written now. *directory* is for the new ones."""
    write_locks(directory)
    for committed in (RUNTIME, BUILD):
        if committed.read_bytes() != (directory / committed.name).read_bytes():
            failed(f"{committed.relative_to(ROOT)} is out of date: run scripts/release --lock and commit it")


def _write(path: Path, head: str, what: list[str], said: str = "") -> None:
    written = run(
        *(tool("uv"), "pip", "compile", "--quiet", "--no-config", "--no-header", "--no-annotate", "--generate-hashes"),
        *("--universal", "--python-version=3.11", "--no-emit-package=colorama", f"--constraint={CONSTRAINTS}"),
        *what,
        said=said,
    )
    path.write_text(head + written, encoding="utf-8")
