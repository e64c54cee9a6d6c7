"""Whisper through faster-whisper and CTranslate2: the only file that imports them."""

import math
from pathlib import Path
from typing import Any

import numpy as np
from faster_whisper import WhisperModel
from numpy.typing import NDArray

from transcription.core.jobs import Job, Kind
from transcription.core.protocol import Word
from workers.engine import EngineError, Hypothesis, Request

FINAL_TEMPERATURES = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
"""A final that looks wrong (compression ratio, log probability) is decoded again, hotter: faster-whisper's default."""


class WhisperEngine:
    """One loaded model on one device."""

    max_batch = 1

    def __init__(self, model: Path, device: str, compute_type: str, cpu_threads: int) -> None:
        """Load the weights. Raises `EngineError` when the device or the compute type cannot be used."""
        try:
            self._model = WhisperModel(str(model), device=device, compute_type=compute_type, cpu_threads=cpu_threads)
        except (RuntimeError, ValueError) as error:
            text = f"The model cannot be loaded on {device} as {compute_type}: {error}"
            raise EngineError(text, retryable=False) from error
        self.device = device
        self.compute_type = str(self._model.model.compute_type)

    def prepare(self, job: Job, audio: NDArray[np.float32]) -> Request:
        """Features are made by faster-whisper inside `decode`."""
        return Request(job, audio)

    def decode(self, batch: list[Request]) -> list[Hypothesis | EngineError]:
        """Transcribe one request after the other."""
        return [self._transcribe(request) for request in batch]

    def _transcribe(self, request: Request) -> Hypothesis:
        job = request.job
        final = job.kind is Kind.FINAL
        segments, _ = self._model.transcribe(
            request.audio,
            language=job.language,
            beam_size=job.beam_size,
            temperature=FINAL_TEMPERATURES if final else 0.0,
            condition_on_previous_text=False,
            without_timestamps=not final,
            word_timestamps=job.word_timestamps,
        )
        heard = list(segments)
        return Hypothesis(
            "".join(segment.text for segment in heard).strip(),
            _confidence(heard),
            [_word(word) for segment in heard for word in segment.words or []],
        )


def _confidence(segments: list[Any]) -> float:
    """Mean token probability: the exponential of the mean log probability over all tokens."""
    tokens = sum(len(segment.tokens) for segment in segments)
    if not tokens:
        return 0.0
    return math.exp(sum(segment.avg_logprob * len(segment.tokens) for segment in segments) / tokens)


def _word(word: Any) -> Word:
    return Word(
        word=word.word.strip(),
        start=round(float(word.start), 3),
        end=round(float(word.end), 3),
        probability=round(float(word.probability), 3),
    )
