"""Who gets in, and what a final is predicted to take, as tables."""

from dataclasses import replace

import pytest

from transcription.core.capacity.admission import decide, decide_on_recording, most_sessions, room
from transcription.core.capacity.load import ClusterLoad, estimated_max_concurrent
from transcription.core.config import Limits
from transcription.core.contract.heartbeat import Cost

LIMITS = Limits(max_sessions=100, max_queue_depth=20, max_estimated_server_total_ms=500)
ONE = ClusterLoad(
    workers=1, lanes=1, threads=16, partial_cost=Cost(base_ms=50), final_cost=Cost(base_ms=100), handling_ms=10
)
"""One lane, no batches: a final takes 110 ms, a partial 50 ms."""
TWO = replace(ONE, workers=2, lanes=2, threads=32)
BATCHES = replace(ONE, max_batch=4, final_cost=Cost(base_ms=60, request_ms=20, audio_ms=5, audio_s=4))
"""A batch of n takes 60 + 40 n ms."""


@pytest.mark.parametrize(
    ("load", "more", "expected_ms"),
    [
        (ClusterLoad(), 0, 0),
        (ONE, 0, 110),
        (replace(ONE, waiting_partials=9), 0, 110),  # overtaken
        (replace(ONE, running_partials=1), 0, 110 + 25),
        (replace(ONE, running_finals=1), 0, 110 + 50),
        (replace(ONE, running_finals=1, running_partials=3), 0, 110 + 50),
        (replace(ONE, running_finals=1, waiting_finals=2), 0, 110 + 50 + 200),
        (replace(ONE, running_finals=1), 2, 110 + 50 + 200),
        (replace(ONE, running_partials=16), 0, 110 + 25 + 50),  # every task thread is taken
        (replace(TWO, running_partials=1), 0, 110),
        (replace(TWO, running_finals=2), 0, 110 + 100 / 3),
        (replace(TWO, running_finals=2, waiting_finals=3), 0, 110 + 100 / 3 + 100),
        (BATCHES, 0, 110),
        (replace(BATCHES, running_finals=1, waiting_finals=2), 0, 10 + 50 + 60 + 3 * 40),
        (replace(BATCHES, running_finals=1, waiting_finals=5), 0, 10 + 50 + 220 + 60 + 2 * 40),
    ],
)
def test_a_final_s_time_is_predicted(load: ClusterLoad, more: int, expected_ms: float) -> None:
    """A lane to be free, the finals before it in their batches, and itself."""
    assert load.estimate_ms(more) == pytest.approx(expected_ms)


@pytest.mark.parametrize(
    ("load", "refused"),
    [
        (ONE, None),
        (replace(ONE, sessions=99), None),
        (replace(ONE, sessions=100), "MAX_SESSIONS_REACHED: Maximum sessions reached: 100"),
        (ClusterLoad(), "QUEUE_CONGESTION: No worker is ready"),
        (replace(ONE, memory=0.89), None),
        (replace(ONE, memory=0.9), "QUEUE_CONGESTION: The queue's memory is full: 90 %"),
        (replace(ONE, waiting_partials=19), None),
        (replace(ONE, waiting_partials=20), "QUEUE_FULL: Queue full: 20/20"),
        (replace(ONE, waiting_partials=5, running_partials=9, waiting_finals=2, running_finals=4),
         "QUEUE_FULL: Queue full: 20/20"),
        (replace(ONE, waiting_recorded=90, running_recorded=9, sessions=9), None),
        (replace(ONE, running_finals=4), None),
        (replace(ONE, running_finals=5, sessions=1), "QUEUE_CONGESTION: Estimated latency 560 ms exceeds 500 ms"),
        (replace(ONE, running_finals=5), None),  # nobody is inside: left by those who have gone
        (replace(TWO, running_finals=5), None),
        (replace(ONE, starting=4), None),
        (replace(ONE, starting=5), "QUEUE_CONGESTION: Estimated latency 560 ms exceeds 500 ms"),
        (replace(ONE, handling_ms=600), None),  # nothing waits: the only way to learn that it is faster now
        (replace(ONE, handling_ms=600, starting=1), "QUEUE_CONGESTION: Estimated latency 750 ms exceeds 500 ms"),
        (replace(ONE, handling_ms=600, running_partials=1), None),
        (replace(ONE, handling_ms=600, running_partials=1, sessions=1),
         "QUEUE_CONGESTION: Estimated latency 725 ms exceeds 500 ms"),
        (replace(ONE, step=4), None),
        (replace(ONE, step=5), None),
        (replace(ONE, step=5, sessions=1), "QUEUE_CONGESTION: The queue was full a moment ago and is draining"),
    ],
)  # fmt: skip
def test_decide(load: ClusterLoad, refused: str | None) -> None:
    """Each limit refuses with its own code, and just at its value."""
    refusal = decide(load, LIMITS)

    assert (f"{refusal.code}: {refusal.message}" if refusal else None) == refused
    assert refusal is None or refusal.retry_after_ms


@pytest.mark.parametrize(
    ("waiting", "workers", "refused"), [(29, 1, False), (30, 1, True), (59, 2, False), (60, 2, True)]
)
def test_recordings_must_have_their_turns_in_time(waiting: int, workers: int, refused: bool) -> None:
    """Each worker gives them one in four seconds, whatever else it does; half of what a final may wait is full."""
    load = replace(ONE, workers=workers, waiting_recorded=waiting)

    assert bool(decide_on_recording(load, LIMITS)) is refused


@pytest.mark.parametrize(
    ("load", "expected"),
    [
        (ONE, 100),  # nothing is known of anybody
        (replace(ONE, sessions=2, settled=2, final_rate=0.0), 100),
        (replace(ONE, sessions=2, settled=2, final_rate=0.4), 33),  # 0.2 a second each, 100 ms each: up to 0.66
        (replace(TWO, sessions=2, settled=2, final_rate=0.4), 82),
        (replace(ONE, sessions=9, settled=2, final_rate=9.0), 1),
        (replace(ONE, sessions=9, settled=2, final_rate=9.0, final_cost=Cost(base_ms=100, audio_s=5)), 33),  # no faster
    ],
)
def test_so_many_may_be_inside(load: ClusterLoad, expected: int) -> None:
    """By what those inside ask for."""
    most = most_sessions(load, LIMITS)
    inside = replace(load, sessions=most)

    assert most == expected
    assert inside.tail_ms(10_000) <= 60_000, "a wait without end is a number still"
    assert most == 100 or "exceeds 500 ms" in decide(inside, LIMITS).message
    assert most == 1 or decide(replace(inside, sessions=most - 1), LIMITS) is None


@pytest.mark.parametrize(
    ("load", "expected"),
    [(ONE, 5), (TWO, 10), (replace(ONE, running_finals=3), 2), (replace(ONE, handling_ms=600), 1)],
)
def test_so_many_may_start_at_once(load: ClusterLoad, expected: int) -> None:
    """As many as finals may come at once."""
    assert room(load, LIMITS) == expected


@pytest.mark.parametrize(
    ("load", "expected"),
    [
        (ClusterLoad(), 0),
        (ONE, 5),
        (replace(ONE, running_finals=5, waiting_partials=9), 5),
        (TWO, 10),
        (replace(ONE, final_cost=Cost(base_ms=1)), 20),
        (replace(ONE, handling_ms=600), 1),
    ],
)
def test_capacity_is_what_an_empty_cluster_could_take(load: ClusterLoad, expected: int) -> None:
    """Whatever the load is now; no more than the queue may hold, no less than one."""
    assert estimated_max_concurrent(load, LIMITS) == expected
