"""Alert rules, recording rules and the dashboard name metrics that exist, and runbooks that are written."""

import json
import re
from pathlib import Path

import pytest
import yaml
from prometheus_client.metrics import MetricWrapperBase

from transcription import metrics as web_metrics
from workers import metrics as worker_metrics

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
DASHBOARD = json.loads((DEPLOY / "grafana" / "dashboards" / "whisper-stt.json").read_text())
RULES = [
    rule
    for path in sorted((DEPLOY / "prometheus" / "rules").glob("*.yml"))
    for group in yaml.safe_load(path.read_text())["groups"]
    for rule in group["rules"]
]
PANELS = [panel for top in DASHBOARD["panels"] for panel in (top, *top.get("panels", []))]
RECORDED = {rule["record"] for rule in RULES if "record" in rule}
OTHERS = {"up", "ALERTS", "process_cpu_seconds_total", "process_resident_memory_bytes"}
"""Prometheus' own, and those of prometheus_client."""


def labels_of_metrics() -> dict[str, set[str]]:
    """Every series the service exposes, with its labels; those of the workers have `worker` besides."""
    found = {}
    for module, more in ((web_metrics, set()), (worker_metrics, {"worker"})):
        for metric in vars(module).values():
            if isinstance(metric, MetricWrapperBase):
                suffixes = {"counter": ["_total"], "histogram": ["_bucket", "_sum", "_count"]}.get(metric._type, [""])
                for suffix in suffixes:
                    bucket = {"le"} if suffix == "_bucket" else set()
                    found[metric._name + suffix] = {*metric._labelnames, *more, *bucket}
    collector = (ROOT / "transcription" / "cluster" / "collector.py").read_text()
    made_at_scrape = re.findall(r'_gauge\(\s*"(stt_\w+)"', collector)
    return found | {name: set() for name in made_at_scrape}


KNOWN = labels_of_metrics()


def queries() -> list[str]:
    """Of rules, panels, annotations and the autoscaler."""
    rules = [rule["expr"] for rule in RULES]
    shown = [target["expr"] for panel in PANELS for target in panel.get("targets", [])]
    marked = [annotation["expr"] for annotation in DASHBOARD["annotations"]["list"]]
    scaling = yaml.safe_load_all((DEPLOY / "k8s" / "worker-scaling.yaml").read_text())
    triggers = [trigger["metadata"]["query"] for item in scaling for trigger in item["spec"].get("triggers", [])]
    return [*rules, *shown, *marked, *triggers]


@pytest.mark.parametrize("query", queries())
def test_metrics_and_labels_are_those_of_the_code(query: str) -> None:
    """A selector's labels, and those that are summed by, exist on the metric."""
    bare = re.sub(r'"[^"]*"', "", query)
    names = set(re.findall(r"\b(?:stt_\w+|stt:[\w:]+|up|ALERTS|process_\w+)", bare))
    assert names
    assert names - KNOWN.keys() - RECORDED - OTHERS == set()
    for name, selector in re.findall(r"\b(stt_\w+)\{(.*?)\}", bare):
        labels = set(re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", selector))
        assert labels - KNOWN[name] - {"job", "instance"} == set(), name
    grouped = {label for group in re.findall(r"\bby \(([\w, ]+)\)", bare) for label in re.split(r",\s*", group)}
    assert grouped - set().union(*(KNOWN.get(name, set()) for name in names)) - {"instance"} == set()


def test_the_autoscaler_s_metric_is_one() -> None:
    """Talkers of each pod."""
    scaler = next(yaml.safe_load_all((DEPLOY / "k8s" / "web-scaling.yaml").read_text()))
    assert scaler["spec"]["metrics"][0]["pods"]["metric"]["name"] in KNOWN


@pytest.mark.parametrize("alert", [rule for rule in RULES if "alert" in rule], ids=lambda rule: rule["alert"])
def test_every_alert_has_a_runbook(alert: dict[str, dict[str, str]]) -> None:
    """A section of a page that exists."""
    path, _, anchor = alert["annotations"]["runbook_url"].partition("#")
    headings = re.findall(r"^#+ (.+)$", (ROOT / path).read_text(), re.MULTILINE)
    anchors = {re.sub(r"[^\w -]", "", heading).strip().lower().replace(" ", "-") for heading in headings}
    assert anchor in anchors
    assert alert["labels"]["severity"] in {"page", "ticket"}


def test_every_alert_is_tested() -> None:
    """By promtool, in tests/alerts.yml."""
    tests = yaml.safe_load((DEPLOY / "prometheus" / "tests" / "alerts.yml").read_text())["tests"]
    tried = {case["alertname"] for test in tests for case in test.get("alert_rule_test", []) if case["exp_alerts"]}
    assert tried == {rule["alert"] for rule in RULES if "alert" in rule}


def test_the_dashboard_fits_together() -> None:
    """Ids are unique, panels have the data source that may be chosen, and none lies on another."""
    assert len({panel["id"] for panel in PANELS}) == len(PANELS)
    (choice,) = DASHBOARD["templating"]["list"]
    sources = {panel["datasource"]["uid"] for panel in PANELS if "datasource" in panel}
    assert sources == {f"${{{choice['name']}}}"}
    for group in (DASHBOARD["panels"], *(row["panels"] for row in PANELS if row["type"] == "row" and row["panels"])):
        cells = [
            (x, y)
            for place in (panel["gridPos"] for panel in group)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        ]
        assert len(cells) == len(set(cells))
        assert max(x for x, _ in cells) < 24


def test_grafana_finds_what_is_provisioned() -> None:
    """The paths and the address of docker-compose.yml."""
    services = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    provisioning = DEPLOY / "grafana" / "provisioning"
    (provider,) = yaml.safe_load((provisioning / "dashboards" / "whisper-stt.yml").read_text())["providers"]
    (source,) = yaml.safe_load((provisioning / "datasources" / "prometheus.yml").read_text())["datasources"]
    mounted = [volume.split(":")[1] for volume in services["grafana"]["volumes"]]
    assert provider["options"]["path"] in mounted
    assert source["url"] == "http://prometheus:9090"
