"""Where speech starts and ends."""

import itertools
from dataclasses import replace

import pytest

from transcription.core.config import VadConfig
from transcription.core.session.endpointing import WINDOW, Closed, Opened, Paused, SilenceEndpointer

BRIEF = VadConfig(min_speech_ms=288, min_silence_ms=160, pre_roll_ms=0)
"""Nine windows are the minimum, three a third of it."""
CONFIG = VadConfig(min_speech_ms=96, min_silence_ms=160, pre_roll_ms=64, speculate_ms=0)


def run(endpointer: SilenceEndpointer, probabilities: list[float]) -> list[object]:
    return [found for p in probabilities for found in endpointer.push(p, 1.0)]


def test_speech_starts_once_it_has_lasted_its_minimum_and_keeps_its_pre_roll() -> None:
    """Three windows are the minimum; the segment starts two windows before the first."""
    endpointer = SilenceEndpointer(CONFIG, 16_000)

    assert run(endpointer, [0.0] * 10 + [0.9] * 2) == []
    assert run(endpointer, [0.9]) == [Opened(8 * WINDOW, 10 * WINDOW)]


def test_a_blip_is_not_speech() -> None:
    """Shorter than a third of the minimum, followed by silence: nothing, and the next speech starts anew."""
    endpointer = SilenceEndpointer(BRIEF, 160_000)
    assert run(endpointer, [0.99] * 2 + [0.0] * 5) == []
    (started,) = run(endpointer, [0.9] * 9)

    assert started.speech_at == 7 * WINDOW


@pytest.mark.parametrize("voiced", [[0.6, 0.99, 0.7], [0.5] * 3, [0.53, 0.8, 0.89, 0.93, 0.93, 0.9, 0.64]])
@pytest.mark.parametrize("speculate_ms", [0, 64])
def test_speech_of_a_third_of_its_minimum_is_an_utterance(voiced: list[float], speculate_ms: int) -> None:
    """However unsure the VAD; it opens with the pause that may be its end. The last is an "a" that somebody spelt."""
    endpointer = SilenceEndpointer(replace(BRIEF, speculate_ms=speculate_ms), 160_000)
    found = run(endpointer, voiced + [0.0] * 5)
    end = len(voiced) * WINDOW

    assert found == [Opened(0, 0), *([Paused()] if speculate_ms else []), Closed(end + 5 * WINDOW, end)]


@pytest.mark.parametrize("voiced", [[0.99] * 4, [0.99], [0.6] * 2])
def test_a_flush_right_after_a_short_word_finds_it(voiced: list[float]) -> None:
    """However short, and however unsure the VAD: who flushes knows that somebody spoke."""
    endpointer = SilenceEndpointer(VadConfig(min_speech_ms=288, pre_roll_ms=0), 160_000)
    run(endpointer, [*voiced, 0.0])
    position = (len(voiced) + 1) * WINDOW

    assert endpointer.end(position) == [Opened(0, 0), Closed(position, len(voiced) * WINDOW)]
    assert endpointer.end(position) == []


def test_a_gap_shorter_than_the_silence_does_not_restart_the_count() -> None:
    """A plosive inside a word does not hide it."""
    endpointer = SilenceEndpointer(CONFIG, 16_000)
    (started,) = run(endpointer, [0.9, 0.1, 0.9, 0.1, 0.9])

    assert started.speech_at == 0


def test_hysteresis_keeps_speech_open() -> None:
    """Between threshold and threshold - 0.15 speech neither starts nor ends."""
    endpointer = SilenceEndpointer(CONFIG, 160_000)

    assert run(endpointer, [0.4] * 20) == []
    assert len(run(endpointer, [0.6] * 3)) == 1
    assert run(endpointer, [0.4] * 20) == []


def test_silence_ends_speech_and_says_where_it_was_last_heard() -> None:
    """Five windows of silence are the minimum."""
    endpointer = SilenceEndpointer(CONFIG, 160_000)
    run(endpointer, [0.9] * 10)

    assert run(endpointer, [0.0] * 4) == []
    assert run(endpointer, [0.0]) == [Closed(15 * WINDOW, 10 * WINDOW)]


def test_pre_roll_never_reaches_into_the_segment_before() -> None:
    """A sample belongs to one segment."""
    endpointer = SilenceEndpointer(VadConfig(min_speech_ms=32, min_silence_ms=32, pre_roll_ms=1000), 160_000)
    run(endpointer, [0.9])
    (ended,) = run(endpointer, [0.0])
    (started,) = run(endpointer, [0.9])

    assert started.start == ended.end


def test_a_long_utterance_is_cut_at_its_quietest_place() -> None:
    """Speech goes on; the cut is in the middle of the dip, not at the end."""
    endpointer = SilenceEndpointer(VadConfig(min_speech_ms=0, pre_roll_ms=0), 100 * WINDOW)
    found = []
    for i in range(100):
        found += endpointer.push(0.9, 0.01 if 70 <= i <= 72 else 1.0)

    cut = 71 * WINDOW + WINDOW // 2
    assert found[1:] == [Closed(cut, cut, continues=True), Opened(cut, cut, continues=True)]
    assert endpointer.in_speech


def test_each_cut_of_endless_speech_respects_the_maximum() -> None:
    """No segment is longer than the maximum, none is empty."""
    endpointer = SilenceEndpointer(VadConfig(min_speech_ms=0, pre_roll_ms=0), 50 * WINDOW)
    cuts = [0] + [found.end for found in run(endpointer, [0.9] * 500) if isinstance(found, Closed)]
    lengths = [after - before for before, after in itertools.pairwise(cuts)]

    assert len(lengths) >= 10
    assert all(0 < length <= 50 * WINDOW for length in lengths)


def test_a_pause_that_lasts_at_the_maximum_is_the_end() -> None:
    """Not a quieter place before it: the final of this pause is decoded already, and may have been shown."""
    endpointer = SilenceEndpointer(VadConfig(min_speech_ms=0, pre_roll_ms=0, speculate_ms=64), 50 * WINDOW)
    found = []
    for i in range(50):
        found += endpointer.push(0.9 if i < 47 else 0.0, 0.01 if i == 30 else 1.0)

    assert found[1:] == [Paused(), Closed(50 * WINDOW, 47 * WINDOW)]
    assert not endpointer.in_speech


@pytest.mark.parametrize("speaking", [True, False])
def test_end_declares_an_endpoint_only_in_speech(speaking: bool) -> None:
    """A flush in silence is nothing."""
    endpointer = SilenceEndpointer(CONFIG, 16_000)
    run(endpointer, [0.9 if speaking else 0.0] * 5)

    assert bool(endpointer.end(5 * WINDOW)) is speaking
    assert not endpointer.in_speech
