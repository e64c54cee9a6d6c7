"""A worker's load and batches, from what two of its heartbeats say."""

from transcription.cluster.worker_stats import between
from transcription.core.contract.heartbeat import Tally


def test_load_and_batch_are_between_two_heartbeats() -> None:
    """Two batches of four that took 0.5 s each, in 2 s: half a lane."""
    before = Tally(decoded=10, shared=10, decode_s=9.0)
    after = Tally(decoded=18, shared=42, decode_s=13.0)

    assert between(before, after, 2.0) == {"load": 0.5, "batch_size": 4.0}
    assert between(after, after, 1.0) == {"load": 0.0, "batch_size": 0.0}


def test_the_mean_batch_is_over_all_requests() -> None:
    """0 before the first."""
    assert [Tally(decoded=3, shared=8).batch_size, Tally().batch_size] == [2.67, 0.0]
