"""Audio longer than Whisper's window, faster-whisper's own way: 30 s at a time, hotter while it looks wrong."""

import math
from typing import Any

import numpy as np
from faster_whisper import WhisperModel
from numpy.typing import NDArray

from transcription.core.config import SAMPLE_RATE
from transcription.core.contract.jobs import Job
from workers.engines.engine import Hypothesis
from workers.engines.words import readable, words


def transcribe(model: WhisperModel, job: Job, audio: NDArray[np.float32]) -> Hypothesis:
    """What is said in it (samples at 16 kHz, -1 to 1), in the job's language."""
    segments, _ = model.transcribe(
        audio,
        language=job.language,
        task=job.task,
        beam_size=job.beam_size,
        condition_on_previous_text=False,
        word_timestamps=job.word_timestamps,
    )
    heard = list(segments)
    pieces = [vars(word) for segment in heard for word in segment.words or []]
    text = readable("".join(segment.text for segment in heard).strip())
    if not text:
        return Hypothesis("", 0.0, [], sure_words=0)
    return Hypothesis(text, _confidence(heard), words(pieces, job.language, audio.size / SAMPLE_RATE), sure_words=0)


def _confidence(segments: list[Any]) -> float:
    """Mean token probability: the exponential of the mean log probability over all tokens."""
    tokens = sum(len(segment.tokens) for segment in segments)
    if not tokens:
        return 0.0
    return math.exp(sum(segment.avg_logprob * len(segment.tokens) for segment in segments) / tokens)
