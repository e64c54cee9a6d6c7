"""Words lie where speech was heard."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from transcription.core.protocol import Word
from transcription.core.session.word_times import CUT_SHORT_S, EARLY_S, bounded


def word(start: float, end: float, text: str = "sim") -> Word:
    return Word(word=text, start=start, end=end, probability=0.9)


def times(words: list[Word]) -> list[tuple[float, float]]:
    return [(word.start, word.end) for word in words]


def test_the_first_word_does_not_begin_with_the_pre_roll() -> None:
    """Nor does the last one end before speech does."""
    words = bounded([word(0.0, 0.6), word(0.6, 1.2)], 0.3, 1.4)

    assert times(words) == [(round(0.3 - EARLY_S, 3), 0.6), (0.6, 1.4)]


def test_words_in_the_silence_after_speech_are_taken_back_into_it() -> None:
    assert times(bounded([word(0.4, 0.9), word(1.6, 1.9)], 0.3, 1.4)) == [(0.4, 0.9), (1.39, 1.4)]


def test_a_last_word_far_from_the_end_stays() -> None:
    """What follows it was a sound, or a word that was not understood."""
    assert times(bounded([word(0.4, 0.9)], 0.3, 0.9 + CUT_SHORT_S + 0.1)) == [(0.4, 0.9)]


def test_no_words_are_no_words() -> None:
    assert bounded([], 0.3, 1.0) == []


pairs = st.lists(st.tuples(st.floats(0, 10), st.floats(0, 10)), min_size=1, max_size=20)


@given(found=pairs, speech=st.tuples(st.floats(0, 5), st.floats(0.1, 5)))
def test_every_word_has_its_time_in_order(found: list[tuple[float, float]], speech: tuple[float, float]) -> None:
    """Whatever the alignment says; the texts stay as they are."""
    begin, end = speech[0], speech[0] + speech[1]
    words = bounded([word(*pair, text=str(n)) for n, pair in enumerate(found)], begin, end)

    assert [w.word for w in words] == [str(n) for n in range(len(found))]
    assert all(w.start < w.end for w in words)
    assert all(a.end <= b.start + 1e-6 for a, b in itertools.pairwise(words))
    assert words[0].start >= max(begin - EARLY_S, 0) - 0.001
