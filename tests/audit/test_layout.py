"""Where a session's happenings lie in its picture."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transcription.audit.layout import LATENCY_STAGES, MAX_ROWS, TimelineEvent, TimelineSegment, layout

LATENCY = {"vad_wait": 300.0, "queue": 20.0, "batch_wait": 10.0, "model": 100.0, "delivery": 70.0}
SPOKEN = TimelineSegment("seg-0001", 1_000, 2_500, 3_000, LATENCY, [(2_000, 80, 5), (2_400, 160, 9)])


def test_a_segment_has_its_speech_its_silence_and_its_latency_by_stage() -> None:
    """In ten seconds a row: 2 s of speech are a fifth; the stages follow each other from where speech ended."""
    (row,) = layout([SPOKEN], [])
    bars = {bar.kind: (round(bar.x, 6), round(bar.width, 6)) for bar in row.bars}

    assert (row.start_s, row.length_s, row.skipped_s) == (0.0, 10, 0.0)
    assert bars["speech"] == (0.1, 0.2)
    assert bars["silence"] == (0.3, 0.05)
    assert [bar.kind for bar in row.bars][2:] == list(LATENCY_STAGES)
    assert bars["vad_wait"] == (0.3, 0.03)
    assert bars["model"] == (0.333, 0.01)
    assert bars["delivery"] == (0.343, 0.007)


def test_partials_are_higher_the_later_they_came_and_the_final_says_what_it_took() -> None:
    """At the end of the audio each covers; the final at the end of its latency."""
    (row,) = layout([SPOKEN], [])
    early, late, final = row.marks

    assert (early.kind, early.x, early.level) == ("partial", pytest.approx(0.2), 0.5)
    assert (late.x, late.level) == (pytest.approx(0.24), 1.0)
    assert (final.kind, final.x) == ("final", pytest.approx(0.35))
    assert final.label == "seg-0001, final after 500 ms"


def test_errors_are_told_from_events() -> None:
    """By their codes; a failed segment is an error too, and its speech shows it."""
    failed = TimelineSegment("seg-0002", 0, 1_000, None, {"queue": 10.0}, (), "No answer")
    events = [TimelineEvent(500, "QUEUE_CONGESTION: full", 3), TimelineEvent(600, "client gone")]
    (row,) = layout([failed], events)

    assert [mark.kind for mark in row.marks] == ["error", "error", "event"]
    assert row.marks[1].label == "QUEUE_CONGESTION: full (3×)"
    assert row.bars[0].kind == "failed"


def test_long_silence_is_left_out_and_said() -> None:
    """Rows with nothing on them are not drawn."""
    _, second = layout([SPOKEN, TimelineSegment("seg-0002", 600_000, 1_000)], [])

    assert second.start_s == 600
    assert second.skipped_s == 590


def test_what_crosses_rows_is_cut_there() -> None:
    """Half on one, half on the next."""
    first, second = layout([TimelineSegment("seg-0001", 8_000, 4_000)], [])

    assert [(bar.x, bar.width) for bar in (*first.bars, *second.bars)] == [
        (pytest.approx(0.8), pytest.approx(0.2)),
        (0.0, pytest.approx(0.2)),
    ]


def test_nothing_has_no_rows() -> None:
    assert layout([], []) == []


@given(
    st.lists(st.tuples(st.floats(0, 6e6), st.floats(0, 120_000), st.floats(0, 60_000)), max_size=30),
    st.lists(st.floats(0, 6e6), max_size=10),
)
def test_everything_is_on_the_picture_once_and_inside_it(
    spoken: list[tuple[float, float, float]], events: list[float]
) -> None:
    """Widths add up to the durations; marks are as many as there were; no row is left of another."""
    segments = [
        TimelineSegment(f"seg-{i}", start, length, None, {"model": took})
        for i, (start, length, took) in enumerate(spoken)
    ]
    rows = layout(segments, [TimelineEvent(at, "seen") for at in events])

    assert len(rows) <= MAX_ROWS or rows[0].length_s == 300
    assert [row.start_s for row in rows] == sorted(row.start_s for row in rows)
    assert all(0 <= bar.x <= 1 and bar.x + bar.width <= 1 + 1e-9 for row in rows for bar in row.bars)
    drawn = sum(bar.width * row.length_s for row in rows for bar in row.bars if bar.kind == "speech")
    assert drawn == pytest.approx(sum(length for _, length, _ in spoken) / 1000, abs=1e-3)
    assert sum(mark.kind == "event" for row in rows for mark in row.marks) == len(events)
    assert all(0 <= mark.x < 1 + 1e-9 for row in rows for mark in row.marks)
