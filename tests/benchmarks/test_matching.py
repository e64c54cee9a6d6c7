"""From messages to latencies. The script: speech from 0.5 s to 1.5 s, then a second of silence."""

import pytest

from benchmarks.matching import clip_texts, measure, segments
from benchmarks.record import Record
from benchmarks.schedule import assemble
from tests.benchmarks.material import endpoint, final, one_clip_script, partial, record_of, spoken


def session(*messages: tuple[float, dict], completed: bool = True) -> Record:
    """One session over the script."""
    return record_of(one_clip_script(), list(messages), completed=completed)


def test_a_partial_is_timed_from_the_last_sample_it_covers() -> None:
    """To the frame that carried it."""
    measures = measure([session((1.1, partial("s1", 1_000.0)), (1.35, partial("s1", 1_290.0)))])

    assert measures.partial_ms == pytest.approx([100.0, 50.0])


def test_the_first_partial_is_timed_from_the_true_start_of_speech() -> None:
    """Not from the segment's, which has pre-roll."""
    measures = measure(
        [session((1.1, partial("s1", 1_000.0)), (1.3, partial("s1", 1_200.0)), (2.1, final("s1", 200.0, 1_800.0)))]
    )

    assert measures.first_partial_ms == pytest.approx([600.0])


def test_a_final_is_timed_from_the_true_end_of_speech_and_from_the_endpoint() -> None:
    """The endpoint's silence is in the one, not in the other."""
    measures = measure([session((2.01, endpoint("s1")), (2.2, final("s1", 200.0, 1_800.0)))])

    assert measures.final_ms == pytest.approx([700.0])
    assert measures.final_after_endpoint_ms == pytest.approx([190.0])


def test_a_segment_cut_in_the_middle_of_speech_ends_at_the_cut() -> None:
    """There is no endpoint event to time it from."""
    measures = measure([session((1.2, final("s1", 200.0, 800.0)), (2.1, final("s2", 1_000.0, 1_000.0)))])

    assert measures.final_ms == pytest.approx([200.0, 600.0])
    assert measures.final_after_endpoint_ms == []


def test_a_segment_of_noise_has_no_end_of_speech() -> None:
    """Its final counts, its latency does not."""
    measures = measure([session((2.4, final("s1", 1_600.0, 400.0, text="")))])

    assert measures.finals == 1
    assert measures.final_ms == []


def test_a_segment_announced_and_never_answered_is_lost() -> None:
    """Whether by a partial or by an event."""
    measures = measure([session((1.1, partial("s1", 1_000.0)), (2.0, endpoint("s2")))])

    assert measures.lost_segments == 2


def test_a_segment_an_error_names_is_not_lost_but_counted() -> None:
    """The client was told."""
    error = {"type": "error", "code": "INFERENCE_ERROR", "message": "", "segment_id": "s1"}

    measures = measure([session((2.0, endpoint("s1")), (2.1, error))])

    assert measures.lost_segments == 0
    assert measures.errors == {"INFERENCE_ERROR": 1}


def test_an_error_without_a_segment_is_no_segment() -> None:
    """It is counted by its code."""
    record = session((1.0, {"type": "error", "code": "QUEUE_CONGESTION", "message": "", "session_id": "x"}))

    assert segments(record.received) == {}
    assert measure([record]).errors == {"QUEUE_CONGESTION": 1}


def test_a_final_sent_twice_is_counted() -> None:
    """Once for each time too many; the first is the one timed."""
    measures = measure([session((2.1, final("s1", 200.0, 1_800.0)), (2.3, final("s1", 200.0, 1_800.0)))])

    assert (measures.finals, measures.repeated_finals) == (1, 1)
    assert measures.final_ms == pytest.approx([600.0])


def test_a_clip_without_a_final_is_unheard_and_scores_as_silence() -> None:
    """Its words are all deleted."""
    measures = measure([session()])

    assert measures.unheard_clips == 1
    assert (measures.references, measures.hypotheses) == (["bom dia"], [""])


def test_an_empty_final_is_heard() -> None:
    """An answer, if a wrong one."""
    assert measure([session((2.1, final("s1", 200.0, 1_800.0, text="")))]).unheard_clips == 0


def test_a_refused_session_counts_as_such_and_in_nothing_else() -> None:
    """Its audio was never sent."""
    record = Record(one_clip_script())

    measures = measure([record])

    assert (measures.refused, measures.audio_s, measures.references) == (1, 0.0, [])


def test_a_session_without_its_end_is_broken() -> None:
    """However much came before."""
    assert measure([session((2.1, final("s1", 200.0, 1_800.0)), completed=False)]).broken == 1


def test_sessions_add_up() -> None:
    """Audio, speech and latencies of all of them."""
    measures = measure([session((1.1, partial("s1", 1_000.0))), session((1.2, partial("s1", 1_000.0)))])

    assert measures.audio_s == pytest.approx(5.0)
    assert measures.speech_s == pytest.approx(2.0)
    assert measures.partial_ms == pytest.approx([100.0, 200.0])
    assert measures.timing_ms["partial.inference_ms"] == [90.0, 90.0]


def test_a_final_goes_to_the_clip_it_overlaps_most() -> None:
    """And several of one clip are joined."""
    script = assemble([spoken(1.0), spoken(1.0)], [0.5, 1.0, 1.0])
    finals = [
        final("s1", 300.0, 700.0, "bom"),
        final("s2", 1_000.0, 1_600.0, "dia"),
        final("s3", 2_400.0, 1_500.0, "boa tarde"),
        final("s4", 3_600.0, 300.0, "eco"),
    ]

    assert clip_texts(script.placed, finals) == ["bom dia", "boa tarde"]
