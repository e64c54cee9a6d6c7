"""Jobs and audio for the real engine, and what it hears."""

import numpy as np
from numpy.typing import NDArray

from transcription.core.contract.jobs import Job, Kind
from workers.engines.engine import Hypothesis
from workers.engines.whisper import WhisperEngine

CLIPS = ("s13_pm_alex", "s24_pf_dora", "s18_pf_dora", "s07_pm_alex")


def audio(pcm: bytes) -> NDArray[np.float32]:
    return np.frombuffer(pcm, "<i2").astype(np.float32) / 32768.0


def job(
    kind: Kind = Kind.FINAL,
    *,
    language: str = "pt",
    words: bool = False,
    prefix: str = "",
    endpointed: bool = True,
) -> Job:
    return Job(
        job_id="x", group="", segment_id="", kind=kind, audio_key="", overtaken_key="", number=0, start=0, end=None,
        language=language, beam_size=5 if kind is Kind.FINAL else 1, word_timestamps=words, prefix=prefix,
        endpointed=endpointed,
    )  # fmt: skip


def heard(engine: WhisperEngine, job: Job, samples: NDArray[np.float32]) -> Hypothesis:
    prepared = engine.prepare(job, samples)
    (answer,) = [prepared] if isinstance(prepared, Hypothesis) else engine.decode([prepared])
    assert isinstance(answer, Hypothesis)
    return answer
