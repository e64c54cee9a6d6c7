"""A worker's figures from its heartbeat, as its own metrics write it."""

import pytest

from transcription.core.cluster import Cost, Heartbeat
from transcription.core.jobs import Kind
from transcription.fleet import figures
from workers import metrics


def beat() -> Heartbeat:
    return Heartbeat(
        worker_id="box-1", model="base", device="cpu", compute_type="int8", threads=4, lanes=2, max_batch=8,
        avg_partial_ms=12.34, avg_final_ms=56.78, partial_cost=Cost(), final_cost=Cost(), handling_ms=1.0,
        final_rate=0.5, metrics=metrics.exposition(),
    )  # fmt: skip


def test_load_and_batch_are_between_two_heartbeats() -> None:
    """Two batches of four that took 0.5 s each, in 2 s: half a lane; one more job done."""
    before = figures(beat())
    for _ in range(8):
        metrics.decode_seconds.labels(Kind.FINAL).observe(0.5)
        metrics.batch_size.observe(4)
    metrics.jobs_total.labels(Kind.FINAL, "done").inc()
    after = figures(beat())

    assert after.since(before, 2.0) == {"load": 0.5, "batch_size": 4.0}
    assert after.since(after, 1.0) == {"load": 0.0, "batch_size": 0.0}
    assert after.done == before.done + 1
    assert (after.model, after.avg_partial_ms, after.avg_final_ms) == ("base", 12.3, 56.8)
    assert after.batch_size == pytest.approx(after.shared / after.decoded, abs=0.01)
