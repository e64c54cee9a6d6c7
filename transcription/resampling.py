"""Any sample rate to 16 kHz, as a stream, by the SoX resampler."""

import numpy as np
import soxr

from transcription.core.config import SAMPLE_RATE


class StreamResampler:
    """16-bit PCM of one rate in, 16-bit PCM at 16 kHz out; some milliseconds stay inside until the last call."""

    def __init__(self, rate: int) -> None:
        self._stream = soxr.ResampleStream(rate, SAMPLE_RATE, 1, dtype="int16", quality="HQ")

    def __call__(self, pcm: bytes, *, last: bool = False) -> bytes:
        """Resample the stream's next samples."""
        return self._stream.resample_chunk(np.frombuffer(pcm, dtype="<i2"), last=last).astype("<i2").tobytes()
