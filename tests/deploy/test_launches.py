"""However the program is deployed: what it is started with means something to it, and it is given time to leave."""

import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from coderai.access.sealing import parse_keys
from coderai.api.health import ROUTES
from coderai.settings import Loaded, load
from coderai.settings.indexed import PREFIXES
from coderai.settings.model import table
from coderai.settings.secretfiles import with_files_read
from tests.deploy.reading import LAUNCHES, PLACE, Launch, compose, document, kubernetes, pod, service

PATHS = {route.path for route in ROUTES}
KEY = "QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUE="
CLOSING = 10
"""Seconds for listeners and connections, after everything is recorded."""
CONTENTS = {"database-url": "postgresql://coderai:x@database/coderai\n", "encryption-keys": f"{KEY}\n"}


@pytest.fixture(params=LAUNCHES)
def launch(request: pytest.FixtureRequest) -> Launch:
    return LAUNCHES[request.param]()


def loaded(launch: Launch) -> Loaded:
    def read_file(path: str) -> str:
        assert path in launch.secrets
        return CONTENTS.get(path.rpartition("/")[2], "sk-x\n")

    command, *flags = launch.arguments
    assert command == "server"
    return load(flags, {"HOME": "/", **launch.environment}, read_file)


def test_it_starts_without_a_warning(launch: Launch):
    settings = loaded(launch)
    assert (settings.warnings, settings.settings.aibridge_enabled) == ((), True)
    assert settings.settings.data_dir.is_relative_to("/var/lib/coderai")


def test_every_variable_is_known(launch: Launch):
    known = {name for row in table().values() for name in row.option.variables}
    ours = {name: "x" for name in launch.environment if name.startswith("CODER")}
    others = set(with_files_read(ours, lambda _: "x")) - known
    assert all(name.startswith(PREFIXES[0]) for name in others)  # of which the loader knows every key, or warns


def test_there_is_time_to_finish(launch: Launch):
    settings = loaded(launch).settings
    needed = settings.shutdown_grace + settings.recorder_end_wait
    assert launch.seconds_to_leave >= needed.total_seconds() + CLOSING


@pytest.mark.parametrize(("one", "number"), [(compose("compose.yaml", "compose.replicas.yaml"), 1), (kubernetes(), 2)])
def test_replicas_share_database_and_encryption_keys(one: Launch, number: int):
    settings = loaded(one).settings
    assert settings.database == CONTENTS["database-url"].strip()
    assert settings.external_token_encryption_keys.get_secret_value() == KEY
    assert len(settings.providers) == number


def test_a_container_listens_for_others(launch: Launch):
    address = loaded(launch).settings.http_address
    assert address == ("0.0.0.0:3000" if "CODER_HTTP_ADDRESS" in launch.environment else "127.0.0.1:3000")


def test_the_probes_ask_routes_and_ports_that_exist():
    [container] = pod()["containers"]
    probes = {name: container[f"{name}Probe"]["httpGet"] for name in ("startup", "liveness", "readiness")}
    assert {name: probe["path"] for name, probe in probes.items()} == {
        "startup": "/healthz",  # neither asks for the database: starting anew would not bring it back
        "liveness": "/healthz",
        "readiness": "/readyz",
    }
    assert {probe["path"] for probe in probes.values()} <= PATHS
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    settings = loaded(kubernetes()).settings
    assert ports == {
        "http": int(settings.http_address.rpartition(":")[2]),
        "metrics": int(settings.prometheus_address.rpartition(":")[2]),
    }
    assert {probe["port"] for probe in probes.values()} == {"http"}


def test_a_pod_may_do_nothing_that_it_need_not():
    spec = pod()
    [container] = spec["containers"]
    assert spec["securityContext"]["runAsNonRoot"]
    assert spec["automountServiceAccountToken"] is False
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert {volume["name"] for volume in spec["volumes"]} == {mount["name"] for mount in container["volumeMounts"]}


def test_the_files_for_kubernetes_speak_of_the_same_pods():
    deployment, label = document("kubernetes/deployment.yaml"), {"app.kubernetes.io/name": "coderai"}
    assert deployment["spec"]["template"]["metadata"]["labels"] == label
    assert deployment["spec"]["selector"]["matchLabels"] == label
    [exposed] = document("kubernetes/service.yaml")["spec"]["ports"]
    policy = document("kubernetes/network.yaml")["spec"]["ingress"]
    assert exposed["targetPort"] == "http"
    assert [port["port"] for rule in policy for port in rule["ports"]] == ["http", "metrics"]
    assert document("kubernetes/service.yaml")["spec"]["selector"] == label
    assert document("kubernetes/disruption.yaml")["spec"]["selector"]["matchLabels"] == label
    assert document("kubernetes/network.yaml")["spec"]["podSelector"]["matchLabels"] == label


def test_every_file_for_kubernetes_is_applied_but_the_example():
    listed = set(document("kubernetes/kustomization.yaml")["resources"])
    there = {path.name for path in (PLACE / "kubernetes").glob("*.yaml")}
    assert there - listed == {"kustomization.yaml", "secret.example.yaml"}
    assert listed <= there


def test_compose_gives_the_gateway_its_secrets_and_they_are_not_committed():
    whole = document("compose/compose.yaml")
    for each in whole["services"].values():
        assert set(each["secrets"]) <= set(whole["secrets"])
    assert all(secret["file"] == f"secrets/{name}" for name, secret in whole["secrets"].items())
    ignored = (PLACE.parents[1] / ".gitignore").read_text().splitlines()
    assert "scripts/deploy/compose/secrets/" in ignored


def test_compose_makes_secrets_that_the_gateway_takes_and_keeps_them(tmp_path: Path):
    script = shutil.copy(PLACE / "compose" / "prepare", tmp_path)
    subprocess.run([script], check=True, capture_output=True)
    made = {path.name: path.read_text() for path in (tmp_path / "secrets").iterdir()}
    one = compose("compose.yaml")
    (tmp_path / "secrets" / "anthropic-key").write_text("sk-ant-x\n")

    def read_file(path: str) -> str:
        return (tmp_path / "secrets" / path.rpartition("/")[2]).read_text()

    settings = load(one.arguments[1:], {"HOME": "/", **one.environment}, read_file).settings
    assert settings.database == f"postgresql://coderai:{made['database-password']}@database/coderai"
    assert len(parse_keys(settings.external_token_encryption_keys.get_secret_value(), "here")) == 1
    assert (tmp_path / "secrets").stat().st_mode & 0o777 == 0o700
    subprocess.run([script], check=True, capture_output=True)
    assert {name: read_file(name) for name in made} == made


def test_the_balancer_lets_pass_what_the_gateway_takes():
    settings, balancer = loaded(compose("compose.yaml")).settings, (PLACE / "compose" / "nginx.conf").read_text()
    said: Mapping[str, str] = dict(re.findall(r"^\s+(\w+) (.+);$", balancer, re.MULTILINE))
    assert int(said["client_max_body_size"].removesuffix("m")) << 20 == settings.aibridge_max_request_bytes
    assert int(said["proxy_read_timeout"].removesuffix("m")) * 60 > settings.aibridge_upstream_timeout.total_seconds()
    assert (said["proxy_buffering"], said["proxy_request_buffering"]) == ("off", "off")


def test_the_service_waits_for_the_server_to_be_ready_and_looks_after_it():
    assert service("Type") == ["notify"]
    assert service("WatchdogSec") == ["60"]
    assert service("ExecReload") == ["/bin/kill -HUP $MAINPID"]
    assert service("DynamicUser") == ["yes"]


def test_the_directories_of_the_service_are_those_that_the_program_uses():
    environment = dict(pair.split("=", 1) for pair in service("Environment"))
    assert environment["CODERAI_DATA_DIR"] == f"/var/lib/{service('StateDirectory')[0]}"
    assert environment["TMPDIR"] == f"/run/{service('RuntimeDirectory')[0]}"
