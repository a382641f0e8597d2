"""The deployment files, read as their programs would read them, as far as the tests look at them."""

import json
import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
PLACE = ROOT / "scripts" / "deploy"


@dataclass(frozen=True)
class Launch:
    """How one of them starts the program, and how it ends it."""

    arguments: Sequence[str]
    environment: Mapping[str, str]
    seconds_to_leave: float
    secrets: frozenset[str] = field(default=frozenset())
    """Paths of files with secrets that are there."""


class _Loader(yaml.SafeLoader):
    """Knows the tags by which one file of compose replaces what another one says."""


def _plain(loader: yaml.SafeLoader, node: yaml.Node) -> object:
    return loader.construct_sequence(node, deep=True) if isinstance(node, yaml.SequenceNode) else None


for tag in ("!reset", "!override"):
    _Loader.add_constructor(tag, _plain)


def document(name: str) -> dict[str, Any]:
    """Return the YAML file below ``scripts/deploy``."""
    return yaml.load((PLACE / name).read_text(encoding="utf-8"), _Loader)


def dockerfile() -> list[tuple[str, str]]:
    """Return the instructions with what follows them, continued lines joined."""
    text = re.sub(r"^#.*\n", "", (PLACE / "Dockerfile").read_text(encoding="utf-8"), flags=re.MULTILINE)
    lines = re.sub(r"\\\n\s*", " ", text).splitlines()
    return [(name, rest.strip()) for name, _, rest in (line.partition(" ") for line in lines if line)]


def last(instruction: str) -> str:
    """Return what follows the last one of its kind."""
    return [rest for name, rest in dockerfile() if name == instruction][-1]


def image() -> Launch:
    """Return what the image does by itself."""
    pairs = (pair.partition("=") for pair in shlex.split(last("ENV")))
    environment = {name: value for name, _, value in pairs}
    assert json.loads(last("ENTRYPOINT")) == ["coderai"]
    return Launch(json.loads(last("CMD")), environment, 60)


def compose(*files: str) -> Launch:
    """Return how compose starts the gateway; later files win."""
    services = [document(f"compose/{name}")["services"]["gateway"] for name in files]
    environment = dict(image().environment)
    for service in services:
        environment |= service["environment"]
    environment = {name: re.sub(r"\$\{\w+:-(.*)\}", r"\1", value) for name, value in environment.items()}
    secrets = frozenset(f"/run/secrets/{name}" for name in services[0]["secrets"])
    return Launch(image().arguments, environment, _seconds(services[0]["stop_grace_period"]), secrets)


def pod() -> dict[str, Any]:
    """Return what Kubernetes makes two of."""
    spec: dict[str, Any] = document("kubernetes/deployment.yaml")["spec"]["template"]["spec"]
    return spec


def kubernetes() -> Launch:
    """Return how a pod starts the gateway."""
    spec, secret = pod(), document("kubernetes/secret.example.yaml")
    [container] = spec["containers"]
    environment = image().environment | {each["name"]: each["value"] for each in container["env"]}
    [mount] = (each["mountPath"] for each in container["volumeMounts"] if each["name"] == "secrets")
    secrets = frozenset(f"{mount}/{key}" for key in secret["stringData"])
    pause = float(container["lifecycle"]["preStop"]["exec"]["command"][1])
    return Launch(container["args"], environment, spec["terminationGracePeriodSeconds"] - pause, secrets)


def unit() -> list[tuple[str, str, str]]:
    """Return (section, name, value) of the unit of systemd."""
    return list(_unit())


def _unit() -> Iterator[tuple[str, str, str]]:
    section = ""
    for line in (PLACE / "systemd" / "coderai.service").read_text(encoding="utf-8").splitlines():
        if line.startswith("["):
            section = line.strip("[]")
        elif line and not line.startswith("#"):
            name, _, value = line.partition("=")
            yield section, name, value


def service(name: str) -> list[str]:
    """Return the values of a setting of the service."""
    return [value for section, key, value in unit() if (section, key) == ("Service", name)]


def systemd() -> Launch:
    """Return how systemd starts the gateway."""
    [command] = service("ExecStart")
    environment = dict(pair.split("=", 1) for pair in service("Environment"))
    return Launch(command.split()[1:], environment, _seconds(service("TimeoutStopSec")[0]))


def _seconds(text: str) -> float:
    return float(text.removesuffix("s"))


LAUNCHES = {
    "image": image,
    "compose": lambda: compose("compose.yaml"),
    "replicas": lambda: compose("compose.yaml", "compose.replicas.yaml"),
    "kubernetes": kubernetes,
    "systemd": systemd,
}
