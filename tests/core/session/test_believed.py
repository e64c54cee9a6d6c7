"""What was believed of an utterance's beginning goes with the jobs that hear it again."""

from dataclasses import replace

import pytest

from tests.core.session.fakes import FAST, Talk, with_vad
from transcription.core.contract.jobs import Job

PIECE_WINDOWS = 16


@pytest.fixture
def talk() -> Talk:
    """Keeps what it decodes of sixteen windows or more."""
    vad = with_vad(FAST, speculate_ms=64, min_silence_ms=160, piece_ms=PIECE_WINDOWS * 32)
    talk = Talk(replace(vad, max_utterance_s=5.0))
    talk.start()
    return talk


def pause(talk: Talk, windows: int) -> Job:
    """Speech, and the job of the pause after it."""
    talk.windows(windows, speaking=True)
    talk.windows(2, speaking=False)
    return talk.final()


def test_a_longer_decode_is_told_what_the_shorter_one_said(talk: Talk) -> None:
    first = pause(talk, 4)
    talk.answer(first, "quero falar com")
    second = pause(talk, 4)

    assert (first.believed, second.believed) == ("", "quero falar com")
    assert second.start == 0


def test_an_answer_that_speech_overtook_counts_too(talk: Talk) -> None:
    """A busy worker answers late."""
    first = pause(talk, 4)
    talk.windows(2, speaking=True)
    talk.answer(first, "quero falar com")

    assert pause(talk, 4).believed == "quero falar com"


def test_a_late_answer_of_less_does_not_take_the_place_of_one_of_more(talk: Talk) -> None:
    """Two lanes answer in another order than they were asked in."""
    first = pause(talk, 4)
    second = pause(talk, 4)
    talk.answer(second, "quero falar com a")
    talk.windows(1, speaking=True)
    talk.answer(first, "quero")

    assert pause(talk, 4).believed == "quero falar com a"


def test_what_was_dropped_was_not_believed(talk: Talk) -> None:
    """And leaves what was believed before."""
    for text, believed in (("quero", ""), ("", "quero"), ("quero falar", "quero")):
        job = pause(talk, 2)
        assert job.believed == believed
        talk.answer(job, text)


def test_a_decode_after_a_piece_hears_nothing_of_it_again(talk: Talk) -> None:
    talk.answer(pause(talk, PIECE_WINDOWS), "quero falar com")
    rest = pause(talk, 4)
    talk.answer(rest, "a Ana")

    assert (rest.start > 0, rest.believed) == (True, "")
    assert pause(talk, 4).believed == "a Ana"


def test_the_next_utterance_begins_anew(talk: Talk) -> None:
    talk.answer(pause(talk, 4), "quero falar com")
    talk.answer(pause(talk, 4), "quero falar com a Ana")
    talk.windows(3, speaking=False)

    assert pause(talk, 4).believed == ""
