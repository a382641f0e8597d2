"""The dashboard and the alert rules that come with the program speak of metrics that exist."""

import json
import re
import subprocess
from pathlib import Path

import pytest
import yaml
from prometheus_client import Metric

from coderai.gateway.limits import Limits
from coderai.gateway.watch import Patience, Watch
from coderai.observe.gauges import Gauges, Sources
from coderai.observe.metrics import Metrics
from coderai.recorder import recording
from coderai.server.observing import ROUTES
from tests.recorder.paper import PaperStore
from tests.scraping import promtool

PLACE = Path(__file__).parents[1] / "scripts" / "deploy" / "monitoring"
DASHBOARD = json.loads((PLACE / "grafana-dashboard.json").read_text(encoding="utf-8"))
RULES = yaml.safe_load((PLACE / "alerts.yaml").read_text(encoding="utf-8"))
PANELS = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
SHOWN = [target["expr"] for panel in PANELS for target in panel["targets"]]
ALERTS = [rule for group in RULES["groups"] for rule in group["rules"]]
NAMED = re.compile(r"\b(?:coder_ai_gateway|coder_aibridged|coderd_dbpurge|process)_\w+")
ENDINGS = {"counter": ("_total",), "histogram": ("_bucket", "_sum", "_count"), "gauge": ("",)}


class NeverReloaded:
    """Stands for the providers."""

    reloaded_at = succeeded_at = 0.0


def _samples(metrics: list[Metric]) -> set[str]:
    return {metric.name + ending for metric in metrics for ending in ENDINGS[metric.type]}


@pytest.fixture
async def known() -> set[str]:
    metrics = Metrics(ROUTES)
    async with recording(PaperStore()) as recorder:
        sources = Sources(
            running=Watch(Patience()),
            limits=Limits(),
            recorder=recorder,
            reloads=NeverReloaded(),
            providers=tuple,
            circuits=tuple,
            carried={},
            version="0",
        )
        read = Gauges(sources, metrics, ROUTES).read()
    return _samples([*metrics.registry.collect(), *read])


@pytest.mark.parametrize("expression", SHOWN + [rule["expr"] for rule in ALERTS])
async def test_every_metric_named_exists(known: set[str], expression: str):
    named = set(NAMED.findall(expression))
    assert named
    assert named <= known


def test_the_dashboard_shows_everything_that_matters(known: set[str]):
    shown = set(NAMED.findall(" ".join(SHOWN)))
    ours = {re.sub(r"_(bucket|sum|count)$", "", name) for name in known if name.startswith("coder_ai_gateway")}
    not_shown = ours - {re.sub(r"_(bucket|sum|count)$", "", name) for name in shown}
    assert not_shown == {
        "coder_ai_gateway_build_info",
        "coder_ai_gateway_injected_tool_invocations_total",  # nothing is ever injected
        "coder_ai_gateway_key_pool_failover_attempts",
        "coder_ai_gateway_providers_last_reload_timestamp_seconds",  # alerts
        "coder_ai_gateway_providers_last_reload_success_timestamp_seconds",
        "coder_ai_gateway_requests_running",
    }


def test_panels_have_ids_of_their_own_and_do_not_overlap():
    ids = [panel["id"] for panel in DASHBOARD["panels"]]
    cells = [
        (x, y)
        for at in (panel["gridPos"] for panel in DASHBOARD["panels"])
        for x in range(at["x"], at["x"] + at["w"])
        for y in range(at["y"], at["y"] + at["h"])
    ]
    assert (len(set(ids)), len(set(cells))) == (len(ids), len(cells))
    assert max(x for x, _ in cells) < 24


def test_every_alert_says_how_bad_it_is_and_what_it_is():
    assert all(rule["labels"]["severity"] in ("warning", "critical") for rule in ALERTS)
    assert all(rule["annotations"]["summary"] for rule in ALERTS)
    assert len({rule["alert"] for rule in ALERTS}) == len(ALERTS)


def test_prometheus_takes_the_rules_and_the_configuration():
    tool = promtool()
    for check, name in (("rules", "alerts.yaml"), ("config", "prometheus.yaml")):
        done = subprocess.run([tool, "check", check, name], cwd=PLACE, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr


def test_prometheus_takes_the_expressions_of_the_dashboard(tmp_path: Path):
    rules = [
        {"record": f"x:{number}", "expr": re.sub(r"\$__(rate_interval|range)", "5m", expr.replace("$provider", ".*"))}
        for number, expr in enumerate(SHOWN)
    ]
    path = tmp_path / "rules.yaml"
    path.write_text(yaml.safe_dump({"groups": [{"name": "dashboard", "rules": rules}]}))
    done = subprocess.run([promtool(), "check", "rules", path], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("alert", "series", "fires"),
    [
        ("CoderaiAnswersNotRecorded", {"answered_total": "10x20", "recorded_total": "9x20"}, True),
        ("CoderaiAnswersNotRecorded", {"answered_total": "10x20", "recorded_total": "10x20"}, False),
        ("CoderaiRecordsLost", {"recorder_lost_records_total": "0 0 1x20"}, True),
        ("CoderaiNoKeyLeft", {'key_pool_state{state="valid"}': "0x20"}, True),
        ("CoderaiNoKeyLeft", {'key_pool_state{state="valid"}': "1x20"}, False),
        ("CoderaiProvidersNotReloaded", {
            "providers_last_reload_timestamp_seconds": "9x20",
            "providers_last_reload_success_timestamp_seconds": "8x20",
        }, True),
        ("CoderaiProviderFails", {
            'upstream_requests_total{status="200"}': "0+7x20",
            'upstream_requests_total{status="503"}': "0+3x20",
        }, True),
        ("CoderaiAbsent", {"recorded_total": "1x20"}, True),
    ],
)  # fmt: skip
def test_an_alert_fires_when_it_should(tmp_path: Path, alert: str, series: dict[str, str], fires: bool):
    inputs = [{"series": f"coder_ai_gateway_{name}", "values": values} for name, values in series.items()]
    count = {"expr": f'count(ALERTS{{alertname="{alert}",alertstate="firing"}}) or vector(0)', "eval_time": "16m"}
    test = {"interval": "1m", "input_series": inputs, "promql_expr_test": [
        {**count, "exp_samples": [{"labels": "{}", "value": int(fires)}]},
    ]}  # fmt: skip
    path = tmp_path / "test.yaml"
    path.write_text(yaml.safe_dump({"rule_files": [str(PLACE / "alerts.yaml")], "tests": [test]}))
    done = subprocess.run([promtool(), "test", "rules", path], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
