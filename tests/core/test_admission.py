"""Who gets in, as a table."""

import pytest

from transcription.core.admission import ClusterLoad, decide
from transcription.core.config import Limits

LIMITS = Limits(max_sessions=100, max_queue_depth=20, max_estimated_server_total_ms=500)


@pytest.mark.parametrize(
    ("sessions", "depth", "workers", "cost", "refused"),
    [
        (0, 0, 1, 100, None),
        (99, 0, 1, 100, None),
        (100, 0, 1, 100, "MAX_SESSIONS_REACHED: Maximum sessions reached: 100"),
        (0, 0, 0, 0, "QUEUE_CONGESTION: No worker is ready"),
        (0, 19, 10, 100, None),
        (0, 20, 10, 1, "QUEUE_FULL: Queue full: 20/20"),
        (0, 4, 1, 100, None),
        (0, 5, 1, 100, "QUEUE_CONGESTION: Estimated latency 600 ms exceeds 500 ms"),
        (0, 5, 2, 100, None),
        (0, 1, 1, 301, "QUEUE_CONGESTION: Estimated latency 602 ms exceeds 500 ms"),
        (0, 0, 1, 501, None),
    ],
)
def test_decide(sessions: int, depth: int, workers: int, cost: float, refused: str | None) -> None:
    """Each limit refuses with its own code, and just at its value."""
    load = ClusterLoad(sessions=sessions, depth=depth, workers=workers, avg_partial_ms=cost, avg_final_ms=cost)
    refusal = decide(load, LIMITS)

    assert (f"{refusal.code}: {refusal.message}" if refusal else None) == refused
    assert refusal is None or refusal.retry_after_ms
