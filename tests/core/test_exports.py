"""Transcripts as files: cues by words, by text, times, escaping."""

import re
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from transcription.core.exports import CUE_LINES, CUE_S, LINE_CHARS, Said, cues, srt, txt, webvtt
from transcription.core.protocol import Word


def word(text: str, start: float, end: float) -> Word:
    return Word(word=text, start=start, end=end, probability=0.9)


HELLO = Said(1_000, 1_500, "Olá, mundo.", [word("Olá,", 0.1, 0.5), word("mundo.", 0.6, 1.2)])


def test_srt_is_as_players_read_it() -> None:
    """Numbered from 1, comma in the time, a blank line between; words give the times, the segment its offset."""
    assert srt([HELLO, Said(3_700_000, 1_000, "Fim")]) == (
        "1\n00:00:01,100 --> 00:00:02,200\nOlá, mundo.\n\n2\n01:01:40,000 --> 01:01:41,000\nFim\n"
    )


def test_webvtt_has_its_header_and_escapes_markup() -> None:
    """Speech cannot become a tag or end a cue."""
    text = webvtt([Said(0, 1_000, "a <b> & --> c")])

    assert text == "WEBVTT\n\n00:00:00.000 --> 00:00:01.000\na &lt;b&gt; &amp; --&gt; c\n"


def test_txt_has_a_line_a_segment_and_none_for_those_without_text() -> None:
    """In order."""
    assert txt([HELLO, Said(0, 10, ""), Said(0, 10, "Fim")]) == "Olá, mundo.\nFim\n"


def test_a_cue_ends_with_a_sentence_that_fills_half_a_line() -> None:
    """Shorter ones stay with what follows."""
    said = "Sim. Vire a direita na avenida. Siga em frente.".split()
    (first, second) = cues([Said(0, 5_000, "", [word(text, i * 0.5, i * 0.5 + 0.4) for i, text in enumerate(said)])])

    assert first.lines == ("Sim. Vire a direita na avenida.",)
    assert second.lines == ("Siga em frente.",)


def test_without_word_times_the_segment_s_time_is_shared_by_length() -> None:
    """From its start to its end, without gaps."""
    found = cues([Said(10_000, 20_000, "palavra " * 40)])

    assert found[0].start == 10.0
    assert found[-1].end == 30.0
    assert all(a.end == b.start for a, b in pairwise(found))


texts = st.text(st.characters(categories=["L", "P", "Nd"]), min_size=1, max_size=60)


@given(st.lists(st.tuples(texts, st.floats(0, 2), st.floats(0.01, 1)), max_size=60))
def test_every_word_is_shown_once_in_order_within_the_limits(said: list[tuple[str, float, float]]) -> None:
    """Whatever was said: nothing lost, no overlap, lines and cues of bearable size."""
    at, words = 0.0, []
    for text, pause, length in said:
        words.append(word(text, at + pause, at + pause + length))
        at += pause + length
    found = cues([Said(500, at * 1000, "", words), HELLO])

    shown = " ".join(line for cue in found for line in cue.lines).split()
    assert shown == [text for item in [*words, *HELLO.words] for text in item.word.split()]
    for cue, following in zip(found, [*found[1:], None], strict=True):
        assert cue.start <= cue.end
        assert following is None or following.start < cue.start or cue.end <= following.start
        assert len(cue.lines) <= CUE_LINES
        assert all(len(line) <= LINE_CHARS or " " not in line for line in cue.lines)
        assert cue.end - cue.start <= CUE_S + 0.002
    assert re.fullmatch(r"(\d+\n[\d:,]{12} --> [\d:,]{12}\n(.+\n)+\n?)*", srt([Said(0, 1, "", words)]))
