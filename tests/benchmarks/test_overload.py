"""The plan of an overload, and what is made of what happened."""

import itertools

import pytest

from benchmarks.observe import Prediction
from benchmarks.overload import Look, Overload, Refused, Visit, phases, presence, summary
from benchmarks.reporting import overload_markdown
from tests.benchmarks.material import final, one_clip_script, partial, record_of

PLAN = phases(2, 20.0)
NAMES = [
    "to capacity",
    "at capacity",
    "to 3 ×",
    "at 3 ×",
    "back to capacity",
    "at capacity again",
    "down to one",
    "at one",
]


def talkers_at(second: float) -> int:
    """How many are there by the plan."""
    return sum(comes <= second < goes for comes, goes in (presence(PLAN, talker) for talker in range(6)))


def test_the_plan_goes_up_and_comes_back() -> None:
    """Without a gap."""
    assert [phase.name for phase in PLAN] == NAMES
    assert all(phase.ends_s == following.begins_s for phase, following in itertools.pairwise(PLAN))
    assert PLAN[-1].ends_s == 110.0


@pytest.mark.parametrize(
    ("second", "talkers"),
    [(0, 1), (10, 2), (29.9, 2), (40, 6), (59.9, 6), (70, 2), (89.9, 2), (99.9, 2), (100, 1), (109.9, 1)],
)
def test_talkers_come_and_go_by_the_plan(second: float, talkers: int) -> None:
    """Evenly in the ramps, the same number in the holds."""
    assert talkers_at(second) == talkers


@pytest.fixture
def run() -> Overload:
    """One talker heard at capacity (110 to 130 s), one at three times, where another was refused."""
    early = record_of(one_clip_script(), [(1.1, partial("s1", 1_000.0)), (2.0, final("s1", 200.0, 1_800.0))])
    late = record_of(one_clip_script(), [(2.75, final("s1", 200.0, 1_800.0)), (2.8, partial("s2", 1_000.0))])
    early.began_at, late.began_at = 112.0, 142.0
    for record, shift in ((early, 12.0), (late, 42.0)):
        record.received = [type(r)(r.at + shift, r.message) for r in record.received]
    refused = Refused(145.0, 12.0, {"type": "error", "code": "QUEUE_CONGESTION"})
    looks = [
        Look(111.0, 1, 0, Prediction(0.0, 0.0, 0)),
        Look(141.0, 2, 1, Prediction(1.0, 1.0, 4)),
        Look(150.0, 3, 4, Prediction(3.0, 4.0, 8)),
    ]
    return summary(PLAN, 100.0, [Visit([early]), Visit([late], [refused])], looks)


def test_finals_belong_to_the_phase_in_which_speech_ended(run: Overload) -> None:
    """And the worst is measured against the one at capacity."""
    at_capacity, at_top = run.phases[1], run.phases[3]

    assert (at_capacity.final["p95"], at_top.final["p95"]) == (500.0, 1250.0)
    assert run.times_worse == 2.5
    assert (at_top.sessions, at_top.steps) == (3, (1, 4))
    assert (at_top.predicted_ms, at_top.actual_ms) == (500.0, 750.0)


def test_refusals_and_losses_are_counted(run: Overload) -> None:
    """By how long they took, by code; a segment with a partial alone has no final."""
    assert run.refused_p95_ms == 12.0
    assert run.codes == {"QUEUE_CONGESTION": 1}
    assert (run.lost, run.broken, run.last_step) == (1, 0, 4)


def test_the_report_says_it_all(run: Overload) -> None:
    """A row a phase, and a sentence."""
    text = overload_markdown({"with admission": run})

    assert all(f"| {name} " in text for name in NAMES)
    assert "2.5 × that at capacity" in text
    assert "QUEUE_CONGESTION 1" in text
    assert "Segments without a final: 1" in text
