"""The rule for cues: what holds whatever was said, and what golden subtitles (`tests/contract`) show less plainly."""

import re
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from transcription.audit.actions import txt
from transcription.core.subtitles import GAP_MS, LINE_CHARS, LONGEST_MS, SHORTEST_MS, Cue, Said, cues, srt, vtt

HELLO = Said(1.0, 1.5, "Olá, mundo.", [("Olá,", 0.1, 0.5), ("mundo.", 0.6, 1.2)])


def test_srt_is_as_players_read_it() -> None:
    """Numbered from 1, comma in the time, a blank line between; words give the times, the segment its offset."""
    assert srt([HELLO, Said(3_700, 1, "Fim")]) == (
        "1\n00:00:01,100 --> 00:00:02,200\nOlá, mundo.\n\n2\n01:01:40,000 --> 01:01:41,000\nFim\n"
    )


def test_webvtt_has_its_header_and_escapes_markup() -> None:
    """Speech cannot become a tag or end a cue."""
    text = vtt([Said(0, 1, "a <b> & --> c")])

    assert text == "WEBVTT\n\n00:00:00.000 --> 00:00:01.000\na &lt;b&gt; &amp; --&gt; c\n"


def test_txt_has_a_line_a_segment_and_none_for_those_without_text() -> None:
    """In order."""
    assert txt([HELLO, Said(0, 0.01, ""), Said(0, 0.01, "Fim")]) == "Olá, mundo.\nFim\n"


def test_a_cue_shows_the_text_not_the_words_put_together() -> None:
    """Whisper's words are parts of a compound: what the transcript writes as one stays one."""
    (cue,) = cues([Said(0, 2, "Ao meio-dia.", [("Ao", 0.2, 0.4), ("meio", 0.4, 0.8), ("-dia.", 0.8, 1.4)])])

    assert cue == Cue(200, 1_400, ["Ao meio-dia."])


def test_a_short_cue_stays_and_the_next_one_waits_for_it() -> None:
    """Two answers in half a second: neither flickers, they do not overlap."""
    assert cues([Said(0, 0.2, "Sim."), Said(0.2, 0.3, "Não.")]) == [
        Cue(0, SHORTEST_MS, ["Sim."]),
        Cue(SHORTEST_MS + GAP_MS, 2 * SHORTEST_MS + GAP_MS, ["Não."]),
    ]


def test_without_word_times_the_segment_s_time_is_shared_by_length() -> None:
    """From its start to its end, with nothing but the gap between cues."""
    found = cues([Said(10, 20, "palavra " * 40)])

    assert found[0].start == 10_000
    assert 29_900 <= found[-1].end <= 30_000
    assert all(following.start - cue.end == GAP_MS for cue, following in pairwise(found))


texts = st.text(st.characters(categories=["L", "P", "Nd", "Sm", "So", "Zs"]), max_size=60)
timed = st.lists(st.tuples(texts, st.floats(-1, 3), st.floats(0, 3), st.booleans()), max_size=60)


@given(st.lists(st.tuples(st.floats(0, 4e5), timed), max_size=3))
def test_every_word_is_shown_once_in_order_within_the_limits(spoken: list[tuple[float, list[tuple]]]) -> None:
    """Whatever was said, segments out of order, times that make no sense or none: nothing lost, nothing unreadable."""
    segments = []
    for start, parts in spoken:
        at, words = 0.0, []
        for text, pause, length, known in parts:
            words += [(text, at + pause, at + pause + length)] if known else []
            at += pause + length
        segments.append(Said(start, max(at, 0.0), " ".join(part[0] for part in parts), words))
    found = cues(segments)

    shown = "".join(line for cue in found for line in cue.lines)
    assert "".join(shown.split()) == "".join("".join(segment.text.split()) for segment in segments)
    assert all(SHORTEST_MS <= cue.end - cue.start <= LONGEST_MS for cue in found)
    assert all(following.start - cue.end >= GAP_MS for cue, following in pairwise(found))
    assert all(1 <= len(cue.lines) <= 2 for cue in found)
    assert all(0 < len(line) <= LINE_CHARS and line == line.strip() for cue in found for line in cue.lines)
    assert re.fullmatch(r"(\d+\n[\d:,]{12,} --> [\d:,]{12,}\n(.+\n)+\n?)*", srt(segments))
