"""The steps down and back, as tables."""

import itertools
from dataclasses import replace

import pytest

from transcription.core.capacity.load import ClusterLoad
from transcription.core.capacity.shedding import HOLD_S, RISE_AT, calls_for, next_step, pressure
from transcription.core.config import Limits, SessionConfig
from transcription.core.contract.heartbeat import Cost
from transcription.core.session.effort import Effort, effort

LIMITS = Limits(max_queue_depth=20, max_estimated_server_total_ms=510)
IDLE = ClusterLoad(workers=1, lanes=1, threads=16, final_cost=Cost(base_ms=100), handling_ms=10)


@pytest.mark.parametrize(
    ("load", "expected"),
    [
        (ClusterLoad(), 0.0),
        (ClusterLoad(waiting_finals=20), 1.0),
        (IDLE, 0.0),
        (replace(IDLE, waiting_partials=10), 0.5),  # of the queue
        (replace(IDLE, running_finals=2), 150 / 400),  # of what a final may wait
        (replace(IDLE, running_finals=5), 450 / 400),
        (replace(IDLE, handling_ms=1000), 0.0),  # too slow by itself is not load
        (replace(IDLE, handling_ms=1000, running_finals=1), 1.0),
    ],
)
def test_pressure(load: ClusterLoad, expected: float) -> None:
    """How near to a limit, by the queue or by the wait, whichever is nearer."""
    assert pressure(load, LIMITS) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("step", "held_s", "pressure", "expected"),
    [
        (0, 0.0, 0.39, 0),
        (0, 0.0, 0.4, 1),
        (0, 0.0, 0.6, 2),
        (0, 0.0, 5.0, 5),  # at once
        (1, 0.0, 0.84, 3),
        (3, 0.0, 0.6, 3),
        (3, HOLD_S, 0.6, 3),  # above 0.7 x 0.7
        (3, HOLD_S, 0.48, 2),
        (3, HOLD_S - 0.1, 0.0, 3),  # not yet
        (5, HOLD_S, 0.0, 4),  # one at a time
        (5, HOLD_S, 0.71, 5),
        (1, HOLD_S, 0.0, 0),
        (0, 99.0, 0.0, 0),
    ],
)
def test_next_step(step: int, held_s: float, pressure: float, expected: int) -> None:
    """Up at once, down slowly."""
    assert next_step(step, held_s, pressure) == expected


@pytest.mark.parametrize("step", range(1, len(RISE_AT) + 1))
def test_a_pressure_that_trembles_about_a_threshold_does_not_move_the_step(step: int) -> None:
    """Hysteresis: between where a step begins and where it ends lies more than noise."""
    threshold = RISE_AT[step - 1]
    assert all(next_step(step, 99.0, threshold + tremble) == step for tremble in (-0.1, -0.05, 0.0, 0.05))


def test_a_burst_and_its_end() -> None:
    """Every step is held for its while on the way down; all are passed, none is skipped."""
    step, held_s, seen = 0, 0.0, []
    for tenth in range(200):
        now_pressure = 1.2 if 10 <= tenth < 30 else 0.0
        moved = next_step(step, held_s, now_pressure)
        held_s = 0.0 if moved != step or calls_for(step, now_pressure) else held_s + 0.1
        if moved != step:
            seen.append((tenth, moved))
        step = moved
    tenths = [tenth for tenth, _ in seen]

    assert [to for _, to in seen] == [5, 4, 3, 2, 1, 0]
    assert tenths[0] == 10
    assert all(20 <= later - earlier <= 22 for earlier, later in itertools.pairwise(tenths[1:]))
    assert tenths[1] - 30 >= 19


@pytest.mark.parametrize(
    ("step", "expected"),
    [
        (0, Effort(300, True, True, 5, True)),
        (1, Effort(600, True, True, 5, False)),
        (2, Effort(1200, True, False, 5, False)),
        (3, Effort(1200, False, False, 5, False)),
        (4, Effort(1200, False, False, 1, False)),
        (5, Effort(1200, False, False, 1, False)),
    ],
)
def test_effort(step: int, expected: Effort) -> None:
    """Rarer partials, no speculation, no partials, a smaller beam; nobody inside loses more when others are refused."""
    assert effort(step, SessionConfig()) == expected


def test_who_wants_no_partials_gets_none() -> None:
    """Whatever the step."""
    assert not effort(0, SessionConfig(partial_results=False)).partials
