"""The lists of packages with hashes are about the versions that everything else was tested with."""

import re
import tomllib
from collections.abc import Iterable
from importlib.metadata import requires

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.deploy.reading import PLACE, ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
HASH = re.compile(r"    --hash=sha256:[0-9a-f]{64}( \\)?")
AGAIN = "run scripts/release --lock and commit what it wrote"


def pinned(path: str) -> dict[str, str]:
    lines = (PLACE.parent / path).read_text(encoding="utf-8").splitlines()
    pairs = (re.split(r"==|[ ;]", line)[:2] for line in lines if "==" in line)
    return {canonicalize_name(name): version for name, version in pairs}


def closure(wanted: Iterable[str]) -> set[str]:
    """Return the names of what is needed here, by what the installed packages say about themselves."""
    found: set[tuple[str, str]] = set()
    """With the extra for which they are needed; '' without one."""
    waiting = [(Requirement(text), "") for text in wanted]
    while waiting:
        requirement, extra = waiting.pop()
        if requirement.marker and not requirement.marker.evaluate({"extra": extra}):
            continue
        name = canonicalize_name(requirement.name)
        for each in {"", *requirement.extras}:
            if (name, each) not in found:
                found.add((name, each))
                waiting += [(inner, each) for inner in map(Requirement, requires(name) or ())]
    return {name for name, _ in found}


def test_the_versions_are_those_of_the_constraints():
    constraints = pinned("constraints.txt")
    listed = pinned("deploy/requirements.txt") | pinned("deploy/requirements-build.txt")
    assert {name: constraints.get(name) for name in listed} == listed, AGAIN


def test_everything_that_the_server_needs_is_listed():
    extras = PROJECT["project"]["optional-dependencies"]
    wanted = [*PROJECT["project"]["dependencies"], *extras["postgres"], *extras["bedrock"], *extras["otel"]]
    assert closure(wanted) == set(pinned("deploy/requirements.txt")), AGAIN


def test_everything_that_builds_the_package_is_listed():
    assert closure(PROJECT["build-system"]["requires"]) == set(pinned("deploy/requirements-build.txt")), AGAIN


def test_every_package_has_hashes():
    for path in ("requirements.txt", "requirements-build.txt"):
        head, *lines = (PLACE / path).read_text(encoding="utf-8").splitlines()
        assert head.startswith("#")
        for line, after in zip(lines, [*lines[1:], ""], strict=True):
            assert HASH.fullmatch(line) or (("==" in line) and HASH.fullmatch(after)), line
