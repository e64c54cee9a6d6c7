"""`floor`: what the model alone takes for the same clips, one at a time, without any service."""

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

import numpy as np

from benchmarks.clips import SAMPLE_RATE, Recording
from benchmarks.figures import Percentiles, percentiles
from benchmarks.model import FINAL_BEAM, PARTIAL_BEAM, Model, newest
from benchmarks.scoring import score


@dataclass(frozen=True, slots=True)
class Cost:
    """What one way of decoding takes."""

    name: str
    decode: Percentiles
    """Milliseconds a decode takes."""
    mean_ms: float
    decoded_s: float
    """Audio decoded."""
    cpu_s: float
    """CPU time of this process."""
    wer: float | None
    """`None` where only part of a clip is decoded."""

    @property
    def real_time_factor(self) -> float:
        """Seconds of decoding a second of audio takes."""
        return self.mean_ms * self.decode["n"] / 1000 / self.decoded_s

    def as_json(self) -> dict[str, Any]:
        """All of it, with the rates."""
        return asdict(self) | {
            "real_time_factor": round(self.real_time_factor, 4),
            "cpu_per_audio_s": round(self.cpu_s / self.decoded_s, 4),
        }


def _whole(pcm: np.ndarray) -> np.ndarray:
    return pcm


WAYS = (
    ("final: faster-whisper, beam 5", _whole, Model.transcribe, FINAL_BEAM),
    ("final: CTranslate2, one pass, beam 5", _whole, Model.decode_once, FINAL_BEAM),
    ("partial: faster-whisper, beam 1, last 8 s", newest, Model.transcribe, PARTIAL_BEAM),
    ("partial: CTranslate2, one pass, beam 1, last 8 s", newest, Model.decode_once, PARTIAL_BEAM),
)
"""Name, the part of a clip that is decoded, how, and with what beam."""


def floor(pool: Sequence[Recording], model: Model) -> list[Cost]:
    """Each way of decoding, over all clips."""
    return [_cost(name, pool, part, partial(way, model, beam=beam)) for name, part, way, beam in WAYS]


def _cost(
    name: str,
    pool: Sequence[Recording],
    part: Callable[[np.ndarray], np.ndarray],
    decode: Callable[[np.ndarray], str],
) -> Cost:
    took_ms, texts = [], []
    cpu_began = time.process_time()
    for recording in pool:
        began = time.perf_counter()
        texts.append(decode(part(recording.pcm)))
        took_ms.append((time.perf_counter() - began) * 1000)
    cpu_s = time.process_time() - cpu_began
    return Cost(
        name=name,
        decode=percentiles(took_ms),
        mean_ms=round(float(np.mean(took_ms)), 1),
        decoded_s=round(sum(len(part(recording.pcm)) for recording in pool) / SAMPLE_RATE, 2),
        cpu_s=round(cpu_s, 2),
        wer=round(score([recording.clip.text for recording in pool], texts).wer, 4) if part is _whole else None,
    )
