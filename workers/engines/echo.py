"""An engine that decodes nothing, for tests, load and development without weights.

Its text tells what audio it was given: `<milliseconds> <crc32 of the PCM>`, so a lost, doubled or foreign sample shows.
"""

import time
import zlib

import numpy as np
from numpy.typing import NDArray

from transcription.core.config import SAMPLE_RATE
from transcription.core.contract.jobs import Job
from transcription.core.protocol import Word
from workers.engines.engine import EngineError, Hypothesis, Request


class EchoEngine:
    """Echoes lengths and checksums; `decode_ms` is how long it pretends to think, whatever the batch."""

    max_batch = 1
    device = "cpu"
    compute_type = "none"

    def __init__(self, decode_ms: float = 0.0) -> None:
        self._decode_s = decode_ms / 1000

    def prepare(self, job: Job, audio: NDArray[np.float32]) -> Request:
        """The request as it is: there are no features to make."""
        return Request(job, audio)

    def decode(self, batch: list[Request]) -> list[Hypothesis | EngineError]:
        """Sleep for `decode_ms`, then answer each request with the length and checksum of its audio."""
        time.sleep(self._decode_s)
        return [self._echo(request) for request in batch]

    def _echo(self, request: Request) -> Hypothesis:
        text = echo(request.audio)
        if not request.job.word_timestamps:
            return Hypothesis(text, 1.0, [])
        half = round(request.audio.size / SAMPLE_RATE / 2, 3)
        first, second = text.split()
        words = [
            Word(word=first, start=0.0, end=half, probability=1.0),
            Word(word=second, start=half, end=2 * half, probability=1.0),
        ]
        return Hypothesis(text, 1.0, words)


def echo(audio: NDArray[np.float32]) -> str:
    """What the engine answers to these samples."""
    pcm = (audio * 32768.0).astype("<i2").tobytes()
    return f"{audio.size * 1000 // SAMPLE_RATE} {zlib.crc32(pcm):08x}"
