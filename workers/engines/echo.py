"""An engine that decodes nothing, for tests, load and development without weights.

Its text tells what audio it was given: `<milliseconds> <crc32 of the PCM>`, so a lost, doubled or foreign sample shows.
With the pace of a card (`pace.py`) it takes as long as that one would, in batches as `whisper.py` makes them: how many
people a card carries is then known before there is one.
"""

import threading
import time
import zlib
from collections.abc import Hashable, Sequence

import numpy as np
from numpy.typing import NDArray

from transcription.core.config import SAMPLE_RATE
from transcription.core.contract.jobs import Job, Kind
from transcription.core.protocol import Word
from workers.engines import windows
from workers.engines.engine import EngineError, Hypothesis, Request
from workers.engines.pace import Pace

MAX_BATCH = {"cpu": 8, "cuda": 16}
"""As `whisper.py` has it."""


class EchoEngine:
    """Echoes lengths and checksums; `decode_ms` is how long it pretends to think, whatever the batch."""

    max_batch = 1
    device = "cpu"
    compute_type = "none"

    def __init__(self, decode_ms: float = 0.0) -> None:
        self._decode_s = decode_ms / 1000

    def prepare(self, job: Job, audio: NDArray[np.float32], before: NDArray[np.float32] | None = None) -> Request:
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


class PacedEngine(EchoEngine):
    """Echoes as slowly as a card decodes."""

    def __init__(self, pace: Pace, max_batch: int = 0, least_final_window_s: int = windows.LEAST_FINAL_S) -> None:
        super().__init__()
        self._pace = pace
        self.device, self.compute_type = pace.device, pace.compute_type
        self.max_batch = max_batch or MAX_BATCH[pace.device]
        self._least = least_final_window_s
        self._busy = 0
        self._lock = threading.Lock()

    def prepare(self, job: Job, audio: NDArray[np.float32], before: NDArray[np.float32] | None = None) -> Request:
        """With the key by which the real one makes batches, once the host would have made features of it."""
        audio_s = audio.size / SAMPLE_RATE
        time.sleep(self._pace.preparing_ms(window_s(audio_s, job, self._least)) / 1000)
        return Request(job, audio, key=batch_key(job, audio_s, self._least))

    def decode(self, batch: list[Request]) -> list[Hypothesis | EngineError]:
        """Sleep for as long as the batch would take beside what other lanes do when it begins, then answer."""
        with self._lock:
            self._busy += 1
            slowed = self._pace.slowed(self._busy)
        jobs = [(each.job, each.audio.size / SAMPLE_RATE) for each in batch]
        try:
            time.sleep(batch_ms(self._pace, jobs, self._least) * slowed / 1000)
        finally:
            with self._lock:
                self._busy -= 1
        return [self._echo(request) for request in batch]


def batch_key(job: Job, audio_s: float, least_final_window_s: int = windows.LEAST_FINAL_S) -> Hashable:
    """What jobs have in common that may share a batch; one longer than a window has it with nobody."""
    shared_s = windows.window_s(audio_s, job.kind, least_final_window_s)
    return (job.kind, shared_s, job.beam_size, job.word_timestamps) if shared_s else job.job_id


def window_s(audio_s: float, job: Job, least_final_window_s: int = windows.LEAST_FINAL_S) -> float:
    """The window that a job's audio is decoded in."""
    return windows.window_s(audio_s, job.kind, least_final_window_s) or windows.LONGEST_S


def batch_ms(
    pace: Pace, batch: Sequence[tuple[Job, float]], least_final_window_s: int = windows.LEAST_FINAL_S
) -> float:
    """How long a batch of jobs of one key takes, given with the seconds of audio of each."""
    job, audio_s = max(batch, key=lambda one: one[1])
    final = job.kind is Kind.FINAL
    return pace.decode_ms(
        len(batch),
        window_s(audio_s, job, least_final_window_s),
        audio_s,
        job.beam_size,
        final=final,
        words=job.word_timestamps,
    )


def echo(audio: NDArray[np.float32]) -> str:
    """What the engine answers to these samples."""
    pcm = (audio * 32768.0).astype("<i2").tobytes()
    return f"{audio.size * 1000 // SAMPLE_RATE} {zlib.crc32(pcm):08x}"
