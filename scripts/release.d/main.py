"""Make a release: packages, hashes, bill of materials; then install it as a stranger would, and run it."""

import argparse
import hashlib
import json
import re
import shutil
import sys
import tempfile
from pathlib import Path

import locks
from manifests import check_manifests
from running import ROOT, failed, run, tool

MOST_MEGABYTES = 120
"""Of an installation without extras and without compiled files."""


def main() -> None:
    """Do what the arguments say."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lock", action="store_true", help="write the lists of packages with hashes anew, and leave")
    parser.add_argument("--output", type=Path, default=ROOT / "dist", help="where the files go (default: dist)")
    parser.add_argument("--rehearse", action="store_true", help="act the Dockerfile out without an engine (root only)")
    parser.add_argument("--dirty", action="store_true", help="try it with changes that are not committed")
    arguments = parser.parse_args()
    if arguments.lock:
        locks.write_locks(locks.DEPLOY)
        return
    with tempfile.TemporaryDirectory() as scratch:
        if arguments.rehearse:
            rehearsal = Path(__file__).with_name("rehearsal.py")
            print(run("unshare", "--mount", sys.executable, "-B", rehearsal, scratch), end="")
            return
        _release(arguments.output, Path(scratch), dirty=arguments.dirty)


def _release(output: Path, scratch: Path, *, dirty: bool) -> None:
    changed = run("git", "status", "--porcelain")
    if changed and not dirty:
        failed(f"there are changes that are not committed:\n{changed}")
    _say("lists of packages", locks.check_locks(scratch))
    _say("manifests", check_manifests())
    shutil.rmtree(output, ignore_errors=True)
    output.mkdir(parents=True)
    wheel = _built(output, scratch)
    shutil.copy(locks.RUNTIME, output)
    default, whole = scratch / "default", scratch / "whole"
    _say("size without extras", _sized(_installed(default, wheel, hashed=False)))
    _say("installs with hashes and runs", _tried(_installed(whole, wheel, hashed=True), scratch))
    _say("bill of materials", _bill(whole, output / f"{wheel.name.split('-py3')[0]}.cdx.json"))
    _sums(output)
    for path in sorted(output.iterdir()):
        print(f"{path.stat().st_size:>10,}  {path.name}")


def _built(output: Path, scratch: Path) -> Path:
    """Build from what is committed, twice: the same commit gives the same bytes."""
    source = scratch / "source"
    source.mkdir()
    run("git", "archive", f"--output={scratch / 'source.tar'}", "HEAD")
    run("tar", "-xf", scratch / "source.tar", "-C", source)
    moment = {"SOURCE_DATE_EPOCH": run("git", "log", "-1", "--format=%ct").strip()}
    for place in (output, scratch / "again"):
        build = ("uv", "build", "--quiet", "--no-config", f"--build-constraints={locks.BUILD}", "--require-hashes")
        run(tool(build[0]), *build[1:], f"--out-dir={place}", source, environ=moment)
        (place / ".gitignore").unlink(missing_ok=True)
    files = sorted(output.iterdir())
    for path in files:
        if path.read_bytes() != (scratch / "again" / path.name).read_bytes():
            failed(f"{path.name} came out different when it was built again")
    _say("built", f"{len(files)} files, twice the same")
    return next(path for path in files if path.suffix == ".whl")


def _installed(place: Path, wheel: Path, *, hashed: bool) -> Path:
    """Install *wheel* into a new environment, with everything and hashes or as it comes."""
    run(sys.executable, "-m", "venv", "--without-pip", place)
    install = (tool("uv"), "pip", "install", "--quiet", "--no-config", f"--python={place / 'bin' / 'python'}")
    if hashed:
        run(*install, "--require-hashes", "--only-binary=:all:", f"--requirement={locks.RUNTIME}")
        run(*install, "--no-deps", "--no-index", wheel)
    else:
        run(*install, f"--constraint={locks.CONSTRAINTS}", wheel)
    return place


def _sized(place: Path) -> str:
    """Return the size of an installation without compiled files. Fails when it is too much."""
    site = next((place / "lib").glob("python*/site-packages"))
    size = sum(path.lstat().st_size for path in site.rglob("*") if path.suffix != ".pyc" and not path.is_dir())
    megabytes = size / 1_000_000
    if megabytes > MOST_MEGABYTES:
        failed(f"the installation takes {megabytes:.1f} MB without compiled files; at most {MOST_MEGABYTES}")
    return f"{megabytes:.1f} MB"


def _tried(place: Path, scratch: Path) -> str:
    """Run the demonstration, far from the checkout: every file that is needed must be in the package."""
    home, coderai = scratch / "home", place / "bin" / "coderai"
    home.mkdir()
    version = run(coderai, "version", cwd=home).strip()
    shown = json.loads(run(coderai, "demo", "--once", "-o", "json", cwd=home, environ={"HOME": str(home)}))
    if not shown["sessions"]:
        failed("the demonstration recorded no session")
    return f"{version}, {len(shown['sessions'])} sessions in its demonstration"


def _bill(place: Path, path: Path) -> str:
    """Write the bill of materials of an installation, and check it."""
    run(
        *(tool("cyclonedx-py"), "environment", f"--pyproject={ROOT / 'pyproject.toml'}", "--mc-type=application"),
        *("--output-reproducible", "--validate", f"--output-file={path}", place / "bin" / "python"),
    )
    components = {_plain(each["name"]) for each in json.loads(path.read_text(encoding="utf-8"))["components"]}
    listed = locks.RUNTIME.read_text(encoding="utf-8").splitlines()
    missing = {_plain(line.partition("==")[0]) for line in listed if "==" in line} - components
    if missing:
        failed(f"the bill of materials lacks {', '.join(sorted(missing))}")
    return f"{len(components)} packages"


def _plain(name: str) -> str:
    """Return the one spelling of a package's name."""
    return re.sub(r"[-_.]+", "-", name).lower()


def _sums(output: Path) -> None:
    lines = [f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n" for path in sorted(output.iterdir())]
    (output / "SHA256SUMS").write_text("".join(lines), encoding="utf-8")


def _say(what: str, result: str | None) -> None:
    print(f"{what}: {result or 'ok'}", flush=True)


if __name__ == "__main__":
    main()
