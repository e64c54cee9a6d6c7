"""Word times held to what is known of the segment: speech was not heard before it began, nor after it ended.

The times come from the decoder's attention (dynamic time warping, as in openai/whisper, whisper/timing.py), which gives
the silence before the first word to that word, and often cuts the last one short.
"""

from collections.abc import Sequence

from msgspec.structs import replace

from transcription.core.protocol import Word

EARLY_S = 0.032
"""Speech may begin a window of the VAD before the window that it was first heard in."""
CUT_SHORT_S = 0.6
"""How much too early the last word may end for its end to be taken from the VAD: more is a pause, or a sound."""
SHORTEST_S = 0.01


def bounded(words: Sequence[Word], speech_start: float, speech_end: float) -> list[Word]:
    """The words, in order, between where speech was first and last heard (seconds from the segment's first sample)."""
    found: list[Word] = []
    earliest = max(speech_start - EARLY_S, 0.0)
    for word in words:
        start = min(max(word.start, earliest), max(speech_end - SHORTEST_S, earliest))
        end = max(min(word.end, speech_end), start + SHORTEST_S)
        found.append(replace(word, start=round(start, 3), end=round(end, 3)))
        earliest = end
    if found and 0 < speech_end - found[-1].end < CUT_SHORT_S:
        found[-1] = replace(found[-1], end=round(speech_end, 3))
    return found
