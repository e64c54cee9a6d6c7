"""A transcript as subtitles: SubRip (SRT) and WebVTT, in cues that can be read while they are shown.

The service has this file in `transcription/core`, its client in `whisper_stt/cli`, for neither imports the other; the
page has the same rule in `subtitles.js`. The golden transcripts in `tests/contract/subtitles` hold them together.

- A cue has at most two lines of 42 characters and lasts at most seven seconds. What fits one line is on one line.
- A cue ends at a pause of a second, and with a sentence that fills half a line. What is still too much is halved
  between words, after punctuation where some is near the middle. Two lines are parted the same way; a word longer than
  a line, or a text without spaces, wherever a line is full.
- A cue appears with its first word. It stays for 5/6 s at least, and half a second beyond its last word where reading
  takes that long at 17 characters a second. A gap of half a second or less to the next cue is closed to two frames
  (at 24 a second), so that nothing flickers and a change is seen; a cue that is too short delays the next.
- Where several people speak each passage begins with the name of who says it, and cues come in the order they begin.
- Texts are as the transcript has them. Times are those of the words in it; where they are not known, and in a segment
  without any, time is shared by length. A segment without text has no cue.

Sources: Netflix' Timed Text Style Guide (https://partnerhelp.netflixstudios.com/hc/en-us/articles/ 215758617: General
Requirements; 360051554394: Subtitle Timing; 215600497: Brazilian Portuguese) and the BBC's Subtitle Guidelines
(https://bbc.github.io/subtitle-guidelines/), as far as they ask for nobody who sees the picture.
"""

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise, zip_longest
from typing import NamedTuple

LINE_CHARS = 42
LONGEST_MS = 7_000
SHORTEST_MS = 833
GAP_MS = 83
CLOSE_MS = 500
"""Gaps up to here are closed."""
LINGER_MS = 500
"""For reading, beyond the last word."""
PAUSE_MS = 1_000
CHARS_PER_S = 17

_WORD = re.compile(rf"[^\s\x1c-\x1f\x85\ufeff]{{1,{LINE_CHARS}}}")  # white space of Python and of JavaScript
_CLAUSE = re.compile(r"""[,;:–—.?!…]["'”»)\]]*$""")
_SENTENCE = re.compile(r"""[.?!…]["'”»)\]]*$""")


@dataclass(frozen=True, slots=True)
class Said:
    """A segment's final."""

    start: float
    """Seconds from the start of the session or recording."""
    duration: float
    text: str
    words: Sequence[tuple[str, float, float]] = ()
    """Word, start and end; seconds from the start of the segment."""
    speaker: str = ""
    """Who says it, where several do."""


class Word(NamedTuple):
    """What stands between spaces; when it is said, in ms from the start of the session."""

    text: str
    start: int
    end: int


class Cue(NamedTuple):
    """Up to two lines; when they are shown, in ms from the start of the session."""

    start: int
    end: int
    lines: list[str]


def srt(segments: Sequence[Said]) -> str:
    """SubRip. It knows no escaping: a tag that is said is a tag to most players."""
    return "\n".join(
        f"{number}\n{clock(cue.start, ',')} --> {clock(cue.end, ',')}\n" + "\n".join(cue.lines) + "\n"
        for number, cue in enumerate(cues(segments), 1)
    )


def vtt(segments: Sequence[Said]) -> str:
    """WebVTT (https://www.w3.org/TR/webvtt1/). Escaped, so that speech is neither markup nor the end of a cue."""
    blocks = ["WEBVTT\n"]
    for cue in cues(segments):
        text = "\n".join(cue.lines).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
        blocks.append(f"{clock(cue.start, '.')} --> {clock(cue.end, '.')}\n{text}\n")
    return "\n".join(blocks)


def clock(ms: int, point: str) -> str:
    """Hours, minutes, seconds and milliseconds, as subtitles have them."""
    return f"{ms // 3_600_000:02}:{ms // 60_000 % 60:02}:{ms // 1_000 % 60:02}{point}{ms % 1_000:03}"


def cues(segments: Sequence[Said]) -> list[Cue]:
    """The transcript in cues that do not overlap, in order."""
    passages = [_by(said.speaker, passage) for said in segments for passage in _passages(_words(said))]
    groups = [group for passage in passages for group in _cut(passage)]
    if any(said.speaker for said in segments):
        groups.sort(key=lambda words: words[0].start)
    found: list[Cue] = []
    free = 0
    for words, following in zip_longest(groups, groups[1:]):
        start = max(words[0].start, free)
        end = _end(start, words, following)
        found.append(Cue(start, end, _lines(words)))
        free = end + GAP_MS
    return found


def _words(said: Said) -> list[Word]:
    marks: list[tuple[int, float]] = [(0, 0.0)]  # a place in the text, and when it is reached
    at = 0
    for word, start, end in said.words:
        if (found := said.text.find(word, at)) >= 0:
            at = found + len(word)
            marks += [(found, start), (at, end)]
    marks.append((len(said.text), said.duration))
    reached = accumulate((seconds for _, seconds in marks), max)
    starts: list[float] = []  # of every character
    ends: list[float] = []
    for ((left, _), (right, _)), (since, until) in zip(pairwise(marks), pairwise(reached), strict=True):
        for i in range(right - left):
            starts.append(since + (until - since) * i / (right - left))
            ends.append(since + (until - since) * (i + 1) / (right - left))
    return [
        Word(word[0], _ms(said.start + starts[word.start()]), _ms(said.start + ends[word.end() - 1]))
        for word in _WORD.finditer(said.text)
    ]


def _passages(words: Sequence[Word]) -> Iterator[list[Word]]:
    """What pauses and ends of sentences part. A sentence shorter than half a line goes with what follows."""
    passage: list[Word] = []
    for word in words:
        if passage and (word.start - passage[-1].end >= PAUSE_MS or _is_sentence(passage)):
            yield passage
            passage = []
        passage.append(word)
    if passage:
        yield passage


def _by(speaker: str, passage: list[Word]) -> list[Word]:
    """A passage that says who speaks, where that is known."""
    return [Word(f"{speaker}:", passage[0].start, passage[0].start), *passage] if speaker else passage


def _is_sentence(words: Sequence[Word]) -> bool:
    return bool(_SENTENCE.search(words[-1].text)) and len(_join(words)) >= LINE_CHARS // 2


def _cut(words: Sequence[Word]) -> Iterator[Sequence[Word]]:
    """The words of each cue of a passage."""
    if len(words) == 1 or (_lines(words) and words[-1].end - words[0].start <= LONGEST_MS):
        yield words
    else:
        at = _break(words)
        yield from _cut(words[:at])
        yield from _cut(words[at:])


def _lines(words: Sequence[Word]) -> list[str]:
    """Words as one line or two; none if they need more."""
    if len(text := _join(words)) <= LINE_CHARS:
        return [text]
    at = _break(words, LINE_CHARS)
    return [_join(words[:at]), _join(words[at:])] if at else []


def _break(words: Sequence[Word], most: float = math.inf) -> int:
    """Where to part words, neither side longer than `most`: near the middle, punctuation counts as half a line nearer.

    0 if there is no such place.
    """
    length, left = len(_join(words)), -1
    places = []
    for at, word in enumerate(words[:-1], 1):
        left += 1 + len(word.text)
        right = length - left - 1
        if max(left, right) <= most:
            places.append((abs(left - right) - (LINE_CHARS if _CLAUSE.search(word.text) else 0), at))
    return min(places, default=(0, 0))[1]


def _end(start: int, words: Sequence[Word], following: Sequence[Word] | None) -> int:
    """When a cue that appears at `start` goes."""
    said = max(words[-1].end, start)
    read = start + len(_join(words)) * 1_000 // CHARS_PER_S
    end = max(said, min(read, said + LINGER_MS), start + SHORTEST_MS)
    if following and following[0].start - end <= CLOSE_MS:
        end = following[0].start - GAP_MS
    return min(max(end, start + SHORTEST_MS), start + LONGEST_MS)


def _join(words: Sequence[Word]) -> str:
    return " ".join(word.text for word in words)


def _ms(seconds: float) -> int:
    return math.floor(seconds * 1_000 + 0.5)
