"""A session's transcript as a file: SubRip (SRT), WebVTT, plain text.

Cues follow common subtitling practice (Netflix' and the BBC's guides): at most two lines of 42 characters and seven
seconds, broken at the end of a sentence where there is one. With word times a cue shows exactly while its words are
said; without, a segment's time is shared by its cues by their length.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from transcription.core.protocol import Word

LINE_CHARS = 42
CUE_LINES = 2
CUE_S = 7.0
SENTENCE_ENDS = (".", "?", "!", "…")


@dataclass(frozen=True, slots=True)
class Said:
    """One segment's final. Word times are seconds from the segment's start, as on the wire."""

    start_ms: float
    duration_ms: float
    text: str
    words: Sequence[Word] = ()


@dataclass(frozen=True, slots=True)
class Cue:
    """What is shown at a time: seconds from the session's start, and up to `CUE_LINES` lines."""

    start: float
    end: float
    lines: tuple[str, ...]


def srt(segments: Sequence[Said]) -> str:
    """SubRip."""
    blocks = [
        f"{number}\n{_clock(cue.start, ',')} --> {_clock(cue.end, ',')}\n" + "\n".join(cue.lines) + "\n"
        for number, cue in enumerate(cues(segments), 1)
    ]
    return "\n".join(blocks)


def webvtt(segments: Sequence[Said]) -> str:
    """WebVTT (W3C). `&` and `<` are escaped, so that speech cannot become markup."""
    blocks = ["WEBVTT\n"]
    for cue in cues(segments):
        text = "\n".join(cue.lines).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
        blocks.append(f"{_clock(cue.start, '.')} --> {_clock(cue.end, '.')}\n{text}\n")
    return "\n".join(blocks)


def txt(segments: Sequence[Said]) -> str:
    """One line a segment."""
    return "".join(f"{segment.text}\n" for segment in segments if segment.text)


def cues(segments: Sequence[Said]) -> list[Cue]:
    """The transcript cut into cues that do not overlap, in order."""
    found = [cue for segment in segments for cue in _cues(segment)]
    ends = [min(cue.end, max(then.start, cue.start)) for cue, then in pairwise(found)]
    return [
        Cue(cue.start, end, cue.lines)
        for cue, end in zip(found, [*ends, *(cue.end for cue in found[-1:])], strict=True)
    ]


def _cues(segment: Said) -> Iterator[Cue]:
    words = list(segment.words) or _spread(segment)
    offset = segment.start_ms / 1000
    group: list[Word] = []
    for word in words:
        if group and (_too_much(group, word) or _is_sentence(group)):
            yield _cue(group, offset)
            group = []
        group.append(word)
    if group:
        yield _cue(group, offset)


def _spread(segment: Said) -> list[Word]:
    """Words without times of their own: the segment's time is shared by length."""
    texts = segment.text.split()
    total = sum(len(text) for text in texts)
    words, at = [], 0
    for text in texts:
        start, end = (segment.duration_ms / 1000 * position / total for position in (at, at + len(text)))
        words.append(Word(word=text, start=start, end=end, probability=0.0))
        at += len(text)
    return words


def _too_much(group: list[Word], word: Word) -> bool:
    return len(_wrap([*group, word])) > CUE_LINES or word.end - group[0].start > CUE_S


def _is_sentence(group: list[Word]) -> bool:
    """Whether a sentence ends here that fills a line by half at least: shorter ones would flicker."""
    text = " ".join(word.word.strip() for word in group)
    return text.endswith(SENTENCE_ENDS) and len(text) >= LINE_CHARS // 2


def _cue(group: list[Word], offset: float) -> Cue:
    return Cue(round(offset + group[0].start, 3), round(offset + group[-1].end, 3), tuple(_wrap(group)))


def _wrap(group: list[Word]) -> list[str]:
    """Lines of at most `LINE_CHARS`; a longer word has one to itself."""
    lines: list[str] = []
    for word in group:
        text = word.word.strip()
        if lines and len(lines[-1]) + 1 + len(text) <= LINE_CHARS:
            lines[-1] += f" {text}"
        else:
            lines.append(text)
    return lines


def _clock(seconds: float, point: str) -> str:
    ms = round(seconds * 1000)
    return f"{ms // 3_600_000:02}:{ms // 60_000 % 60:02}:{ms // 1000 % 60:02}{point}{ms % 1000:03}"
