"""Percentiles, the figures of a run, and the targets."""

from dataclasses import replace

from benchmarks.figures import Figures, figures, percentiles, shortfalls
from benchmarks.matching import measure
from tests.benchmarks.material import endpoint, final, one_clip_script, partial, record_of


def good_run() -> Figures:
    """One session: three partials, one final, all in time."""
    messages = [
        (0.9, partial("s1", 800.0)),
        (1.2, partial("s1", 1_100.0)),
        (1.5, partial("s1", 1_400.0)),
        (2.01, endpoint("s1")),
        (2.2, final("s1", 200.0, 1_800.0)),
    ]
    return figures(1, measure([record_of(one_clip_script(), messages)]), partial_interval_ms=300.0)


def test_percentiles_interpolate() -> None:
    """As numpy does by default."""
    spread = percentiles([float(value) for value in range(101)])

    assert spread == {"n": 101, "p50": 50.0, "p95": 95.0, "p99": 99.0, "max": 100.0}


def test_percentiles_of_nothing() -> None:
    """Are not zero."""
    assert percentiles([])["p95"] is None


def test_figures_of_a_run() -> None:
    """From its measures."""
    run = good_run()

    assert run.partial["p50"] == 100.0
    assert run.final["p95"] == 700.0
    assert run.partials_per_speech_s == 3.0
    assert run.partial_slots_missed == 0
    assert (run.late_partials, run.late_finals) == (0, 0)
    assert (run.wer, run.words) == (0.0, 2)
    assert run.timing["final.inference_ms"]["p50"] == 90.0


def test_missed_slots_and_late_messages_are_counted() -> None:
    """One partial where there were three intervals, half a second late; a final two seconds late."""
    messages = [(1.8, partial("s1", 1_300.0)), (3.5, final("s1", 200.0, 1_800.0))]

    run = figures(1, measure([record_of(one_clip_script(), messages)]), partial_interval_ms=300.0)

    assert (run.partial_slots_missed, run.late_partials, run.late_finals) == (2, 1, 1)


def test_a_good_run_is_within() -> None:
    """Nothing to name."""
    assert shortfalls(good_run()) == []


def test_each_shortfall_is_named() -> None:
    """With its figure."""
    run = replace(
        good_run(), final=percentiles([1_200.0]), partial=percentiles([]), lost_segments=2, errors={"QUEUE_FULL": 3}
    )

    assert shortfalls(run) == ["no partials", "final p95 1200 ms > 1000 ms", "2 lost segments", "3 errors"]
