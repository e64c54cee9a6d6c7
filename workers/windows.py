"""How much a decode is given to look at, how much it may say, and when not to believe it.

Whisper was trained on 30 s windows and the encoder costs what its window costs, so windows are made shorter where the
audio is. What that breaks is known: the finished sentence is said again. Finals therefore get some seconds of silence.
Partials get one, and decode *with* timestamps, so that the model says itself where it is and text past the end of the
audio can be dropped. What is left is seen here. docs/performance.md has the figures.
"""

import re
import zlib
from collections.abc import Sequence

from transcription.core.jobs import Kind

LONGEST_S = 30
FINAL_GRID_S = (10, 15, 20, LONGEST_S)
FINAL_SILENCE_S = 2.0
PARTIAL_GRID_S = (2, 3, 4, 5, 6, 8, 10, 12, 15, 20, LONGEST_S)
PARTIAL_SILENCE_S = 1.0
"""Window lengths, and the silence a window has at least: few lengths, so that jobs of several sessions share one; for
partials fine steps, because they are decoded often and may be a little wrong."""

TOKENS_PER_SECOND = 7
"""More than a fast speaker of Portuguese needs (about 5 a second in Whisper's vocabulary)."""
SPARE_TOKENS = 12

DOUBTFUL_LOGPROB = -1.0
DOUBTFUL_COMPRESSION = 2.4
NO_SPEECH = 0.6
"""Thresholds of openai/whisper (whisper/transcribe.py), which faster-whisper keeps."""

REPEATED_WORDS = 3
"""The shortest stretch of words that counts as said again."""


def window_s(audio_s: float, kind: Kind) -> int | None:
    """The window for so much audio; `None` when it does not fit into one."""
    if audio_s > LONGEST_S:
        return None
    grid, silence_s = (FINAL_GRID_S, FINAL_SILENCE_S) if kind is Kind.FINAL else (PARTIAL_GRID_S, PARTIAL_SILENCE_S)
    return next((length for length in grid if length >= audio_s + silence_s), LONGEST_S)


def max_tokens(window: int) -> int:
    """How many tokens may be said of a window; the same for all of a batch, so that none depends on its neighbours."""
    return TOKENS_PER_SECOND * window + SPARE_TOKENS


def said_again(words: Sequence[str]) -> int | None:
    """Where a stretch of three or more words begins to repeat the stretch right before it; `None` if none does."""
    plain = [re.sub(r"\W", "", word.lower()) for word in words]
    for start in range(len(plain)):
        for length in range(REPEATED_WORDS, (len(plain) - start) // 2 + 1):
            if plain[start : start + length] == plain[start + length : start + 2 * length]:
                return start + length
    return None


def compression_ratio(text: str) -> float:
    """How well a text compresses; loops compress very well."""
    raw = text.encode()
    return len(raw) / len(zlib.compress(raw)) if raw else 0.0


def is_silence(avg_logprob: float, no_speech: float) -> bool:
    """Whether the model itself thinks that nobody spoke."""
    return no_speech > NO_SPEECH and avg_logprob < DOUBTFUL_LOGPROB


def is_doubtful(text: str, avg_logprob: float, *, capped: bool) -> bool:
    """Whether a decode is worth another, with the whole window: it ran on, loops, repeats itself or is not sure."""
    return (
        capped
        or avg_logprob < DOUBTFUL_LOGPROB
        or compression_ratio(text) > DOUBTFUL_COMPRESSION
        or said_again(text.split()) is not None
    )
