"""How much a decode is given to look at, how much it may say, and when not to believe it.

Whisper was trained on 30 s windows and the encoder costs what its window costs, so windows are made shorter where the
audio is. What that breaks is known: the finished sentence is said again. Finals therefore get some seconds of silence.
Partials get one, and decode *with* timestamps, so that the model says itself where it is and text past the end of the
audio can be dropped. What is left is seen here and in `repetition.py`. docs/performance.md has the figures.
"""

from transcription.core.contract.jobs import Kind
from workers.engines import repetition

LONGEST_S = 30
FINAL_GRID_S = (10, 15, 20, LONGEST_S)
FINAL_SILENCE_S = 2.0
PARTIAL_GRID_S = (2, 3, 4, 5, 6, 8, 10, 12, 15, 20, LONGEST_S)
PARTIAL_SILENCE_S = 1.0
"""Window lengths, and the silence a window has at least: few lengths, so that jobs of several sessions share one; for
partials fine steps, because they are decoded often and may be a little wrong."""
LEAST_FINAL_S = 20
"""Below it sentences lose words, above it a CPU loses time (docs/quality.md)."""
BRIEF_S = 1.6
"""Up to here an utterance is a word or two, and has the shortest window: a longer one makes "E aí?" of it."""

TOKENS_PER_SECOND = 7
"""More than a fast speaker of Portuguese needs (about 5 a second in Whisper's vocabulary)."""
SPARE_TOKENS = 12

SPARSE_FROM_S, SPARSE_CHARS_PER_S = 8.0, 7.0
FULLER = 1.3
"""A text of so few characters a second, of so long an utterance, may lack a sentence: said twice and then followed by
another, one is at times left out by a decode without timestamps, and found by one with them. Where that has so many
times the characters it is believed; slow dictation gives the same text twice."""

DOUBTFUL_LOGPROB = -1.0
NO_SPEECH = 0.6
"""Thresholds of openai/whisper (whisper/transcribe.py), which faster-whisper keeps."""


def window_s(audio_s: float, kind: Kind, least_final_s: int = LEAST_FINAL_S) -> int | None:
    """The window for so much audio, of a final that is not brief `least_final_s`; `None` if it fits into none."""
    if audio_s > LONGEST_S:
        return None
    if kind is Kind.FINAL:
        least_s = least_final_s if audio_s > BRIEF_S else FINAL_GRID_S[0]
        return _shortest(FINAL_GRID_S, max(audio_s + FINAL_SILENCE_S, least_s))
    return _shortest(PARTIAL_GRID_S, audio_s + PARTIAL_SILENCE_S)


def encoded_s(audio_s: float, window: int) -> int:
    """How much of a final's window needs to be encoded, where the rest of it is known; a whole one is, whole."""
    return window if window == LONGEST_S else min(_shortest(FINAL_GRID_S, audio_s + FINAL_SILENCE_S), window)


def _shortest(grid: tuple[int, ...], length_s: float) -> int:
    return next((window for window in grid if window >= length_s), LONGEST_S)


def max_tokens(seconds: float) -> int:
    """How many tokens may be said in so much time. A batch is given its window's, so that none depends on another."""
    return int(TOKENS_PER_SECOND * seconds) + SPARE_TOKENS


def is_silence(avg_logprob: float, no_speech: float) -> bool:
    """Whether the model itself thinks that nobody spoke."""
    return no_speech > NO_SPEECH and avg_logprob < DOUBTFUL_LOGPROB


def is_sparse(text: str, audio_s: float) -> bool:
    """Whether a decode is worth another, with timestamps: it says little for so much speech."""
    return bool(text) and audio_s >= SPARSE_FROM_S and len(text) < SPARSE_CHARS_PER_S * audio_s


def is_doubtful(text: str, avg_logprob: float) -> bool:
    """Whether a decode is worth another, with the whole window: the model is unsure, or repeats itself."""
    repeats = repetition.is_repeated(text) or repetition.copy_at_end(text) or repetition.is_monotonous(text)
    return repeats or avg_logprob < DOUBTFUL_LOGPROB
