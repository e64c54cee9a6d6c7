"""The simulation beside the real service: web, Redis, Celery, and a worker that keeps a card's pace."""

from pathlib import Path

from benchmarks.options import Options
from benchmarks.simulation import agreement, cli, service
from benchmarks.simulation.cell import Plan
from workers.engines import pace


def test_the_service_and_its_simulation_answer_the_same_utterances(tmp_path: Path) -> None:
    """How long each took is told, and not judged here: other programs share the machine."""
    options = Options(seconds=8.0, drain_s=30.0)
    card = pace.read(cli.PACE).slower(2)

    rows, used = agreement.compare(options, cli.pool(options), (1, 2), card, Plan(threads=16), tmp_path)

    (finals,) = [row for row in rows if row.figure == "finals"]
    assert finals.real == finals.simulated > 0
    assert {row.figure for row in rows} == {
        "finals", "partials",
        "final after the endpoint p50, ms", "final after the endpoint p95, ms",
        "partial p50, ms", "partial p95, ms",
    }  # fmt: skip
    assert min(row.simulated for row in rows if row.figure.startswith("partial p")) > 0
    assert used.worker_job_ms > 0
    assert service.read(tmp_path / "service.json") == used
    text = agreement.markdown("a card", rows, used)
    assert text.count("| 2 ") == len(rows)
