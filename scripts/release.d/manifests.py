"""Files for containers and for systemd, judged by the programs of those who read them."""

import shutil
import tempfile
from pathlib import Path

from locks import DEPLOY
from running import run, tool

KUBERNETES = "1.32"
MOST_EXPOSED = 15
"""In tenths, as ``systemd-analyze security`` counts: 0 is locked up, 100 unprotected."""


def check_manifests() -> str:
    """Fail when the Dockerfile, a manifest or the unit has a fault. Return what was looked at."""
    run(tool("hadolint"), "--failure-threshold=info", DEPLOY / "Dockerfile")
    files = sorted(path for path in (DEPLOY / "kubernetes").glob("*.yaml") if path.stem != "kustomization")
    run(tool("kubernetes-validate"), "--strict", f"--kubernetes-version={KUBERNETES}", *files)
    seen = f"Dockerfile, {len(files)} files for Kubernetes"
    if shutil.which("systemd-analyze") is None:
        return seen + "; not the unit, because systemd-analyze is missing"
    _check_unit(DEPLOY / "systemd" / "coderai.service")
    return seen + ", the unit"


def _check_unit(unit: Path) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        copy = Path(scratch) / unit.name
        copy.write_text(
            unit.read_text(encoding="utf-8").replace("ExecStart=/opt/coderai/bin/coderai", "ExecStart=/bin/true")
        )
        run("systemd-analyze", "verify", "--man=no", copy)
        run("systemd-analyze", "security", "--offline=true", f"--threshold={MOST_EXPOSED}", copy)
