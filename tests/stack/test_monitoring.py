"""Prometheus with the shipped configuration over a working service: rules, alerts and the dashboard's queries."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from harness.audio import noise, silence, speech
from harness.talker import Talker
from harness.waiting import until
from tests.stack.conftest import Deployment
from tests.stack.servers import Prometheus
from tests.stack.test_round_trip import NO_VAD, final_of, ws_url

pytestmark = pytest.mark.stack
ROOT = Path(__file__).parents[2]
SHIPPED = ROOT / "deploy" / "prometheus"
DASHBOARD = json.loads((ROOT / "deploy" / "grafana" / "dashboards" / "whisper-stt.json").read_text())


@pytest.fixture(scope="module")
def prometheus(deployment: Deployment, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    """Scraping both web processes every second."""
    server = Prometheus(tmp_path_factory.mktemp("monitoring"))
    child = server.start(deployment, deployment.web_ports)
    yield server
    child.signal(15)
    child.wait(10)


def panels() -> list[dict[str, object]]:
    """Of the dashboard, those in collapsed rows too."""
    return [panel for top in DASHBOARD["panels"] for panel in (top, *top.get("panels", ())) if "targets" in panel]


@pytest.mark.parametrize("arguments", [["check", "config", "prometheus.yml"], ["test", "rules", "tests/alerts.yml"]])
def test_promtool_agrees(arguments: list[str]) -> None:
    """Configuration and rules are valid, and alerts fire when they should and not before."""
    result = subprocess.run(["promtool", *arguments], cwd=SHIPPED, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr


async def test_the_service_s_figures_arrive(deployment: Deployment, prometheus: Prometheus) -> None:
    """Sums over web processes and the largest over copies are what happened; no alert fires."""
    for seed in range(4):
        async with Talker(ws_url(deployment)) as talker:
            await talker.say("nonsense")
            await talker.until("error")
            await talker.start(config=NO_VAD)
            await final_of(talker, noise(0.6, seed))
            await talker.end()
    async with Talker(ws_url(deployment)) as talker:
        await talker.start()
        await talker.stream(speech("s13_pm_alex") + silence(1.0))
        await talker.until("final_transcript")
    until(lambda: prometheus.query("stt:failed_finals:ratio_5m == 0"), "the recorded rates", 30)

    assert [series["value"][1] for series in prometheus.query('sum(up{job="stt"})')] == ["2"]
    assert [series["value"][1] for series in prometheus.query('max(stt_workers_ready{job="stt"})')] == ["2"]
    rules = requests.get(f"{prometheus.url}/api/v1/rules", timeout=5).json()["data"]["groups"]
    assert {rule["health"] for group in rules for rule in group["rules"]} == {"ok"}
    assert sum(len(group["rules"]) for group in rules) >= 15
    assert prometheus.query('ALERTS{severity="page", alertstate="firing"}') == []


@pytest.mark.parametrize("panel", panels(), ids=lambda panel: panel["title"])
def test_every_panel_shows_something(prometheus: Prometheus, panel: dict[str, object]) -> None:
    """Its queries are understood, and give series from a service that works."""
    for target in panel["targets"]:
        expression = target["expr"].replace("$__rate_interval", "1m")
        until(lambda asked=expression: prometheus.query(asked), expression, 15)
