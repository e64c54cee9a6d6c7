"""Reports: Markdown and JSON."""

import json
from pathlib import Path

import pytest

from benchmarks.capacity import Capacity
from benchmarks.figures import figures, percentiles
from benchmarks.floor import Cost
from benchmarks.matching import measure
from benchmarks.processes import Usage
from benchmarks.reporting import capacity_markdown, floor_markdown, runs_markdown, save, wer_markdown
from benchmarks.results import Run
from benchmarks.wer import compare
from tests.benchmarks.material import final, one_clip_script, partial, record_of


@pytest.fixture
def run() -> Run:
    """One session with one partial and one final, and one worker that used 0.5 s of CPU for 2.5 s of audio."""
    record = record_of(one_clip_script(), [(1.1, partial("s1", 1_000.0)), (2.2, final("s1", 200.0, 1_800.0))])
    usage = {"worker": Usage(processes=1, cpu_s=0.5, peak_rss_mib=[300.0])}
    return Run(figures(1, measure([record]), 300.0), usage, {"stt_jobs_total{outcome=shed}": 2.0}, ["OSError: gone"])


def test_a_run_has_a_column(run: Run) -> None:
    """With its latencies, costs, counters and breaks."""
    text = runs_markdown("Latency", [run])

    assert "| 100 / 100 / 100" in text
    assert "| 0.200" in text
    assert "`stt_jobs_total{outcome=shed}` 2" in text
    assert "OSError: gone" in text


def test_a_run_as_json(run: Run) -> None:
    """Everything survives."""
    results = json.loads(json.dumps(run.as_json()))

    assert results["usage"]["worker"]["cpu_per_audio_s"] == 0.2
    assert results["final"]["p95"] == 700.0


def test_capacity_says_why_it_is_not_more(run: Run) -> None:
    """Each run with its verdict."""
    text = capacity_markdown("Capacity", Capacity({1: run, 2: run}, {1: [], 2: ["1 errors"]}))

    assert "**1 talkers**" in text
    assert "1 errors" in text


def test_floor_shows_the_rates() -> None:
    """Of each way to decode."""
    cost = Cost("beam 5", percentiles([500.0]), mean_ms=500.0, decoded_s=5.0, cpu_s=1.0, wer=0.1)

    text = floor_markdown([cost])

    assert "0.100" in text
    assert "10.0 %" in text
    assert cost.as_json()["cpu_per_audio_s"] == 0.2


def test_wer_shows_both_rates_and_trouble() -> None:
    """And the difference in points."""
    record = record_of(one_clip_script(), [(2.2, final("s1", 200.0, 1_800.0, text="bom"))], completed=False)

    text = wer_markdown({"clean": compare([record], ["bom dia"])})

    assert "**+50.00 points**" in text
    assert "did not complete" in text


def test_reports_are_saved_and_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """JSON and Markdown side by side."""
    save(tmp_path / "out", "latency", {"texto": "olá"}, "## Latency")

    assert json.loads((tmp_path / "out/latency.json").read_text(encoding="utf-8")) == {"texto": "olá"}
    assert (tmp_path / "out/latency.md").read_text(encoding="utf-8") == "## Latency\n"
    assert capsys.readouterr().out == "## Latency\n"
